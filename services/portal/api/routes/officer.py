"""The officers' desk: recipients, and contracts from draft to their end."""

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from runtime.fault import Fault
from services.portal.api.desk import Desk
from services.portal.api.terms import TermsField, read_terms
from services.portal.api.visit import Handler, Visit, endpoint
from services.portal.api.words import StaffWords
from services.portal.api.wrong import Wrong, wrong_fields
from services.portal.cases.contract_desk import ContractDesk, contract_desk, one_contract
from services.portal.domain.person import Role
from services.portal.domain.sharing import Contract, Terms
from services.portal.domain.timeline import timeline

_STEPS = frozenset({"submit", "activate", "resume", "suspend", "terminate"})
_ASKED_FIRST = frozenset({"suspend", "terminate"})
_RECIPIENT_FIELDS = {
    "recipient_id": "key",
    "display_name": "display_name",
    "kind": "kind",
    "jurisdiction": "country",
}
_TERMS_FIELDS = {
    "recipient": "recipient",
    "purposes": "purposes",
    "categories": "categories",
    "origins": "origins",
    "destinations": "destinations",
    "safeguards": "safeguards",
    "due_diligence": "due_diligence",
    "effective_date": "effective",
    "expire_date": "expires",
    "subprocessors": "subprocessors",
    "subprocessor_chain": "chain",
    "safeguard_details": "safeguards",
    "obligations": "obligations",
    "document": "document",
}


def routes(desk: Desk) -> list[Route]:
    """Return the routes of the officers' desk."""

    def page(path: str, handler: Handler, method: str = "GET") -> Route:
        return Route(path, endpoint(desk, handler, Role.OFFICER), methods=[method])

    return [
        page("/officer/recipients", recipients),
        page("/officer/recipients", create_recipient, "POST"),
        page("/officer/contracts", contracts),
        page("/officer/contracts/new", new_contract),
        page("/officer/contracts/new", create_contract, "POST"),
        page("/officer/contracts/{contract}", contract),
        page("/officer/contracts/{contract}/amend", new_version),
        page("/officer/contracts/{contract}/amend", amend_contract, "POST"),
        page("/officer/contracts/{contract}/{step}", ask_first),
        page("/officer/contracts/{contract}/{step}", take_step, "POST"),
    ]


async def recipients(visit: Visit) -> Response:
    """Show the recipients, and the form for another."""
    return await _recipients_page(visit, [])


async def create_recipient(visit: Visit) -> Response:
    """Register a recipient."""
    form = visit.form
    wrong: Wrong = [
        (name, f"wrong.{name}")
        for name in ("display_name", "key", "kind", "country")
        if not form.text(name)
    ]
    if wrong:
        return await _recipients_page(visit, wrong)
    try:
        await visit.desk.contracts.create_recipient(
            visit.signed_in,
            form.request_id,
            form.text("key"),
            name=form.text("display_name"),
            kind=form.text("kind"),
            country=form.text("country"),
        )
    except Fault as fault:
        if fault.reason == "ALREADY_EXISTS":
            return await _recipients_page(visit, [("key", "wrong.key_taken")])
        return await _recipients_page(visit, wrong_fields(fault, _RECIPIENT_FIELDS))
    return visit.go("/officer/recipients", "registered_recipient")


async def contracts(visit: Visit) -> Response:
    """Show the contracts, newest first."""
    found = await _desk(visit)
    drawn = timeline(found.contracts, visit.desk.clock.now().date())
    return visit.page("contracts.html", found=found, drawn=drawn, words=_words(visit, found))


async def contract(visit: Visit) -> Response:
    """Show one contract with its terms, its history and its next steps."""
    return await _contract_page(visit, "contract.html")


async def new_contract(visit: Visit) -> Response:
    """Show the form for a contract."""
    return await _terms_page(visit, None, [])


async def create_contract(visit: Visit) -> Response:
    """Record a contract as a draft."""
    terms, wrong = read_terms(visit.form)
    if not visit.form.text("recipient"):
        wrong.insert(0, ("recipient", "wrong.recipient"))
    if wrong or terms is None:
        return await _terms_page(visit, None, wrong)
    try:
        made = await visit.desk.contracts.create_contract(
            visit.signed_in, visit.form.request_id, visit.form.text("recipient"), terms
        )
    except Fault as fault:
        return await _terms_page(visit, None, wrong_fields(fault, _TERMS_FIELDS))
    return visit.go(f"/officer/contracts/{made.key}", "drafted")


async def new_version(visit: Visit) -> Response:
    """Show the form with the terms in force, to be changed."""
    return await _terms_page(visit, await _one(visit), [])


async def amend_contract(visit: Visit) -> Response:
    """Record new terms as a new draft version."""
    old = await _one(visit)
    terms, wrong = read_terms(visit.form)
    if wrong or terms is None:
        return await _terms_page(visit, old, wrong)
    try:
        made = await visit.desk.contracts.amend_contract(
            visit.signed_in,
            visit.form.request_id,
            old.key,
            version=_version(visit),
            terms=terms,
        )
    except Fault as fault:
        return await _terms_page(visit, old, wrong_fields(fault, _TERMS_FIELDS))
    return visit.go(f"/officer/contracts/{made.key}", "drafted")


async def ask_first(visit: Visit) -> Response:
    """Ask before a step that stops sharing."""
    step = visit.request.path_params["step"]
    if step not in _ASKED_FIRST:
        raise HTTPException(404)
    return await _contract_page(visit, "contract_step.html", step=step)


async def take_step(visit: Visit) -> Response:
    """Submit, activate, suspend or terminate."""
    key, step = visit.request.path_params["contract"], visit.request.path_params["step"]
    if step not in _STEPS:
        raise HTTPException(404)
    await visit.desk.contracts.step(
        visit.signed_in,
        visit.form.request_id,
        key,
        step=step,
        version=_version(visit),
        note=visit.form.text("note"),
    )
    return visit.go(f"/officer/contracts/{key}", f"step_{step}")


def _version(visit: Visit) -> int:
    """Return the version that the officer had before their eyes."""
    text = visit.form.text("version")
    if not text.isdecimal() or len(text) > 9:  # noqa: PLR2004  an int32 holds nine digits whole
        raise HTTPException(400)
    return int(text)


async def _desk(visit: Visit) -> ContractDesk:
    return await contract_desk(visit.desk.choices, visit.desk.contracts, visit.signed_in)


async def _one(visit: Visit) -> Contract:
    return await visit.desk.contracts.contract(
        visit.signed_in, visit.request.path_params["contract"]
    )


def _words(visit: Visit, found: ContractDesk) -> StaffWords:
    return StaffWords(visit.t, found.vocabulary, found.recipients)


async def _recipients_page(visit: Visit, wrong: Wrong) -> Response:
    found = await _desk(visit)
    return visit.page(
        "recipients.html",
        status=400 if wrong else 200,
        wrong=wrong,
        found=found,
        words=_words(visit, found),
        countries=visit.t.countries(),
    )


async def _contract_page(visit: Visit, template: str, step: str = "") -> Response:
    found = await one_contract(
        visit.desk.choices,
        visit.desk.contracts,
        visit.signed_in,
        visit.request.path_params["contract"],
    )
    return visit.page(
        template,
        contract=found.contracts[0],
        drawn=timeline(found.contracts, visit.desk.clock.now().date()),
        words=_words(visit, found),
        step=step,
    )


async def _terms_page(visit: Visit, old: Contract | None, wrong: Wrong) -> Response:
    """Show the form of terms: as posted when it came back, else as they stand, else empty."""
    found = await _desk(visit)
    terms: Terms | None = old.terms if old and visit.request.method == "GET" else None
    return visit.page(
        "terms.html",
        status=400 if wrong else 200,
        wrong=wrong,
        old=old,
        found=found,
        words=_words(visit, found),
        field=TermsField(visit.form, terms),
    )
