"""Enrolment of staff: an invitation is opened, its person signs in, and takes on the role."""

from starlette.responses import Response
from starlette.routing import Route

from runtime.fault import Fault
from services.portal.api.desk import Desk
from services.portal.api.visit import Visit, endpoint
from services.portal.domain.person import Role


def routes(desk: Desk) -> list[Route]:
    """Return the routes of enrolment."""
    return [
        Route("/staff/enrol/{secret}", endpoint(desk, invitation)),
        Route("/staff/enrol/{secret}", endpoint(desk, accept, Role.PERSON), methods=["POST"]),
    ]


async def invitation(visit: Visit) -> Response:
    """Show an invitation; without a session, only after signing in."""
    if visit.person is None:
        await visit.desk.staff.invitation(_secret(visit))
        return visit.sign_in_first()
    return visit.page("enrol.html", invitation=await visit.desk.staff.invitation(_secret(visit)))


async def accept(visit: Visit) -> Response:
    """Bind the role to the account that is signed in."""
    await visit.desk.staff.accept(visit.signed_in, _secret(visit))
    return visit.go("/", "enrolled")


def _secret(visit: Visit) -> str:
    secret = str(visit.request.path_params["secret"])
    if len(secret) > 128 or not secret.isascii():  # noqa: PLR2004  no secret of ours is so long
        raise Fault("INVITATION_UNKNOWN", "no invitation has that secret")
    return secret
