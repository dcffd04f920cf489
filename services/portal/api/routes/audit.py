"""The auditors' view: search the log, follow a trace, check a proof; for a purpose, on record."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, time

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from runtime.fault import Fault
from services.portal.api.desk import Desk
from services.portal.api.routes.purpose import Page, for_a_purpose
from services.portal.api.visit import Endpoint, Visit, endpoint
from services.portal.api.wrong import Wrong, wrong_fields
from services.portal.domain.person import Role
from services.portal.domain.trace import Found, Search, waterfall

_TRACE_ID = re.compile(r"[0-9a-f]{32}")
_LARGEST_INDEX = 2**63 - 1
_PRODUCERS = ("account", "sharing", "audit")
FILTERS = (
    "trace_id",
    "account",
    "actor",
    "app",
    "recipient",
    "contract",
    "action",
    "outcome",
    "producer",
    "start",
    "end",
)
_FIELDS = {
    **{name: name for name in FILTERS},
    "action_prefix": "action",
    "start_time": "start",
    "end_time": "end",
}


def routes(desk: Desk) -> list[Route]:
    """Return the routes of the trace view."""

    def reading(page: Page) -> Endpoint:
        return endpoint(desk, for_a_purpose(page), Role.AUDITOR)

    return [
        Route("/audit", reading(newest)),
        Route("/audit", reading(search), methods=["POST"]),
        Route("/audit/traces/{trace_id}", reading(trace)),
        Route("/audit/entries/{index:int}", reading(entry)),
        Route("/audit/entries/{index:int}/proof", reading(proof_file)),
    ]


async def newest(visit: Visit, purpose: str) -> Response:
    """Show the newest entries beside the search form."""
    found = await visit.desk.log.search(visit.signed_in, purpose, Search())
    return _list(visit, purpose, found, searched=False)


async def search(visit: Visit, purpose: str) -> Response:
    """Search. A post, although it changes nothing: accounts are not put into addresses."""
    form, wrong = visit.form, list[tuple[str, str]]()
    first_day = end = None
    try:
        first_day = form.day("start")
    except ValueError:
        wrong.append(("start", "wrong.start"))
    try:
        end = form.end_of_day("end")
    except ValueError:
        wrong.append(("end", "wrong.end"))
    if wrong:
        return _nothing(visit, purpose, wrong)
    wanted = Search(
        account=form.text("account"),
        actor=form.text("actor"),
        app=form.text("app"),
        recipient=form.text("recipient"),
        contract=form.text("contract"),
        action=form.text("action"),
        outcome=form.text("outcome"),
        trace_id=form.text("trace_id").lower(),
        producer=form.text("producer"),
        start=datetime.combine(first_day, time.min, UTC) if first_day else None,
        end=end,
    )
    try:
        found = await visit.desk.log.search(
            visit.signed_in, purpose, wanted, form.text("next_page")
        )
    except Fault as fault:
        return _nothing(visit, purpose, wrong_fields(fault, _FIELDS))
    return _list(visit, purpose, found, searched=True)


async def trace(visit: Visit, purpose: str) -> Response:
    """Show one request through the services, every entry of it with the state of its proof."""
    trace_id = visit.request.path_params["trace_id"]
    if not _TRACE_ID.fullmatch(trace_id):
        raise HTTPException(404)
    traced = await visit.desk.log.trace(visit.signed_in, purpose, trace_id)
    viewer = visit.desk.trace_viewer
    return visit.page(
        "trace.html",
        purpose=purpose,
        trace_id=trace_id,
        drawn=waterfall(traced.proofs),
        more=traced.more,
        viewer=viewer.replace("{trace_id}", trace_id),
    )


async def entry(visit: Visit, purpose: str) -> Response:
    """Show one entry, and whether its proof holds."""
    proof = await visit.desk.log.prove(visit.signed_in, purpose, _index(visit))
    return visit.page("entry.html", purpose=purpose, proof=proof)


async def proof_file(visit: Visit, purpose: str) -> Response:
    """Give the proof to take away (c2sp.org/tlog-proof), to be verified on another machine."""
    index = _index(visit)
    proof = await visit.desk.log.prove(visit.signed_in, purpose, index)
    return as_file(proof.file, index)


def as_file(file: bytes, index: int) -> Response:
    """Answer with a proof file."""
    return Response(
        file,
        media_type="application/octet-stream",
        headers={"content-disposition": f'attachment; filename="entry-{index}.tlog-proof"'},
    )


def _index(visit: Visit) -> int:
    index = int(visit.request.path_params["index"])
    if index > _LARGEST_INDEX:
        raise HTTPException(404)
    return index


def _list(
    visit: Visit,
    purpose: str,
    found: Found,
    *,
    searched: bool,
    wrong: Sequence[tuple[str, str]] = (),
) -> Response:
    return visit.page(
        "audit.html",
        status=400 if wrong else 200,
        wrong=wrong,
        purpose=purpose,
        found=found,
        searched=searched,
        filters=FILTERS,
        producers=[(name, name) for name in _PRODUCERS],
    )


def _nothing(visit: Visit, purpose: str, wrong: Wrong) -> Response:
    return _list(visit, purpose, Found([]), searched=True, wrong=wrong)
