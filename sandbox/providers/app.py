"""The sandbox as one ASGI application."""

import time
from collections.abc import Callable, Iterable
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.providers.facebook import Facebook
from sandbox.providers.google import Google
from sandbox.providers.grants import Client
from sandbox.providers.pages import STYLE
from sandbox.providers.people import People

# What the providers' dashboards would show us. The secrets guard nothing real; account reads them
# from the files beside this one, as it would real ones.
_HERE = Path(__file__).parent
GOOGLE_CLIENT_ID = "accord.apps.sandbox"
FACEBOOK_APP_ID = "1000000000000001"


def application(
    origin: str,
    portals: Iterable[str],
    *,
    hostile: bool = False,
    now: Callable[[], float] = time.time,
) -> Starlette:
    """Build the providers at `origin`, for the portals at `portals` (`https://localhost:8443`)."""
    portals = list(portals)
    people = People.load(hostile=hostile)

    def client(provider: str, client_id: str) -> Client:
        return Client(
            client_id=client_id,
            secret=(_HERE / f"{provider}.secret").read_text(encoding="ascii").strip(),
            redirect_uris=frozenset(f"{portal}/callback/{provider}" for portal in portals),
        )

    async def portrait(request: Request) -> Response:
        person = people.find(request.path_params["key"])
        if person is None:
            return Response(status_code=404)
        return Response(person.portrait(), media_type="image/svg+xml")

    async def style(_request: Request) -> Response:
        return Response(STYLE, media_type="text/css")

    return Starlette(
        routes=[
            Route("/people/{key:str}.svg", portrait),
            Route("/style.css", style),
            *Google(origin, client("google", GOOGLE_CLIENT_ID), people, now).routes(),
            *Facebook(origin, client("facebook", FACEBOOK_APP_ID), people, now).routes(),
        ]
    )
