"""The map: who has which of a person's data, for what and why, drawn and as a table."""

from starlette.responses import Response
from starlette.routing import Route

from services.portal.api.desk import Desk
from services.portal.api.visit import Visit, endpoint
from services.portal.api.words import Words
from services.portal.cases.draw_map import draw_map
from services.portal.domain.person import Role
from services.portal.domain.reach import Hold


def routes(desk: Desk) -> list[Route]:
    """Return the route of the map."""
    return [Route("/map", endpoint(desk, overview, Role.PERSON))]


async def overview(visit: Visit) -> Response:
    """Draw the map of now."""
    found = await draw_map(visit.desk.choices, visit.desk.reaches, visit.signed_in)
    return visit.page(
        "map.html",
        map=found.map,
        words=Words(visit.t, found.vocabulary),
        holds=list(Hold),
    )
