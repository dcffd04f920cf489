"""The officers' desk beside contracts: what ends, legal instruments, notices to recipients."""

import re
from datetime import date

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from runtime.fault import Fault
from services.portal.api.desk import Desk
from services.portal.api.forms import Form
from services.portal.api.visit import Handler, Visit, endpoint
from services.portal.api.words import StaffWords
from services.portal.api.wrong import Wrong, wrong_fields
from services.portal.cases.contract_desk import ContractDesk, contract_desk
from services.portal.domain.agreements import (
    Instrument,
    InstrumentKind,
    InstrumentState,
    NoticeState,
    Paper,
    Shown,
)
from services.portal.domain.person import Role
from services.portal.domain.sharing import Document, last_part

_DAYS = (30, 90, 365)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NEEDED = ("authority", "reference", "account")
_SHOWN = {
    "overdue": Shown(overdue=True),
    "pending": Shown(NoticeState.PENDING),
    "failed": Shown(NoticeState.FAILED),
    "all": Shown(),
}
_PAPER_FIELDS = {
    "issuer": "issuer",
    "authority": "authority",
    "reference": "reference",
    "account": "account",
    "categories": "categories",
    "on_date": "on",
    "expire_date": "expires",
    "secret_until_date": "secret_until",
    "document": "document",
}


def routes(desk: Desk) -> list[Route]:
    """Return the routes of this part of the officers' desk."""

    def page(path: str, handler: Handler, method: str = "GET") -> Route:
        return Route(path, endpoint(desk, handler, Role.OFFICER), methods=[method])

    return [
        page("/officer/expiries", expiries),
        page("/officer/instruments", instruments),
        page("/officer/instruments/new", new_instrument),
        page("/officer/instruments/new", create_instrument, "POST"),
        page("/officer/instruments/{instrument}", instrument),
        page("/officer/instruments/{instrument}/activate", activate_instrument, "POST"),
        page("/officer/instruments/{instrument}/revoke", ask_revoke),
        page("/officer/instruments/{instrument}/revoke", revoke_instrument, "POST"),
        page("/officer/revocations", revocations),
        page("/officer/revocations/{revocation}", revocation),
        page("/officer/revocations/{revocation}/retry", retry, "POST"),
        page("/officer/revocations/{revocation}/acknowledge", acknowledge, "POST"),
        page("/officer/recipients/{recipient}/endpoint", endpoint_page),
        page("/officer/recipients/{recipient}/endpoint", set_endpoint, "POST"),
    ]


async def expiries(visit: Visit) -> Response:
    """Show what of the agreements in force ends soon."""
    asked = visit.request.query_params.get("days", "")
    days = int(asked) if asked in {str(each) for each in _DAYS} else 90
    found = await visit.desk.agreements.expiries(visit.signed_in, days)
    words, _ = await _words(visit)
    today = visit.desk.clock.now().date()
    return visit.page(
        "expiries.html", found=found, days=days, choices=_DAYS, today=today, words=words
    )


async def instruments(visit: Visit) -> Response:
    """Show the instruments, newest first."""
    found = await visit.desk.agreements.instruments(visit.signed_in)
    words, _ = await _words(visit)
    return visit.page("instruments.html", found=found, words=words)


async def instrument(visit: Visit) -> Response:
    """Show one instrument and its next steps."""
    return await _instrument_page(visit, "instrument.html")


async def new_instrument(visit: Visit) -> Response:
    """Show the form for an instrument."""
    return await _paper_page(visit, [])


async def create_instrument(visit: Visit) -> Response:
    """Record an instrument; a second officer puts it in force."""
    paper, wrong = _read_paper(visit.form)
    if paper is None:
        return await _paper_page(visit, wrong)
    try:
        key = await visit.desk.agreements.create_instrument(
            visit.signed_in, visit.form.request_id, paper
        )
    except Fault as fault:
        if fault.reason == "WRONG_REGION":
            return await _paper_page(visit, [("account", "wrong.account")])
        return await _paper_page(visit, wrong_fields(fault, _PAPER_FIELDS))
    return visit.go(f"/officer/instruments/{key}", "instrument_recorded")


async def activate_instrument(visit: Visit) -> Response:
    """Put an instrument in force, as the second officer."""
    key = visit.request.path_params["instrument"]
    await visit.desk.agreements.activate_instrument(visit.signed_in, visit.form.request_id, key)
    return visit.go(f"/officer/instruments/{key}", "instrument_active")


async def ask_revoke(visit: Visit) -> Response:
    """Ask before an instrument is ended."""
    return await _instrument_page(visit, "instrument_revoke.html")


async def revoke_instrument(visit: Visit) -> Response:
    """End an instrument for good."""
    key = visit.request.path_params["instrument"]
    await visit.desk.agreements.revoke_instrument(
        visit.signed_in, visit.form.request_id, key, visit.form.text("note")
    )
    return visit.go(f"/officer/instruments/{key}", "instrument_revoked")


async def revocations(visit: Visit) -> Response:
    """Show the notices to recipients: what needs somebody first."""
    asked = visit.request.query_params.get("show", "")
    show = asked if asked in _SHOWN else "all"
    found = await visit.desk.agreements.revocations(visit.signed_in, _SHOWN[show])
    words, _ = await _words(visit)
    return visit.page("revocations.html", found=found, show=show, choices=_SHOWN, words=words)


async def revocation(visit: Visit) -> Response:
    """Show one notice and what can be done about it."""
    return await _revocation_page(visit, [])


async def retry(visit: Visit) -> Response:
    """Have a notice sent anew."""
    key = visit.request.path_params["revocation"]
    await visit.desk.agreements.retry(visit.signed_in, visit.form.request_id, key)
    return visit.go(f"/officer/revocations/{key}", "notice_retried")


async def acknowledge(visit: Visit) -> Response:
    """Note that a recipient acknowledged in another way."""
    key = visit.request.path_params["revocation"]
    note = visit.form.text("note")
    if not note:
        return await _revocation_page(visit, [("note", "wrong.note")])
    await visit.desk.agreements.acknowledge(visit.signed_in, visit.form.request_id, key, note)
    return visit.go(f"/officer/revocations/{key}", "notice_acknowledged")


async def endpoint_page(visit: Visit) -> Response:
    """Show where a recipient takes notices."""
    return await _endpoint_page(visit, [])


async def set_endpoint(visit: Visit) -> Response:
    """Set where a recipient takes notices, or take it back."""
    key = visit.request.path_params["recipient"]
    try:
        await visit.desk.agreements.set_endpoint(
            visit.signed_in, visit.form.request_id, key, visit.form.text("url")
        )
    except Fault as fault:
        return await _endpoint_page(visit, wrong_fields(fault, {"url": "url"}))
    return visit.go(f"/officer/recipients/{key}/endpoint", "endpoint_set")


async def _words(visit: Visit) -> tuple[StaffWords, ContractDesk]:
    found = await contract_desk(visit.desk.choices, visit.desk.contracts, visit.signed_in)
    return StaffWords(visit.t, found.vocabulary, found.recipients), found


async def _instrument_page(visit: Visit, template: str) -> Response:
    found: Instrument = await visit.desk.agreements.instrument(
        visit.signed_in, visit.request.path_params["instrument"]
    )
    if template != "instrument.html" and found.state is InstrumentState.REVOKED:
        raise HTTPException(404)
    words, _ = await _words(visit)
    return visit.page(template, instrument=found, words=words)


async def _paper_page(visit: Visit, wrong: Wrong) -> Response:
    words, found = await _words(visit)
    return visit.page(
        "instrument_new.html",
        status=400 if wrong else 200,
        wrong=wrong,
        kinds=InstrumentKind,
        vocabulary=found.vocabulary,
        words=words,
        countries=visit.t.countries(),
    )


async def _revocation_page(visit: Visit, wrong: Wrong) -> Response:
    found = await visit.desk.agreements.revocation(
        visit.signed_in, visit.request.path_params["revocation"]
    )
    words, _ = await _words(visit)
    return visit.page(
        "revocation.html",
        status=400 if wrong else 200,
        wrong=wrong,
        notice=found,
        contract=last_part(found.contract),
        words=words,
    )


async def _endpoint_page(visit: Visit, wrong: Wrong) -> Response:
    key = visit.request.path_params["recipient"]
    url = await visit.desk.agreements.endpoint(visit.signed_in, key)
    words, _ = await _words(visit)
    return visit.page(
        "endpoint.html",
        status=400 if wrong else 200,
        wrong=wrong,
        recipient=f"recipients/{key}",
        key=key,
        url=visit.form.text("url") if wrong else url,
        words=words,
    )


def _read_paper(form: Form) -> tuple[Paper | None, Wrong]:
    """Read what a paper says; without it, what is wrong with which field, in the form's order."""
    wrong: dict[str, None] = {}

    def day(name: str, *, needed: bool = True) -> date | None:
        try:
            found = form.day(name)
        except ValueError:
            found, needed = None, True
        if found is None and needed:
            wrong[name] = None
        return found

    try:
        kind = InstrumentKind(form.text("kind"))
    except ValueError:
        kind = InstrumentKind.COURT_ORDER
        wrong["kind"] = None
    if not form.text("issuer"):
        wrong["issuer"] = None
    wrong.update(dict.fromkeys(name for name in _NEEDED if not form.text(name)))
    if not form.many("categories"):
        wrong["categories"] = None
    on, expires = day("on"), day("expires")
    secret = day("secret_until", needed=False)
    digest, location = form.text("document_sha256").lower(), form.text("document_location")
    if not _SHA256.fullmatch(digest) or not location:
        wrong["document"] = None
    if wrong or on is None or expires is None:
        return None, [(name, f"wrong.{name}") for name in wrong]
    account = form.text("account")
    return Paper(
        kind=kind,
        issuer=form.text("issuer"),
        authority=form.text("authority"),
        reference=form.text("reference"),
        account=account if account.startswith("accounts/") else f"accounts/{account}",
        categories=form.many("categories"),
        on=on,
        expires=expires,
        secret_until=secret,
        document=Document(digest, location),
    ), []
