"""Why staff read about people: asked once a session, before the first reading."""

from collections.abc import Awaitable, Callable

from starlette.responses import Response
from starlette.routing import Route

from services.portal.api import cookies
from services.portal.api.desk import Desk
from services.portal.api.visit import Handler, Visit, endpoint
from services.portal.domain.paths import local_path
from services.portal.domain.person import Role
from services.portal.domain.stated import is_purpose

_STATE = "/audit/purpose"
_READINGS = ("/audit/", "/decisions/")

Page = Callable[[Visit, str], Awaitable[Response]]


def routes(desk: Desk) -> list[Route]:
    """Return the routes of stating a purpose."""
    readers = (Role.AUDITOR, Role.OFFICER)
    return [
        Route(_STATE, endpoint(desk, ask_purpose, *readers)),
        Route(_STATE, endpoint(desk, state_purpose, *readers), methods=["POST"]),
    ]


def for_a_purpose(page: Page) -> Handler:
    """Show a page to whoever has stated a purpose, and ask others for it first."""

    async def show(visit: Visit) -> Response:
        purpose = _stated(visit)
        if purpose:
            return await page(visit, purpose)
        response = visit.go(_STATE)
        if visit.request.method != "POST":  # what was posted is typed again
            here = local_path(visit.request.url.path)
            cookies.put(response, cookies.NEXT, here, cookies.FLOW_SECONDS)
        return response

    return show


async def ask_purpose(visit: Visit) -> Response:
    """Ask for what one reads."""
    return visit.page("purpose.html", purpose=_stated(visit))


async def state_purpose(visit: Visit) -> Response:
    """Keep the purpose for this session, and go where the reader was going."""
    purpose = visit.form.text("purpose")
    if not is_purpose(purpose):
        wrong = [("purpose", "wrong.stated")]
        return visit.page("purpose.html", status=400, wrong=wrong, purpose=purpose)
    wanted = local_path(visit.request.cookies.get(cookies.NEXT, ""))
    start = "/audit" if visit.signed_in.may(Role.AUDITOR) else "/officer/explore"
    response = visit.go(wanted if wanted.startswith(_READINGS) else start)
    session = cookies.read_secret(visit.request, cookies.SESSION)
    cookies.put(response, cookies.PURPOSE, visit.desk.stated.seal(purpose, session), None)
    cookies.drop(response, cookies.NEXT)
    return response


def _stated(visit: Visit) -> str:
    """Return the purpose that this session has stated, or ""."""
    cookie = cookies.read_secret(visit.request, cookies.PURPOSE)
    session = cookies.read_secret(visit.request, cookies.SESSION)
    return visit.desk.stated.read(cookie, session) if cookie else ""
