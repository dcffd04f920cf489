"""What a person agrees to, and what they stop."""

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from runtime.fault import Fault
from services.portal.api.desk import Desk
from services.portal.api.visit import Handler, Visit, endpoint
from services.portal.api.words import Words
from services.portal.api.wrong import Wrong, wrong_fields
from services.portal.cases.sharing_desk import sharing_desk
from services.portal.domain.offers import NOTICE, Offer, find_offer
from services.portal.domain.person import Role
from services.portal.domain.sharing import Choice, Scope

_FIELDS = {
    "categories": "categories",
    "recipient": "recipient",
    "expire_time": "expires",
    "purpose": "purpose",
}


def routes(desk: Desk) -> list[Route]:
    """Return the routes of consents and standing choices."""

    def post(path: str, handler: Handler) -> Route:
        return Route(path, endpoint(desk, handler, Role.PERSON), methods=["POST"])

    return [
        Route("/sharing", endpoint(desk, overview, Role.PERSON)),
        Route("/sharing/offers/{offer}", endpoint(desk, show_offer, Role.PERSON)),
        post("/sharing/offers/{offer}", answer_offer),
        post("/sharing/consents/{consent}/withdraw", withdraw),
        post("/sharing/opt-outs/{choice}", opt_out),
        post("/sharing/objections", object_to),
        post("/sharing/stops", stop),
        post("/sharing/notices", accept_notice),
        post("/sharing/preferences/{preference}/lift", lift),
    ]


async def overview(visit: Visit) -> Response:
    """Show consents and choices, the standing ones first."""
    desk = visit.desk
    found = await sharing_desk(desk.choices, desk.accounts, visit.signed_in, desk.clock.now())
    return visit.page(
        "sharing.html", found=found, words=Words(visit.t, found.vocabulary, found.recipients)
    )


async def show_offer(visit: Visit) -> Response:
    """Ask one question of consent."""
    return await _offer_page(visit, [])


async def answer_offer(visit: Visit) -> Response:
    """Record a yes to what was ticked, or a no."""
    offer, form = _offer(visit), visit.form
    categories = [each for each in offer.categories if each in form.many("categories")]
    said_yes = form.text("answer") == "yes"
    wrong: Wrong = []
    if said_yes and not categories:
        wrong.append(("categories", "wrong.categories"))
    expires = None
    try:
        # A consent counts through the end of the day that was named (house rule on dates).
        expires = form.end_of_day("expires")
    except ValueError:
        wrong.append(("expires", "wrong.expires"))
    if wrong:
        return await _offer_page(visit, wrong)
    scope = Scope(
        service=offer.service,
        purposes=[offer.purpose],
        categories=categories if said_yes else offer.categories,
        recipient=form.text("recipient") or offer.kind,
    )
    choices, language = visit.desk.choices, visit.t.language
    try:
        if said_yes:
            await choices.consent(
                visit.signed_in,
                form.request_id,
                scope,
                notice=NOTICE,
                language=language,
                expires=expires,
            )
        else:
            await choices.refuse(
                visit.signed_in, form.request_id, scope, notice=NOTICE, language=language
            )
    except Fault as fault:
        return await _offer_page(visit, wrong_fields(fault, _FIELDS))
    return visit.go("/sharing", "consented" if said_yes else "refused")


async def withdraw(visit: Visit) -> Response:
    """Withdraw a consent, with one click."""
    await visit.desk.choices.withdraw(
        visit.signed_in, visit.form.request_id, visit.request.path_params["consent"]
    )
    return visit.go("/sharing", "withdrawn")


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


async def lift(visit: Visit) -> Response:
    """Lift a standing choice."""
    await visit.desk.choices.lift(
        visit.signed_in, visit.form.request_id, visit.request.path_params["preference"]
    )
    return visit.go("/sharing", "lifted")


async def accept_notice(visit: Visit) -> Response:
    """Accept the notice that was shown."""
    await visit.desk.choices.accept_notice(
        visit.signed_in, visit.form.request_id, visit.form.text("notice")
    )
    return visit.go("/sharing", "accepted_notice")


def _offer(visit: Visit) -> Offer:
    offer = find_offer(visit.request.path_params["offer"])
    if offer is None:
        raise HTTPException(404)
    return offer


async def _offer_page(visit: Visit, wrong: Wrong) -> Response:
    offer = _offer(visit)
    choices = visit.desk.choices
    vocabulary = await choices.vocabulary(visit.signed_in)
    recipients = await choices.recipients(visit.signed_in, offer.kind)
    return visit.page(
        "offer.html",
        status=400 if wrong else 200,
        wrong=wrong,
        offer=offer,
        recipients=recipients,
        words=Words(visit.t, vocabulary, {each.name: each for each in recipients}),
        chosen=visit.form.many("categories"),
    )
