"""What was shared: who was permitted which data, when, why, and what was refused."""

from starlette.responses import Response
from starlette.routing import Route

from services.portal.api.desk import Desk
from services.portal.api.visit import Visit, endpoint
from services.portal.api.words import Words
from services.portal.cases.review_shared import review_one, review_shared
from services.portal.domain.chart import chart
from services.portal.domain.person import Role
from services.portal.domain.sharing import Outcome

_LONGEST_PAGE_TOKEN = 600


def routes(desk: Desk) -> list[Route]:
    """Return the routes of decisions."""
    return [
        Route("/shared", endpoint(desk, overview, Role.PERSON)),
        Route("/shared/{decision}", endpoint(desk, one, Role.PERSON)),
    ]


async def overview(visit: Visit) -> Response:
    """Show one page of decisions, drawn and as a table."""
    wanted = visit.request.query_params.get("outcome", "")
    outcome = Outcome(wanted) if wanted in set(Outcome) else None
    page = visit.request.query_params.get("page", "")[:_LONGEST_PAGE_TOKEN]
    found = await review_shared(visit.desk.choices, visit.signed_in, outcome, page)
    words = Words(visit.t, found.vocabulary, found.recipients)
    orders = await visit.desk.agreements.own_instruments(visit.signed_in)
    return visit.page(
        "shared.html",
        found=found,
        orders=orders,
        words=words,
        outcome=outcome,
        outcomes=list(Outcome),
        first=not page,
        drawn=chart(found.decisions),
    )


async def one(visit: Visit) -> Response:
    """Show one decision with every reason and citation."""
    found = await review_one(
        visit.desk.choices, visit.signed_in, visit.request.path_params["decision"]
    )
    return visit.page(
        "decision.html",
        decision=found.decisions[0],
        words=Words(visit.t, found.vocabulary, found.recipients),
    )
