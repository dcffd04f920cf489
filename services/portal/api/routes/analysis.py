"""The decision explorer and the what-if page of officers.

Both are posted and answered in place: an account stands in no address, and nothing is changed.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from starlette.responses import Response
from starlette.routing import Route

from runtime.fault import Fault
from services.portal.api.desk import Desk
from services.portal.api.forms import Form
from services.portal.api.visit import Handler, Visit, endpoint
from services.portal.api.words import StaffWords
from services.portal.api.wrong import Wrong, wrong_fields
from services.portal.cases.contract_desk import contract_desk
from services.portal.domain.analysis import (
    DraftFile,
    Explanation,
    Flaw,
    Inquiry,
    Simulation,
    Supposition,
    read_flaw,
)
from services.portal.domain.person import Role
from services.portal.domain.sharing import last_part

SAMPLES = (100, 500, 2000)
FOLDERS = {"rules": "", "notices": "notices/"}  # a field of files, and where they belong
_DRAFT = "change.rulebook"
_FIELDS = {
    name: name
    for name in (
        "account",
        "service",
        "recipient",
        "purpose",
        "categories",
        "destination",
        "relation",
        "subprocessor",
        "instrument",
    )
} | {
    "as_of_time": "as_of",
    "guest": "guest_session",
    "jurisdiction": "guest_jurisdiction",
    "session": "guest_session",
}
_NEEDED = ("service", "recipient", "purpose", "categories")


def routes(desk: Desk) -> list[Route]:
    """Return the routes of the explorer and of what-if."""

    def page(path: str, handler: Handler, method: str = "GET") -> Route:
        uploads = handler is suppose
        return Route(path, endpoint(desk, handler, Role.OFFICER, uploads=uploads), methods=[method])

    return [
        page("/officer/explore", explorer),
        page("/officer/explore", explore, "POST"),
        page("/officer/what-if", what_if),
        page("/officer/what-if", suppose, "POST"),
    ]


async def explorer(visit: Visit) -> Response:
    """Show the form for a question."""
    return await _explorer(visit, [], None)


async def explore(visit: Visit) -> Response:
    """Show the question taken apart, with the form to ask on."""
    wrong: Wrong = [(name, f"wrong.{name}") for name in _NEEDED if not visit.form.many(name)]
    as_of = None
    try:
        as_of = _moment(visit.form.text("as_of"))
    except ValueError:
        wrong.append(("as_of", "wrong.as_of"))
    if wrong:
        return await _explorer(visit, wrong, None)
    try:
        found = await visit.desk.analysis.explain(visit.signed_in, _inquiry(visit.form, as_of))
    except Fault as fault:
        if fault.reason in {"NOT_FOUND", "WRONG_REGION"}:
            whose = "account" if visit.form.text("account") else "guest_jurisdiction"
            field = "recipient" if fault.reason == "NOT_FOUND" else whose
            return await _explorer(visit, [(field, f"wrong.{field}")], None)
        return await _explorer(visit, wrong_fields(fault, _FIELDS), None)
    return await _explorer(visit, [], found)


async def what_if(visit: Visit) -> Response:
    """Show the form for a change."""
    return await _what_if(visit, [], None)


async def suppose(visit: Visit) -> Response:
    """Show which recorded flows a change would answer otherwise."""
    form = visit.form
    supposed, wrong = await _supposition(visit)
    if supposed is None:
        return await _what_if(visit, wrong, None)
    asked = form.text("sample")
    sample = int(asked) if asked in {str(each) for each in SAMPLES} else SAMPLES[0]
    try:
        found = await visit.desk.analysis.simulate(visit.signed_in, supposed, sample)
    except Fault as fault:
        if fault.reason != "INVALID_FIELD" or not supposed.rules:
            raise
        flaws = [read_flaw(text) for field, text in fault.violations if field == _DRAFT]
        wrong = [("rules", "wrong.rules_flawed" if flaws else "wrong.rules")]
        return await _what_if(visit, wrong, None, flaws)
    return await _what_if(visit, [], found)


async def _supposition(visit: Visit) -> tuple[Supposition | None, Wrong]:
    """Read the change, or what to put right."""
    form = visit.form
    needed: tuple[str, ...]
    match form.text("change"):
        case "contract":
            needed = ("contract",)
            supposed = Supposition(contract_ended=form.text("contract"))
        case "terms":
            needed = ("draft",)
            supposed = Supposition()
            if form.text("draft"):
                key = last_part(form.text("draft"))
                found = await visit.desk.contracts.contract(visit.signed_in, key)
                supposed = Supposition(terms_of=found)
        case "rules":
            files = [
                DraftFile(folder + upload.name, upload.content)
                for name, folder in FOLDERS.items()
                for upload in form.files.get(name, ())
            ]
            if not files:
                return None, [("rules", "wrong.rules_none")]
            return Supposition(rules=files, rules_whole=form.ticked("whole")), []
        case "consents":
            either = form.text("purpose") or form.text("to")
            needed = () if either else ("purpose",)
            supposed = Supposition(
                purpose_withdrawn=form.text("purpose"), recipient_withdrawn=form.text("to")
            )
        case "moved":
            needed = ("recipient", "country")
            supposed = Supposition(
                recipient_moved=form.text("recipient"), moved_to=form.text("country")
            )
        case _:
            return None, [("change", "wrong.change")]
    wrong = [(name, f"wrong.{name}") for name in needed if not form.text(name)]
    return (None, wrong) if wrong else (supposed, [])


def _inquiry(form: Form, as_of: datetime | None) -> Inquiry:
    return Inquiry(
        account=form.text("account"),
        service=form.text("service"),
        recipient=form.text("recipient"),
        purpose=form.text("purpose"),
        categories=form.many("categories"),
        destination=form.text("destination"),
        relation=form.text("relation"),
        subprocessor=form.text("subprocessor"),
        instrument=form.text("instrument"),
        signed_in=form.ticked("signed_in"),
        de_identified=form.ticked("de_identified"),
        as_of=as_of,
        guest_jurisdiction=form.text("guest_jurisdiction"),
        guest_session=form.text("guest_session"),
    )


def _moment(text: str) -> datetime | None:
    """Read a moment in UTC as the browser sends it; ValueError when it is none."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC) if text else None


async def _explorer(visit: Visit, wrong: Wrong, found: Explanation | None) -> Response:
    desk = await contract_desk(visit.desk.choices, visit.desk.contracts, visit.signed_in)
    return visit.page(
        "explore.html",
        status=400 if wrong else 200,
        wrong=wrong,
        desk=desk,
        words=StaffWords(visit.t, desk.vocabulary, desk.recipients),
        found=found,
        countries=visit.t.countries(),
    )


async def _what_if(
    visit: Visit, wrong: Wrong, found: Simulation | None, flaws: Sequence[Flaw] = ()
) -> Response:
    desk = await contract_desk(visit.desk.choices, visit.desk.contracts, visit.signed_in)
    return visit.page(
        "what_if.html",
        status=400 if wrong else 200,
        wrong=wrong,
        desk=desk,
        words=StaffWords(visit.t, desk.vocabulary, desk.recipients),
        found=found,
        flaws=flaws,
        drafts=[each for each in desk.contracts if each.waits],
        countries=visit.t.countries(),
        samples=SAMPLES,
    )
