"""What was done with a person's data: their own entries of the log, in plain words, provable."""

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from services.portal.api.desk import Desk
from services.portal.api.routes.audit import as_file
from services.portal.api.visit import Visit, endpoint
from services.portal.api.words import Words
from services.portal.cases.review_own_log import Review, review_entry, review_page
from services.portal.domain.person import Role

_LARGEST_INDEX = 2**63 - 1


def routes(desk: Desk) -> list[Route]:
    """Return the routes of a person's own record."""
    return [
        Route("/record", endpoint(desk, newest, Role.PERSON)),
        Route("/record", endpoint(desk, older, Role.PERSON), methods=["POST"]),
        Route("/record/{index:int}", endpoint(desk, one, Role.PERSON)),
        Route("/record/{index:int}/proof", endpoint(desk, proof_file, Role.PERSON)),
    ]


async def newest(visit: Visit) -> Response:
    """Show what was done last."""
    return await _page(visit, "")


async def older(visit: Visit) -> Response:
    """Show what was done before. A post, as the auditors' list: nothing of it is in an address."""
    return await _page(visit, visit.form.text("next_page"))


async def one(visit: Visit) -> Response:
    """Show one thing that was done, and whether its proof holds."""
    found = await review_entry(
        visit.desk.own_log, visit.desk.choices, visit.signed_in, _index(visit)
    )
    return visit.page(
        "record_entry.html", told=found.told[0], proof=found.proof, words=_words(visit, found)
    )


async def proof_file(visit: Visit) -> Response:
    """Give the proof to take away (c2sp.org/tlog-proof)."""
    index = _index(visit)
    proof = await visit.desk.own_log.prove(visit.signed_in, index)
    return as_file(proof.file, index)


async def _page(visit: Visit, page: str) -> Response:
    found = await review_page(visit.desk.own_log, visit.desk.choices, visit.signed_in, page)
    return visit.page("record.html", found=found, words=_words(visit, found), first=not page)


def _words(visit: Visit, found: Review) -> Words:
    return Words(visit.t, found.vocabulary, found.recipients)


def _index(visit: Visit) -> int:
    index = int(visit.request.path_params["index"])
    if index > _LARGEST_INDEX:
        raise HTTPException(404)
    return index
