"""The auditors' view: search the log, follow a trace, check a proof."""

import re
from datetime import UTC, datetime, time

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from runtime.fault import Fault
from services.portal.api.desk import Desk
from services.portal.api.visit import Visit, endpoint
from services.portal.api.wrong import Wrong, wrong_fields
from services.portal.domain.person import Role
from services.portal.domain.trace import Found, Search, waterfall

_TRACE_ID = re.compile(r"[0-9a-f]{32}")
_LARGEST_INDEX = 2**63 - 1
_FIELDS = {
    "account": "account",
    "actor": "actor",
    "action_prefix": "action",
    "trace_id": "trace_id",
    "start_time": "start",
    "end_time": "end",
}


def routes(desk: Desk) -> list[Route]:
    """Return the routes of the trace view."""
    return [
        Route("/audit", endpoint(desk, newest, Role.AUDITOR)),
        Route("/audit", endpoint(desk, search, Role.AUDITOR), methods=["POST"]),
        Route("/audit/traces/{trace_id}", endpoint(desk, trace, Role.AUDITOR)),
        Route("/audit/entries/{index:int}", endpoint(desk, entry, Role.AUDITOR)),
        Route("/audit/entries/{index:int}/proof", endpoint(desk, proof_file, Role.AUDITOR)),
    ]


async def newest(visit: Visit) -> Response:
    """Show the newest entries beside the search form."""
    found = await visit.desk.log.search(visit.signed_in, Search())
    return visit.page("audit.html", found=found, searched=False)


async def search(visit: Visit) -> Response:
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
        return _nothing(visit, wrong)
    wanted = Search(
        account=form.text("account"),
        actor=form.text("actor"),
        action=form.text("action"),
        trace_id=form.text("trace_id").lower(),
        start=datetime.combine(first_day, time.min, UTC) if first_day else None,
        end=end,
    )
    try:
        found = await visit.desk.log.search(visit.signed_in, wanted, form.text("next_page"))
    except Fault as fault:
        return _nothing(visit, wrong_fields(fault, _FIELDS))
    return visit.page("audit.html", found=found, searched=True)


async def trace(visit: Visit) -> Response:
    """Show the entries of one request, in order of time, wherever they were written."""
    trace_id = visit.request.path_params["trace_id"]
    if not _TRACE_ID.fullmatch(trace_id):
        raise HTTPException(404)
    found = await visit.desk.log.search(
        visit.signed_in, Search(trace_id=trace_id), newest_first=False
    )
    return visit.page(
        "trace.html", trace_id=trace_id, bars=waterfall(found.entries), more=bool(found.next_page)
    )


async def entry(visit: Visit) -> Response:
    """Show one entry, and whether its proof holds."""
    proof = await visit.desk.log.prove(visit.signed_in, _index(visit))
    return visit.page("entry.html", proof=proof)


async def proof_file(visit: Visit) -> Response:
    """Give the proof to take away (c2sp.org/tlog-proof), to be verified on another machine."""
    index = _index(visit)
    proof = await visit.desk.log.prove(visit.signed_in, index)
    return Response(
        proof.file,
        media_type="application/octet-stream",
        headers={"content-disposition": f'attachment; filename="entry-{index}.tlog-proof"'},
    )


def _index(visit: Visit) -> int:
    index = int(visit.request.path_params["index"])
    if index > _LARGEST_INDEX:
        raise HTTPException(404)
    return index


def _nothing(visit: Visit, wrong: Wrong) -> Response:
    return visit.page("audit.html", status=400, wrong=wrong, found=Found([]), searched=True)
