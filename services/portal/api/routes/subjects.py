"""The officers' pages of whose data a recipient has, and of ending a consent in its person's place.

Accounts and consents are posted: they stand in no address. So are page tokens, which hold one.
"""

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from runtime.fault import Fault
from services.portal.api.desk import Desk
from services.portal.api.visit import Handler, Visit, endpoint
from services.portal.api.words import StaffWords
from services.portal.api.wrong import Wrong, wrong_fields
from services.portal.cases.recipient_people import recipient_people
from services.portal.domain.person import Role
from services.portal.domain.sharing import last_part
from services.portal.domain.subjects import Ending, Wanted, may_end


def routes(desk: Desk) -> list[Route]:
    """Return the routes of whose data a recipient has."""

    def page(path: str, handler: Handler, method: str = "GET") -> Route:
        return Route(path, endpoint(desk, handler, Role.OFFICER), methods=[method])

    return [
        page("/officer/recipients/{recipient}/people", people),
        page("/officer/recipients/{recipient}/people", people, "POST"),
        page("/officer/recipients/{recipient}/people/{ending}", ask, "POST"),
        page("/officer/recipients/{recipient}/people/{ending}/confirm", end, "POST"),
    ]


async def people(visit: Visit) -> Response:
    """Show a page of people: the first, or the one that was posted for."""
    asked = visit.form.text("show") or visit.request.query_params.get("show", "")
    wanted = Wanted(asked) if asked in set(Wanted) else Wanted.ALL
    found = await recipient_people(
        visit.desk.choices,
        visit.desk.subjects,
        visit.signed_in,
        visit.request.path_params["recipient"],
        wanted,
        visit.form.text("after"),
    )
    return visit.page(
        "people.html",
        found=found,
        wanted=wanted,
        choices=Wanted,
        later=bool(visit.form.text("after")),
        words=StaffWords(visit.t, found.vocabulary),
    )


async def ask(visit: Visit) -> Response:
    """Ask why, before a consent ends."""
    return _asked(visit, [])


async def end(visit: Visit) -> Response:
    """End the consent, with the reason."""
    ending, consent = _named(visit)
    note = visit.form.text("note")
    if not note:
        return _asked(visit, [("note", "wrong.why")])
    try:
        await visit.desk.subjects.end_consent(
            visit.signed_in, visit.form.request_id, consent, ending, note
        )
    except Fault as fault:
        if fault.reason == "WRONG_STATE":
            return _asked(visit, [("note", "wrong.consent_ended")])
        return _asked(visit, [(field, "wrong.why") for field, _ in wrong_fields(fault, _FIELDS)])
    path = visit.request.url.path.removesuffix(f"/{ending.value}/confirm")
    return visit.go(path, f"consent_{ending.value}")


_FIELDS = {"note": "note"}


def _named(visit: Visit) -> tuple[Ending, str]:
    """Return what was asked for; 404 and 400 for what no page of ours asks."""
    ending, consent = visit.request.path_params["ending"], visit.form.text("consent")
    if ending not in set(Ending):
        raise HTTPException(404)
    if not may_end(consent):
        raise HTTPException(400)
    return Ending(ending), consent


def _asked(visit: Visit, wrong: Wrong) -> Response:
    ending, consent = _named(visit)
    return visit.page(
        "consent_end.html",
        status=400 if wrong else 200,
        wrong=wrong,
        ending=ending.value,
        consent=consent,
        account=consent.partition("/consents/")[0],
        consent_key=last_part(consent),
        people=f"/officer/recipients/{visit.request.path_params['recipient']}/people",
    )
