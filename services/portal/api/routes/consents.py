"""What a person is asked to agree to, what they said, and the receipts of it."""

import asyncio

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from runtime.fault import Fault
from services.portal.api.desk import Desk
from services.portal.api.visit import Handler, Visit, endpoint
from services.portal.api.words import Words
from services.portal.api.wrong import Wrong, wrong_fields
from services.portal.domain.consents import Saying, Scope
from services.portal.domain.offers import NOTICE, Offer, find_offer
from services.portal.domain.person import Role

_FIELDS = {
    "categories": "categories",
    "recipient": "recipient",
    "expire_time": "expires",
    "indication.name": "guardian",
}


def routes(desk: Desk) -> list[Route]:
    """Return the routes of consents."""

    def post(path: str, handler: Handler) -> Route:
        return Route(path, endpoint(desk, handler, Role.PERSON), methods=["POST"])

    return [
        Route("/sharing/offers/{offer}", endpoint(desk, show_offer, Role.PERSON)),
        post("/sharing/offers/{offer}", answer_offer),
        Route("/sharing/consents/{consent}", endpoint(desk, one, Role.PERSON)),
        Route("/sharing/consents/{consent}/receipt", endpoint(desk, receipt, Role.PERSON)),
        post("/sharing/consents/{consent}/answer", answer),
        post("/sharing/consents/{consent}/withdraw", withdraw),
        Route("/receipt-keys.json", endpoint(desk, receipt_keys)),
    ]


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
    consents, saying = visit.desk.consents, _saying(visit)
    try:
        if said_yes:
            await consents.give(visit.signed_in, form.request_id, scope, saying, expires)
        else:
            await consents.refuse(visit.signed_in, form.request_id, scope, saying)
    except Fault as fault:
        if fault.reason == "GUARDIAN_REQUIRED":
            return await _offer_page(visit, [("guardian", "wrong.guardian")])
        return await _offer_page(visit, wrong_fields(fault, _FIELDS))
    return visit.go("/sharing", "consented" if said_yes else "refused")


async def one(visit: Visit) -> Response:
    """Show one consent with its history and its receipt."""
    return await _consent_page(visit, [])


async def receipt(visit: Visit) -> Response:
    """Hand the receipt of a consent to its person, as a file."""
    file = await visit.desk.consents.receipt(visit.signed_in, visit.request.path_params["consent"])
    return Response(
        file.content,
        media_type="application/json",
        headers={"content-disposition": f'attachment; filename="{file.file_name}"'},
    )


async def answer(visit: Visit) -> Response:
    """Answer a question that a service asked: yes, no, or not now."""
    person, form = visit.signed_in, visit.form
    key, consents = visit.request.path_params["consent"], visit.desk.consents
    match form.text("answer"):
        case "yes":
            try:
                await consents.give(person, form.request_id, key, _saying(visit), None)
            except Fault as fault:
                if fault.reason != "GUARDIAN_REQUIRED":
                    raise
                return await _consent_page(visit, [("guardian", "wrong.guardian")])
            return visit.go("/sharing", "consented")
        case "no":
            await consents.refuse(person, form.request_id, key, _saying(visit))
            return visit.go("/sharing", "refused")
        case "later":
            await consents.defer(person, form.request_id, key)
            return visit.go("/sharing", "deferred")
        case _:
            raise HTTPException(400)


async def withdraw(visit: Visit) -> Response:
    """Withdraw a consent, with one click."""
    await visit.desk.consents.withdraw(
        visit.signed_in, visit.form.request_id, visit.request.path_params["consent"]
    )
    return visit.go("/sharing", "withdrawn")


async def receipt_keys(visit: Visit) -> Response:
    """Show anyone the keys that verify receipts, the public halves alone."""
    return Response(await visit.desk.consents.receipt_keys(), media_type="application/jwk-set+json")


def _saying(visit: Visit) -> Saying:
    return Saying(NOTICE, visit.t.language, visit.form.text("guardian"))


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


async def _consent_page(visit: Visit, wrong: Wrong) -> Response:
    person, desk = visit.signed_in, visit.desk
    (consent, life), vocabulary, recipients = await asyncio.gather(
        desk.consents.life(person, visit.request.path_params["consent"]),
        desk.choices.vocabulary(person),
        desk.choices.recipients(person),
    )
    return visit.page(
        "consent.html",
        status=400 if wrong else 200,
        wrong=wrong,
        consent=consent,
        life=life,
        words=Words(visit.t, vocabulary, {each.name: each for each in recipients}),
    )
