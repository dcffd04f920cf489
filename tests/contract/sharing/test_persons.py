"""What people and guests say about their data: kept whole, counted at once, theirs alone."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from accord.audit.v1.append_service_pb2 import NewEntry
from accord.sharing.v1 import (
    consent_pb2,
    consent_service_pb2,
    decision_pb2,
    decision_service_pb2,
    key_service_pb2,
    preference_pb2,
    preference_service_pb2,
    rulebook_service_pb2,
)
from accord.sharing.v1.reason_pb2 import Reason
from accord_client import receipt
from accord_client.guests import Guests
from accord_client.jws import Keys
from sqlalchemy import create_engine, select

from runtime.errors import from_error
from services.sharing.store import tables
from tests.contract.sharing.conftest import Sharing, request_id, rows

if TYPE_CHECKING:
    from google.protobuf.message import Message

NOTICE: Any = {"notice": "mi-store@2025-05-20", "language": "en"}
ADS: Any = {
    "service": "mi_store",
    "purposes": ["direct_marketing"],
    "categories": ["contact.email"],
    "recipient": "service_provider.advertising",
}
MARKETING: Any = {
    "recipient": "recipients/ads",
    "purpose": "direct_marketing",
    "categories": ["contact.email"],
    "relation": "",
}
STATE = consent_pb2.ConsentState
GUEST = decision_pb2.Guest(jurisdiction="DE", session="Session_1")


async def ready(sharing: Sharing) -> None:
    """A person and a company that may advertise."""
    await sharing.know_person()
    ads = await sharing.register("ads", "service_provider.advertising")
    await sharing.in_force(ads, purposes=["direct_marketing"], categories=["contact"])


async def give(sharing: Sharing, **change: Any) -> Any:
    wanted: Any = {"request_id": request_id(), "scope": ADS} | NOTICE | change
    request = consent_service_pb2.GiveConsentRequest(**wanted)
    return (await sharing.by_person("consents", "GiveConsent", request)).consent


async def step(sharing: Sharing, name: str, verb: str) -> Any:
    request = getattr(consent_service_pb2, f"{verb}ConsentRequest")(
        request_id=request_id(), name=name
    )
    return (await sharing.by_person("consents", f"{verb}Consent", request)).consent


async def why(sharing: Sharing, **question: Any) -> list[str]:
    """The reasons of a decision made with the facts as they are now."""
    request = decision_service_pb2.CheckRequest(question=sharing.question(**question))
    request.freshness.fully_consistent.SetInParent()
    decision = (await sharing.app("decisions", "Check", request)).decision
    return [Reason.Name(found.reason).removeprefix("REASON_") for found in decision.reasons]


async def refused(call: Any) -> tuple[str, dict[str, str]]:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    fault = from_error(error.value, "sharing")
    return fault.reason, dict(fault.metadata)


def published(sharing: Sharing, account: str) -> set[str]:
    """What was done about an account or a guest by the events for the audit log."""
    engine = create_engine(sharing.url)
    with engine.connect() as connection:
        found = connection.scalars(select(tables.outbox.c.event)).all()
    engine.dispose()
    events = [NewEntry.FromString(event) for event in found]
    return {event.action for event in events if event.account == account}


async def test_the_life_of_a_consent_is_kept_whole(sharing: Sharing) -> None:
    await ready(sharing)
    clock = sharing.bench.clock
    soon = clock.now() + timedelta(days=10)
    name = (await give(sharing, expire_time=soon)).name
    assert await why(sharing, **MARKETING) == []
    clock.set(soon)
    assert await why(sharing, **MARKETING) == ["CONSENT_EXPIRED"]
    # What is over is not withdrawn: it stays expired, and no revision is added.
    assert (await step(sharing, name, "Withdraw")).state == STATE.CONSENT_STATE_EXPIRED
    by = {"indicator": "INDICATOR_REPRESENTATIVE", "name": "A. Daughter"}
    spoken: Any = {"method": "INDICATION_METHOD_SPOKEN_TO_STAFF"} | by
    renewed = await give(sharing, scope=None, name=name, language="zh-Hant", indication=spoken)
    assert renewed.state == STATE.CONSENT_STATE_RENEWED
    assert await why(sharing, **MARKETING) == []
    clock.advance(timedelta(days=1))
    await step(sharing, name, "Withdraw")
    assert await why(sharing, **MARKETING) == ["CONSENT_WITHDRAWN"]
    found = await sharing.by_person(
        "consents", "GetConsent", consent_service_pb2.GetConsentRequest(name=name)
    )
    assert [
        (each.revision, STATE.Name(each.consent.state), each.consent.language)
        for each in found.revisions
    ] == [
        (1, "CONSENT_STATE_GIVEN", "en"),
        (2, "CONSENT_STATE_RENEWED", "zh-Hant"),
        (3, "CONSENT_STATE_WITHDRAWN", "zh-Hant"),
    ]
    assert found.revisions[1].consent.indication.name == "A. Daughter"
    assert found.revisions[2].record_time.ToDatetime(tzinfo=clock.now().tzinfo) == clock.now()
    assert found.consent == found.revisions[-1].consent


async def test_a_question_is_asked_put_off_and_answered(sharing: Sharing) -> None:
    await ready(sharing)
    request = consent_service_pb2.RequestConsentRequest(
        request_id=request_id(), account=sharing.person, scope=ADS
    )
    asked = (await sharing.app("consents", "RequestConsent", request)).consent
    assert asked.state == STATE.CONSENT_STATE_REQUESTED
    again = consent_service_pb2.RequestConsentRequest(
        request_id=request_id(), account=sharing.person, scope=ADS
    )
    assert (await sharing.app("consents", "RequestConsent", again)).consent == asked
    assert await why(sharing, **MARKETING) == ["CONSENT_MISSING"]
    deferred = await step(sharing, asked.name, "Defer")
    assert deferred.state == STATE.CONSENT_STATE_DEFERRED
    given = await give(sharing, scope=None, name=asked.name)
    assert given.state == STATE.CONSENT_STATE_GIVEN
    assert await why(sharing, **MARKETING) == []
    refuse = consent_service_pb2.RefuseConsentRequest(
        request_id=request_id(), name=asked.name, **NOTICE
    )
    assert await refused(sharing.by_person("consents", "RefuseConsent", refuse)) == (
        "WRONG_STATE",
        {"state": "given"},
    )


async def test_nobody_is_asked_without_end_or_for_another_service(sharing: Sharing) -> None:
    await ready(sharing)

    def ask(purpose: str, service: str = "mi_store") -> Any:
        scope: Any = ADS | {"purposes": [purpose], "service": service}
        request = consent_service_pb2.RequestConsentRequest(
            request_id=request_id(), account=sharing.person, scope=scope
        )
        return sharing.app("consents", "RequestConsent", request)

    assert (await refused(ask("newsletter", "live_chat")))[0] == "APP_NOT_BOUND"
    assert (await refused(ask("newsletter", "")))[0] == "INVALID_FIELD"
    purposes = sorted(await _purposes(sharing))
    for purpose in purposes[:20]:
        await ask(purpose)
    assert await refused(ask(purposes[20])) == ("TOO_MANY_OPEN_QUESTIONS", {"most": "20"})


async def _purposes(sharing: Sharing) -> list[str]:
    request = rulebook_service_pb2.GetVocabularyRequest()
    answer = await sharing.app("rulebook", "GetVocabulary", request)
    return [each.term.key for each in answer.vocabulary.purposes]


async def test_an_officer_revokes_and_invalidates_and_a_person_may_not(sharing: Sharing) -> None:
    await ready(sharing)
    first = (await give(sharing)).name
    second = (await give(sharing)).name
    invalidate = consent_service_pb2.InvalidateConsentRequest(
        request_id=request_id(), name=second, note="not freely given"
    )
    answer = await sharing.by_officer("consents", "InvalidateConsent", invalidate)
    assert answer.consent.state == STATE.CONSENT_STATE_INVALIDATED
    assert await why(sharing, **MARKETING) == []  # the first stands
    revoke = consent_service_pb2.RevokeConsentRequest(
        request_id=request_id(), name=first, note="court-appointed guardian"
    )
    assert (await refused(sharing.by_person("consents", "RevokeConsent", revoke)))[0] == (
        "ACTOR_ROLE_MISSING"
    )
    answer = await sharing.by_officer("consents", "RevokeConsent", revoke)
    assert answer.consent.state == STATE.CONSENT_STATE_REVOKED
    assert answer.consent.indication.indicator == consent_pb2.INDICATOR_CONTROLLER
    assert await why(sharing, **MARKETING) == ["CONSENT_WITHDRAWN"]


async def test_a_minor_consents_with_a_guardian_who_is_named(sharing: Sharing) -> None:
    await sharing.know_person(birth_date="2012-04-02")
    await sharing.register("ads", "service_provider.advertising")
    reviews: Any = {
        "purposes": ["review_display"],
        "categories": ["content.review"],
        "recipient": "public",
    }
    before = rows(sharing.url, "consents")
    request = consent_service_pb2.GiveConsentRequest(
        request_id=request_id(), scope=reviews, **NOTICE
    )
    assert await refused(sharing.by_person("consents", "GiveConsent", request)) == (
        "GUARDIAN_REQUIRED",
        {"adult_age": "18"},
    )
    assert rows(sharing.url, "consents") == before
    guardian: Any = {
        "method": "INDICATION_METHOD_GUARDIAN_FORM",
        "indicator": "INDICATOR_GUARDIAN",
        "name": "P. Parent",
    }
    given = await give(sharing, scope=reviews, indication=guardian)
    assert given.indication.name == "P. Parent"
    marketing = consent_service_pb2.GiveConsentRequest(
        request_id=request_id(), scope=ADS, indication=guardian, **NOTICE
    )
    assert await refused(sharing.by_person("consents", "GiveConsent", marketing)) == (
        "NOT_FOR_MINORS",
        {"purpose": "direct_marketing"},
    )
    # A minor alone may always say no.
    refuse = consent_service_pb2.RefuseConsentRequest(request_id=request_id(), scope=ADS, **NOTICE)
    await sharing.by_person("consents", "RefuseConsent", refuse)
    assert (await step(sharing, given.name, "Withdraw")).state == STATE.CONSENT_STATE_WITHDRAWN


async def test_guests_consent_and_choose_for_their_session_alone(sharing: Sharing) -> None:
    await ready(sharing)
    marketing: Any = MARKETING | {"account": "", "guest": GUEST}
    assert "CONSENT_MISSING" in await why(sharing, **marketing)
    request = consent_service_pb2.GiveConsentRequest(
        request_id=request_id(), scope=ADS, guest=GUEST, **NOTICE
    )
    given = (await sharing.app("consents", "GiveConsent", request)).consent
    assert given.name.startswith("guests/Session_1/consents/")
    assert given.indication.method == consent_pb2.INDICATION_METHOD_APP_FORM
    assert await why(sharing, **marketing) == ["AGE_UNKNOWN"]
    other = decision_pb2.Guest(jurisdiction="DE", session="Session_2")
    assert "CONSENT_MISSING" in await why(sharing, **marketing | {"guest": other})
    out = preference_service_pb2.OptOutRequest(
        request_id=request_id(), choice=preference_pb2.OPT_OUT_CHOICE_DIRECT_MARKETING, guest=GUEST
    )
    chosen = (await sharing.app("preferences", "OptOut", out)).preference
    assert "MARKETING_OPTED_OUT" in await why(sharing, **marketing)
    lift = preference_service_pb2.LiftRequest(
        request_id=request_id(), name=chosen.name, guest=GUEST
    )
    await sharing.app("preferences", "Lift", lift)
    withdraw = consent_service_pb2.WithdrawConsentRequest(
        request_id=request_id(), name=given.name, guest=GUEST
    )
    await sharing.app("consents", "WithdrawConsent", withdraw)
    assert await why(sharing, **marketing) == ["CONSENT_WITHDRAWN", "AGE_UNKNOWN"]
    assert published(sharing, "guests/Session_1") >= {
        "sharing:consent:give",
        "sharing:consent:withdraw",
        "sharing:decision:deny",
    }


def consenting(**change: Any) -> Message:
    wanted: dict[str, Any] = (
        {"request_id": request_id(), "scope": ADS, "guest": GUEST} | NOTICE | change
    )
    return consent_service_pb2.GiveConsentRequest(**wanted)


async def test_an_app_touches_its_guests_and_the_portal_its_person(sharing: Sharing) -> None:
    await ready(sharing)
    mine = await give(sharing)
    given = (await sharing.app("consents", "GiveConsent", consenting())).consent

    async def app(method: str, request: Message, *, name: str = "mi-store") -> str:
        service = "preferences" if method in {"Object", "OptOut"} else "consents"
        call = sharing.call(service, method, request, as_=f"app/{name}")
        return (await refused(call))[0]

    assert await app("GiveConsent", consenting(guest=None)) == "INVALID_FIELD"
    india = decision_pb2.Guest(jurisdiction="IN", session="s")
    assert await app("GiveConsent", consenting(guest=india)) == "WRONG_REGION"
    bad = decision_pb2.Guest(jurisdiction="DE", session="a@b.example")
    assert await app("GiveConsent", consenting(guest=bad)) == "INVALID_FIELD"
    anywhere = consenting(scope=ADS | {"service": ""})
    assert await app("GiveConsent", anywhere) == "INVALID_FIELD"
    chat = consenting(scope=ADS | {"service": "live_chat"})
    assert await app("GiveConsent", chat) == "APP_NOT_BOUND"
    assert await app("GiveConsent", consenting(), name="mi-home") == "APP_NOT_BOUND"
    said = {"indicator": "INDICATOR_REPRESENTATIVE", "name": "X"}
    assert await app("GiveConsent", consenting(indication=said)) == "INVALID_FIELD"

    def withdrawal(name: str) -> Message:
        return consent_service_pb2.WithdrawConsentRequest(
            request_id=request_id(), name=name, guest=GUEST
        )

    assert await app("WithdrawConsent", withdrawal(mine.name)) == "NOT_FOUND"
    assert await app("WithdrawConsent", withdrawal(given.name), name="live-chat") == "NOT_FOUND"
    listing = consent_service_pb2.ListConsentsRequest()
    assert await app("ListConsents", listing) == "CALLER_NOT_ALLOWED"
    for_guest = sharing.by_person("consents", "GiveConsent", consenting())
    assert (await refused(for_guest))[0] == "INVALID_FIELD"
    of_guest = consent_service_pb2.WithdrawConsentRequest(request_id=request_id(), name=given.name)
    theirs = sharing.by_person("consents", "WithdrawConsent", of_guest)
    assert (await refused(theirs))[0] == "NOT_FOUND"


async def test_a_restriction_leaves_the_data_alone_until_it_is_lifted(sharing: Sharing) -> None:
    await ready(sharing)
    dhl = await sharing.register()
    await sharing.in_force(dhl)
    assert await why(sharing) == []
    request = preference_service_pb2.RestrictRequest(request_id=request_id())
    chosen = (await sharing.by_person("preferences", "Restrict", request)).preference
    assert chosen.restricted
    assert await why(sharing) == ["PROCESSING_RESTRICTED"]
    await give(sharing)
    assert await why(sharing, **MARKETING) == []  # what rests on consent goes on
    lift = preference_service_pb2.LiftRequest(request_id=request_id(), name=chosen.name)
    await sharing.by_person("preferences", "Lift", lift)
    assert await why(sharing) == []


async def test_what_is_new_in_a_notice_is_told_until_it_is_accepted(sharing: Sharing) -> None:
    listing = preference_service_pb2.ListNoticeChangesRequest()
    unknown = sharing.by_person("preferences", "ListNoticeChanges", listing)
    assert (await refused(unknown))[0] == "NOT_FOUND"
    since = decision_pb2.Decision()
    since.decide_time.FromJsonString("2024-01-01T00:00:00Z")
    await sharing.know_person(since_time=since.decide_time)
    (change,) = (await sharing.by_person("preferences", "ListNoticeChanges", listing)).changes
    assert (change.notice, change.accepted_notice) == ("mi-store@2025-05-20", "mi-com@2021-07-22")
    assert not change.accepted_by_choice
    assert "service_provider.fraud_detection" in {each.recipient_kind for each in change.additions}
    accept = preference_service_pb2.AcceptNoticeRequest(
        request_id=request_id(), notice=change.notice
    )
    await sharing.by_person("preferences", "AcceptNotice", accept)
    assert not (await sharing.by_person("preferences", "ListNoticeChanges", listing)).changes


async def test_a_receipt_is_signed_for_its_person_and_verified_by_anyone(sharing: Sharing) -> None:
    await ready(sharing)
    given = await give(sharing)
    await step(sharing, given.name, "Withdraw")
    request = consent_service_pb2.GetReceiptRequest(name=given.name)
    answer = await sharing.by_person("consents", "GetReceipt", request)
    assert answer.file_name == f"consent-receipt-{given.name.rpartition('/')[2]}.json"
    assert sharing.person.partition("/")[2] not in answer.file_name
    keys = await sharing.call(
        "keys", "GetKeys", key_service_pb2.GetKeysRequest(past=True), as_="svc/portal"
    )
    read = receipt.verify(answer.content.encode(), Keys(keys.jwks))
    assert (read.account, read.consent) == (sharing.person, given.name)
    assert [each.state for each in read.steps] == ["dpv:ConsentGiven", "dpv:ConsentWithdrawn"]
    theirs = sharing.call(
        "consents", "GetReceipt", request, as_="svc/portal", actor=(sharing.second, "person")
    )
    assert (await refused(theirs))[0] == "NOT_FOUND"


async def test_a_question_without_an_answer_has_no_receipt(sharing: Sharing) -> None:
    await ready(sharing)
    request = consent_service_pb2.RequestConsentRequest(
        request_id=request_id(), account=sharing.person, scope=ADS
    )
    asked = (await sharing.app("consents", "RequestConsent", request)).consent
    wanted = consent_service_pb2.GetReceiptRequest(name=asked.name)
    assert await refused(sharing.by_person("consents", "GetReceipt", wanted)) == (
        "WRONG_STATE",
        {"state": "requested"},
    )


async def test_an_app_speaks_for_its_guests_through_the_sdk(sharing: Sharing) -> None:
    await ready(sharing)
    async with sharing.bench.client(sharing.server, "sharing", "app/mi-store") as channel:
        guests = Guests(channel)
        scope = consent_pb2.ConsentScope(**ADS)
        soon = sharing.bench.clock.now() + timedelta(days=1)
        given = await guests.give(GUEST, scope, expires=soon, **NOTICE)
        assert given.expire_time.ToDatetime(tzinfo=soon.tzinfo) == soon
        ended = await guests.withdraw(GUEST, given.name)
        assert ended.state == STATE.CONSENT_STATE_WITHDRAWN
        refused_one = await guests.refuse(GUEST, scope, **NOTICE)
        assert refused_one.state == STATE.CONSENT_STATE_REFUSED
        choice = preference_pb2.OPT_OUT_CHOICE_PERSONALISATION
        assert (await guests.opt_out(GUEST, choice)).opt_out == choice
        assert (await guests.object_to(GUEST, "fraud_prevention")).object_to == "fraud_prevention"
        stopped = await guests.stop_sharing(GUEST, "affiliate")
        assert (await guests.lift(GUEST, stopped.name)).HasField("lift_time")
        asked = await guests.ask(sharing.person, scope)
        assert asked.state == STATE.CONSENT_STATE_REQUESTED
