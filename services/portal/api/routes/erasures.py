"""The officers' pages of erasures and legal holds."""

from starlette.responses import Response
from starlette.routing import Route

from runtime.fault import Fault
from services.portal.api.desk import Desk
from services.portal.api.visit import Handler, Visit, endpoint
from services.portal.api.wrong import Wrong, wrong_fields
from services.portal.domain.erasures import ErasureState, Ground, HoldKind
from services.portal.domain.person import Role

_FIELDS = {"account": "account", "ground": "ground", "kind": "kind", "reference": "reference"}
_UNKNOWN = frozenset({"NOT_FOUND", "WRONG_REGION"})


def routes(desk: Desk) -> list[Route]:
    """Return the routes of erasures and holds."""

    def page(path: str, handler: Handler, method: str = "GET") -> Route:
        return Route(path, endpoint(desk, handler, Role.OFFICER), methods=[method])

    return [
        page("/officer/erasures", erasures),
        page("/officer/erasures/new", new_erasure),
        page("/officer/erasures/new", ask, "POST"),
        page("/officer/erasures/{erasure}", erasure),
        page("/officer/erasures/{erasure}/confirm", ask_confirm),
        page("/officer/erasures/{erasure}/confirm", confirm, "POST"),
        page("/officer/erasures/{erasure}/cancel", cancel, "POST"),
        page("/officer/holds/new", new_hold),
        page("/officer/holds/new", place_hold, "POST"),
        page("/officer/holds/{hold}/lift", lift_hold, "POST"),
    ]


async def erasures(visit: Visit) -> Response:
    """Show erasures and holds, newest first."""
    found = await visit.desk.erasures.erasures(visit.signed_in)
    holds = await visit.desk.erasures.holds(visit.signed_in)
    return visit.page("erasures.html", found=found, holds=holds)


async def new_erasure(visit: Visit) -> Response:
    """Show the form that asks for an erasure."""
    return _erasure_form(visit, [])


async def ask(visit: Visit) -> Response:
    """Ask to erase a person; a second officer confirms it."""
    form = visit.form
    wrong: Wrong = [] if form.text("account") else [("account", "wrong.account")]
    if form.text("ground") not in set(Ground):
        wrong.append(("ground", "wrong.ground"))
    if wrong:
        return _erasure_form(visit, wrong)
    try:
        key = await visit.desk.erasures.ask(
            visit.signed_in, form.request_id, form.text("account"), Ground(form.text("ground"))
        )
    except Fault as fault:
        if fault.reason in _UNKNOWN:
            return _erasure_form(visit, [("account", "wrong.account_unknown")])
        return _erasure_form(visit, wrong_fields(fault, _FIELDS))
    return visit.go(f"/officer/erasures/{key}", "erasure_asked")


async def erasure(visit: Visit) -> Response:
    """Show one erasure, and what is left until it is complete."""
    return await _erasure_page(visit, "erasure.html")


async def ask_confirm(visit: Visit) -> Response:
    """Ask before what nobody can undo."""
    return await _erasure_page(visit, "erasure_confirm.html")


async def confirm(visit: Visit) -> Response:
    """Destroy the keys, as the second officer."""
    key = visit.request.path_params["erasure"]
    await visit.desk.erasures.confirm(visit.signed_in, visit.form.request_id, key)
    return visit.go(f"/officer/erasures/{key}", "erasure_done")


async def cancel(visit: Visit) -> Response:
    """Call an erasure off."""
    key = visit.request.path_params["erasure"]
    await visit.desk.erasures.cancel(visit.signed_in, visit.form.request_id, key)
    return visit.go(f"/officer/erasures/{key}", "erasure_cancelled")


async def new_hold(visit: Visit) -> Response:
    """Show the form that places a hold."""
    return _hold_form(visit, [])


async def place_hold(visit: Visit) -> Response:
    """Keep a person from erasure."""
    form = visit.form
    wrong: Wrong = [
        (name, f"wrong.{name}") for name in ("account", "reference") if not form.text(name)
    ]
    if form.text("kind") not in set(HoldKind):
        wrong.append(("kind", "wrong.hold_kind"))
    if wrong:
        return _hold_form(visit, wrong)
    try:
        await visit.desk.erasures.place_hold(
            visit.signed_in,
            form.request_id,
            form.text("account"),
            HoldKind(form.text("kind")),
            form.text("reference"),
        )
    except Fault as fault:
        if fault.reason in _UNKNOWN:
            return _hold_form(visit, [("account", "wrong.account_unknown")])
        refused = dict(wrong_fields(fault, _FIELDS))
        if "reference" in refused:
            refused["reference"] = "wrong.hold_reference"
        return _hold_form(visit, list(refused.items()))
    return visit.go("/officer/erasures", "hold_placed")


async def lift_hold(visit: Visit) -> Response:
    """Ask to lift a hold, or lift it as the second officer."""
    key = visit.request.path_params["hold"]
    await visit.desk.erasures.lift_hold(visit.signed_in, visit.form.request_id, key)
    return visit.go("/officer/erasures", "hold_step")


async def _erasure_page(visit: Visit, template: str) -> Response:
    found = await visit.desk.erasures.erasure(visit.signed_in, visit.request.path_params["erasure"])
    if template != "erasure.html" and found.state is not ErasureState.ASKED:
        return visit.go(f"/officer/erasures/{found.key}", "")
    return visit.page(template, erasure=found)


def _erasure_form(visit: Visit, wrong: Wrong) -> Response:
    return visit.page("erasure_new.html", wrong=wrong, grounds=Ground)


def _hold_form(visit: Visit, wrong: Wrong) -> Response:
    return visit.page("hold_new.html", wrong=wrong, kinds=HoldKind)
