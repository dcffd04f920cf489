"""One decision on record, for officers and auditors: for a purpose, and on record."""

import re
from datetime import timedelta

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from services.portal.api.desk import Desk
from services.portal.api.routes.purpose import for_a_purpose
from services.portal.api.visit import Visit, endpoint
from services.portal.api.words import StaffWords
from services.portal.cases.review_shared import review_one
from services.portal.domain.person import Role

_NAME = re.compile(r"(?:decisions/)?([a-z0-9-]{1,64})")


def routes(desk: Desk) -> list[Route]:
    """Return the routes of a decision as staff see it."""
    readers = (Role.OFFICER, Role.AUDITOR)
    return [
        Route("/decisions", endpoint(desk, find, *readers)),
        Route("/decisions/{decision}", endpoint(desk, for_a_purpose(one), *readers)),
    ]


async def find(visit: Visit) -> Response:
    """Go to the decision whose number was typed."""
    typed = _NAME.fullmatch(visit.request.query_params.get("number", "").strip())
    if typed is None:
        raise HTTPException(404)
    return visit.go(f"/decisions/{typed[1]}")


async def one(visit: Visit, purpose: str) -> Response:
    """Show what was asked and answered, each reason with its clause, and what it rested on."""
    found = await review_one(
        visit.desk.choices, visit.signed_in, visit.request.path_params["decision"], purpose
    )
    decision = found.decisions[0]
    # A field for a moment holds milliseconds: cut off, they would be of before the decision.
    then = decision.at.replace(tzinfo=None) + timedelta(microseconds=999)
    return visit.page(
        "recorded.html",
        purpose=purpose,
        decision=decision,
        then=then.isoformat(timespec="milliseconds"),
        words=StaffWords(visit.t, found.vocabulary, found.recipients),
    )
