"""What a person agreed to and what they stopped, on one page; their standing choices."""

import asyncio

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from services.portal.api.desk import Desk
from services.portal.api.visit import Handler, Visit, endpoint
from services.portal.api.words import Words
from services.portal.cases.sharing_desk import sharing_desk
from services.portal.domain.person import Role
from services.portal.domain.sharing import Choice


def routes(desk: Desk) -> list[Route]:
    """Return the routes of the sharing page and of standing choices."""

    def post(path: str, handler: Handler) -> Route:
        return Route(path, endpoint(desk, handler, Role.PERSON), methods=["POST"])

    return [
        Route("/sharing", endpoint(desk, overview, Role.PERSON)),
        post("/sharing/opt-outs/{choice}", opt_out),
        post("/sharing/objections", object_to),
        post("/sharing/stops", stop),
        post("/sharing/restriction", restrict),
        Route("/sharing/notices", endpoint(desk, review_notices, Role.PERSON), methods=["GET"]),
        post("/sharing/notices", accept_notice),
        post("/sharing/preferences/{preference}/lift", lift),
    ]


async def overview(visit: Visit) -> Response:
    """Show consents and choices, the standing ones first."""
    desk = visit.desk
    found = await sharing_desk(desk.consents, desk.choices, desk.accounts, visit.signed_in)
    return visit.page(
        "sharing.html", found=found, words=Words(visit.t, found.vocabulary, found.recipients)
    )


async def opt_out(visit: Visit) -> Response:
    """Opt out of marketing or personalisation."""
    try:
        choice = Choice(visit.request.path_params["choice"])
    except ValueError:
        raise HTTPException(404) from None
    await visit.desk.choices.opt_out(visit.signed_in, visit.form.request_id, choice)
    return visit.go("/sharing", "opted_out")


async def object_to(visit: Visit) -> Response:
    """Object to a purpose."""
    await visit.desk.choices.object_to(
        visit.signed_in, visit.form.request_id, visit.form.text("purpose")
    )
    return visit.go("/sharing", "objected")


async def stop(visit: Visit) -> Response:
    """Stop sharing with a recipient or a kind of recipients."""
    await visit.desk.choices.stop_sharing(
        visit.signed_in, visit.form.request_id, visit.form.text("recipient")
    )
    return visit.go("/sharing", "stopped")


async def restrict(visit: Visit) -> Response:
    """Restrict the use of the person's data."""
    await visit.desk.choices.restrict(visit.signed_in, visit.form.request_id)
    return visit.go("/sharing", "restricted")


async def lift(visit: Visit) -> Response:
    """Lift a standing choice."""
    await visit.desk.choices.lift(
        visit.signed_in, visit.form.request_id, visit.request.path_params["preference"]
    )
    return visit.go("/sharing", "lifted")


async def review_notices(visit: Visit) -> Response:
    """Show what is new in the notices since the versions that were accepted."""
    choices = visit.desk.choices
    vocabulary, changes = await asyncio.gather(
        choices.vocabulary(visit.signed_in), choices.notice_changes(visit.signed_in)
    )
    return visit.page("notices.html", changes=changes, words=Words(visit.t, vocabulary))


async def accept_notice(visit: Visit) -> Response:
    """Accept the notice that was shown."""
    await visit.desk.choices.accept_notice(
        visit.signed_in, visit.form.request_id, visit.form.text("notice")
    )
    return visit.go("/sharing", "accepted_notice")
