"""Accounts and permissions: what is kept, the ways to sign in, linking and unlinking."""

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from runtime.fault import Fault
from services.portal.api import cookies
from services.portal.api.cookies import Flow
from services.portal.api.desk import Desk
from services.portal.api.visit import Visit, endpoint
from services.portal.cases.permissions import own_link, permissions
from services.portal.domain.person import ProfileField, Provider, Role


def routes(desk: Desk) -> list[Route]:
    """Return the routes of a person's own account."""
    return [
        Route("/account", endpoint(desk, overview, Role.PERSON)),
        Route("/account/link/{provider}", endpoint(desk, choose_imports, Role.PERSON)),
        Route(
            "/account/link/{provider}", endpoint(desk, begin_link, Role.PERSON), methods=["POST"]
        ),
        Route("/account/links/{link}/unlink", endpoint(desk, confirm_unlink, Role.PERSON)),
        Route(
            "/account/links/{link}/unlink", endpoint(desk, unlink, Role.PERSON), methods=["POST"]
        ),
    ]


async def overview(visit: Visit) -> Response:
    """Show the account and its links."""
    found = await permissions(visit.desk.sessions, visit.desk.accounts, visit.signed_in)
    return visit.page("account.html", found=found)


async def choose_imports(visit: Visit) -> Response:
    """Ask what to import before leaving for the provider."""
    return visit.page("link.html", provider=await _provider(visit))


async def begin_link(visit: Visit) -> Response:
    """Send the browser to the provider, bound to a flow of this person."""
    provider = await _provider(visit)
    imports = [field for field in ProfileField if field in visit.form.many("imports")]
    departure = await visit.desk.accounts.begin_link(
        visit.signed_in, provider.key, imports, visit.t.language
    )
    response = RedirectResponse(departure.authorization_url, status_code=303)
    cookies.put_flow(response, Flow(links=True, secret=departure.flow_secret))
    return response


async def confirm_unlink(visit: Visit) -> Response:
    """Say what unlinking does, or why it cannot be done, before it is done."""
    link = await own_link(visit.desk.accounts, visit.signed_in, visit.request.path_params["link"])
    return visit.page("unlink.html", link=link)


async def unlink(visit: Visit) -> Response:
    """End a link."""
    await visit.desk.accounts.unlink(
        visit.signed_in, visit.request.path_params["link"], visit.form.request_id
    )
    return visit.go("/account", "unlinked")


async def _provider(visit: Visit) -> Provider:
    key = visit.request.path_params["provider"]
    for provider in await visit.desk.sessions.providers(visit.signed_in.country):
        if provider.key == key:
            return provider
    raise Fault("PROVIDER_UNKNOWN", "no such provider is on offer", metadata={"provider": key[:40]})
