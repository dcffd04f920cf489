"""What people say about their data: kept whole, counted at once, theirs alone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import grpc
import pytest
from accord.sharing.v1 import (
    consent_pb2,
    consent_service_pb2,
    decision_pb2,
    decision_service_pb2,
    key_service_pb2,
    preference_service_pb2,
    rulebook_service_pb2,
)
from accord.sharing.v1.reason_pb2 import Reason
from accord_client import receipt
from accord_client.jws import Keys

from runtime.errors import from_error
from services.sharing.cases import answer_consent
from tests.contract.sharing.conftest import Sharing, request_id, rows

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

    def ask(purpose: str, service: str = "mi_store", app: str = "mi-store") -> Any:
        scope: Any = ADS | {"purposes": [purpose], "service": service}
        request = consent_service_pb2.RequestConsentRequest(
            request_id=request_id(), account=sharing.person, scope=scope
        )
        return sharing.call("consents", "RequestConsent", request, as_=f"app/{app}")

    assert (await refused(ask("newsletter", "live_chat")))[0] == "APP_NOT_BOUND"
    assert (await refused(ask("newsletter", "")))[0] == "INVALID_FIELD"
    purposes = sorted(await _purposes(sharing))
    asking = (
        ("mi_store", "mi-store"),
        ("mi_com", "mi-com"),
        ("mi_com_legacy", "mi-com"),
        ("live_chat", "live-chat"),
    )
    for who in asking:
        for purpose in purposes[:5]:
            await ask(purpose, *who)
        assert await refused(ask(purposes[5], *who)) == ("TOO_MANY_OPEN_QUESTIONS", {"most": "5"})
        await ask(purposes[0], *who)  # asked already
    account = ask(purposes[0], "mi_account", "mi-account")
    assert await refused(account) == ("TOO_MANY_OPEN_QUESTIONS", {"most": "20"})


async def test_after_a_no_the_same_is_not_asked_for_a_month(sharing: Sharing) -> None:
    await ready(sharing)

    async def ask() -> Any:
        request = consent_service_pb2.RequestConsentRequest(
            request_id=request_id(), account=sharing.person, scope=ADS
        )
        return (await sharing.app("consents", "RequestConsent", request)).consent

    async def no_for_a_month(name: str, state: int) -> Any:
        sharing.bench.clock.advance(timedelta(days=30, microseconds=-1))
        still = await ask()
        assert (still.name, still.state) == (name, state)
        sharing.bench.clock.advance(timedelta(microseconds=1))
        anew = await ask()
        assert anew.name != name
        assert anew.state == STATE.CONSENT_STATE_REQUESTED
        return anew

    first = await ask()
    request = consent_service_pb2.RefuseConsentRequest(
        request_id=request_id(), name=first.name, **NOTICE
    )
    await sharing.by_person("consents", "RefuseConsent", request)
    second = await no_for_a_month(first.name, STATE.CONSENT_STATE_REFUSED)
    given = consent_service_pb2.GiveConsentRequest(
        request_id=request_id(), name=second.name, **NOTICE
    )
    await sharing.by_person("consents", "GiveConsent", given)
    await step(sharing, second.name, "Withdraw")
    await no_for_a_month(second.name, STATE.CONSENT_STATE_WITHDRAWN)


async def test_a_record_of_consents_is_bounded_and_what_was_given_can_be_withdrawn(
    sharing: Sharing, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ready(sharing)
    monkeypatch.setattr(answer_consent, "_MOST_REVISIONS", 2)
    given = await give(sharing)
    await give(sharing, scope=None, name=given.name)
    full = ("TOO_MANY_CONSENTS", {"most": "2"})
    assert await refused(give(sharing)) == full
    assert await refused(give(sharing, scope=None, name=given.name)) == full
    asked = consent_service_pb2.RequestConsentRequest(
        request_id=request_id(), account=sharing.person, scope=ADS
    )
    assert await refused(sharing.app("consents", "RequestConsent", asked)) == full
    ended = await step(sharing, given.name, "Withdraw")
    assert ended.state == STATE.CONSENT_STATE_WITHDRAWN


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
