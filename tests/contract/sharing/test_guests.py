"""What guests say, told by the app whose guests they are: theirs alone, under their session."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from accord.audit.v1.append_service_pb2 import NewEntry
from accord.sharing.v1 import (
    analysis_service_pb2,
    consent_pb2,
    consent_service_pb2,
    decision_pb2,
    decision_service_pb2,
    key_service_pb2,
    preference_pb2,
    preference_service_pb2,
    reach_service_pb2,
    reason_pb2,
)
from accord_client import receipt
from accord_client.guests import Guests
from accord_client.jws import Keys
from sqlalchemy import create_engine, select

from runtime.event_names import text_of
from services.sharing.store import reach as stored
from services.sharing.store import tables
from tests.contract.sharing.conftest import Sharing, request_id
from tests.contract.sharing.test_disclosures import recorded
from tests.contract.sharing.test_permits import delivering
from tests.contract.sharing.test_persons import (
    ADS,
    MARKETING,
    NOTICE,
    STATE,
    give,
    ready,
    refused,
    why,
)
from tests.contract.sharing.test_revocations import notices

if TYPE_CHECKING:
    from google.protobuf.message import Message

GUEST = decision_pb2.Guest(jurisdiction="DE", session="Session_1")


def published(sharing: Sharing, account: str) -> set[str]:
    """What was done about an account or a guest by the events for the audit log."""
    engine = create_engine(sharing.url)
    with engine.connect() as connection:
        found = connection.scalars(select(tables.outbox.c.event)).all()
    engine.dispose()
    events = [NewEntry.FromString(event) for event in found]
    return {text_of(event.event) for event in events if event.account == account}


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


async def test_a_guest_has_a_receipt_from_the_app_that_holds_the_session(sharing: Sharing) -> None:
    await ready(sharing)
    mine = (await give(sharing)).name
    given = (await sharing.app("consents", "GiveConsent", consenting())).consent.name
    async with sharing.bench.client(sharing.server, "sharing", "app/mi-store") as channel:
        content, file = await Guests(channel).receipt(GUEST, given)
    assert "Session_1" not in file
    keys = await sharing.app("keys", "GetKeys", key_service_pb2.GetKeysRequest())
    read = receipt.verify(content.encode(), Keys(keys.jwks))
    assert (read.account, read.consent) == ("guests/Session_1", given)
    assert "dpv:hasJurisdiction" not in json.loads(content)["receipt"]["dpv:hasRecordOfActivity"]
    assert (
        "portal"
        not in json.loads(content)["receipt"]["dpv:hasRecordOfActivity"]["dpv:hasConsentControl"][
            "dpv:isExercisedAt"
        ]
    )

    async def refusal(name: str, as_: str = "app/mi-store", **guest: Any) -> str:
        request = consent_service_pb2.GetReceiptRequest(name=name, **{"guest": GUEST} | guest)
        actor = (sharing.person, "person") if as_ == "svc/portal" else ()
        call = sharing.call("consents", "GetReceipt", request, as_=as_, actor=actor)
        return (await refused(call))[0]

    assert await refusal(mine) == "NOT_FOUND"
    assert await refusal(given, "app/live-chat") == "NOT_FOUND"
    assert await refusal(given, "app/mi-home") == "APP_NOT_BOUND"
    assert await refusal(given, guest=None) == "INVALID_FIELD"
    assert await refusal(given, "svc/portal") == "INVALID_FIELD"
    assert await refusal(given, "svc/portal", guest=None) == "NOT_FOUND"
    other = decision_pb2.Guest(jurisdiction="DE", session="Session_2")
    assert await refusal(given, guest=other) == "NOT_FOUND"
    india = decision_pb2.Guest(jurisdiction="IN", session="Session_1")
    assert await refusal(given, guest=india) == "WRONG_REGION"


async def test_a_guest_is_told_who_has_their_data_through_that_app(sharing: Sharing) -> None:
    await delivering(sharing)
    await sharing.register("team", "affiliate", "NL")
    decision = await sharing.check(account="", guest=GUEST)
    await recorded(sharing, decision.name)
    later = decision_service_pb2.CheckRequest(
        question=sharing.question(account="", guest=GUEST, service="mi_com")
    )
    theirs = (await sharing.call("decisions", "Check", later, as_="app/mi-com")).decision
    assert theirs.outcome == decision_pb2.OUTCOME_PERMIT

    async def told(app: str = "mi-store", guest: decision_pb2.Guest = GUEST) -> dict[str, Any]:
        async with sharing.bench.client(sharing.server, "sharing", f"app/{app}") as channel:
            return {r.recipient.name: r async for r in Guests(channel).recipients(guest)}

    dhl = (await told())["recipients/dhl"]
    had = [(each.disclosed, set(each.categories), each.decision) for each in dhl.holdings]
    assert had == [
        (True, {"contact.name"}, decision.name),
        (False, set(decision.question.categories), decision.name),
    ]
    assert {each.service for each in dhl.prospects} == {"mi_store"}
    assert not any(each.signed_in_assumed for each in dhl.prospects)
    at_com = (await told("mi-com"))["recipients/dhl"]
    assert [(each.disclosed, each.decision) for each in at_com.holdings] == [(False, theirs.name)]
    assert not any(each.holdings for each in (await told("live-chat")).values())
    other = decision_pb2.Guest(jurisdiction="DE", session="Session_2")
    assert not (await told(guest=other))["recipients/dhl"].holdings

    stop = preference_service_pb2.StopSharingRequest(
        request_id=request_id(), recipient="recipients/dhl", guest=GUEST
    )
    await sharing.app("preferences", "StopSharing", stop)
    assert not (await told())["recipients/dhl"].prospects

    async def refusal(as_: str, **guest: Any) -> str:
        request = reach_service_pb2.ReachServiceListRecipientsRequest(**guest)
        actor = (sharing.person, "person") if as_ == "svc/portal" else ()
        call = sharing.call("reach", "ListRecipients", request, as_=as_, actor=actor)
        return (await refused(call))[0]

    assert await refusal("svc/portal", guest=GUEST) == "INVALID_FIELD"
    assert await refusal("app/mi-store") == "INVALID_FIELD"
    assert await refusal("app/mi-home", guest=GUEST) == "APP_NOT_BOUND"


async def test_what_another_app_was_permitted_hides_nothing_of_a_guest(
    sharing: Sharing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored, "_NEWEST_PERMITS", 1)
    await delivering(sharing)
    names = []
    for service in ("mi_com", "mi_store", "mi_com"):
        sharing.bench.clock.advance(timedelta(minutes=1))
        asked = sharing.question(account="", guest=GUEST, service=service)
        request = decision_service_pb2.CheckRequest(question=asked)
        app = f"app/{service.replace('_', '-')}"
        names.append((await sharing.call("decisions", "Check", request, as_=app)).decision.name)
    async with sharing.bench.client(sharing.server, "sharing", "app/mi-store") as channel:
        told = [reach async for reach in Guests(channel).recipients(GUEST)]
    assert [had.decision for reach in told for had in reach.holdings] == [names[1]]


async def test_what_the_guest_of_another_app_said_is_out_of_reach(sharing: Sharing) -> None:
    await ready(sharing)
    marketing: Any = MARKETING | {"account": "", "guest": GUEST}

    async def by(app: str, service: str, method: str, request: Message) -> Any:
        return await sharing.call(service, method, request, as_=f"app/{app}")

    def opting_out() -> Message:
        choice = preference_pb2.OPT_OUT_CHOICE_DIRECT_MARKETING
        return preference_service_pb2.OptOutRequest(
            request_id=request_id(), choice=choice, guest=GUEST
        )

    def lifting(name: str) -> Message:
        return preference_service_pb2.LiftRequest(request_id=request_id(), name=name, guest=GUEST)

    mine = (await by("mi-store", "preferences", "OptOut", opting_out())).preference
    theirs = (await by("live-chat", "preferences", "OptOut", opting_out())).preference
    assert theirs.name != mine.name
    for app, name in (("live-chat", mine.name), ("mi-store", theirs.name)):
        call = by(app, "preferences", "Lift", lifting(name))
        assert (await refused(call))[0] == "NOT_FOUND"
    await by("live-chat", "preferences", "Lift", lifting(theirs.name))
    assert "MARKETING_OPTED_OUT" in await why(sharing, **marketing)
    await by("mi-store", "preferences", "Lift", lifting(mine.name))
    assert "MARKETING_OPTED_OUT" not in await why(sharing, **marketing)

    given = (await sharing.app("consents", "GiveConsent", consenting())).consent
    for method, kind in (
        ("GiveConsent", consent_service_pb2.GiveConsentRequest),
        ("RefuseConsent", consent_service_pb2.RefuseConsentRequest),
    ):
        named = kind(request_id=request_id(), name=given.name, guest=GUEST, **NOTICE)
        assert (await refused(by("live-chat", "consents", method, named)))[0] == "NOT_FOUND"
    renewal = consent_service_pb2.GiveConsentRequest(
        request_id=request_id(), name=given.name, guest=GUEST, **NOTICE
    )
    renewed = (await sharing.app("consents", "GiveConsent", renewal)).consent
    assert renewed.state == STATE.CONSENT_STATE_RENEWED


async def test_guests_in_batches_and_taken_apart_also_as_of_then(sharing: Sharing) -> None:
    await ready(sharing)
    other = decision_pb2.Guest(jurisdiction="DE", session="Session_2")
    given = (await sharing.app("consents", "GiveConsent", consenting())).consent
    about: Any = MARKETING | {"account": ""}
    mine, theirs = (sharing.question(**about, guest=guest) for guest in (GUEST, other))
    batch = decision_service_pb2.CheckBatchRequest(questions=[mine, theirs])

    async def batched() -> list[list[str]]:
        answer = await sharing.app("decisions", "CheckBatch", batch)
        assert [each.decision.question.guest for each in answer.responses] == [GUEST, other]
        return [
            [reason_pb2.Reason.Name(each.reason)[7:] for each in one.decision.reasons]
            for one in answer.responses
        ]

    assert await batched() == [["AGE_UNKNOWN"], ["AGE_UNKNOWN", "CONSENT_MISSING"]]
    sharing.bench.clock.advance(timedelta(hours=1))
    withdraw = consent_service_pb2.WithdrawConsentRequest(
        request_id=request_id(), name=given.name, guest=GUEST
    )
    await sharing.app("consents", "WithdrawConsent", withdraw)
    assert await batched() == [
        ["CONSENT_WITHDRAWN", "AGE_UNKNOWN"],
        ["AGE_UNKNOWN", "CONSENT_MISSING"],
    ]

    async def explained(ago: timedelta) -> list[str]:
        request = analysis_service_pb2.ExplainRequest(question=mine)
        if ago:
            request.as_of_time.FromDatetime(sharing.bench.clock.now() - ago)
        call = sharing.call("analysis", "Explain", request, as_="staff/officer/ana")
        found = (await call).explanation
        return [
            reason_pb2.Reason.Name(each.reason.reason)[7:]
            for gate in found.gates
            for each in gate.reasons
        ]

    assert "CONSENT_WITHDRAWN" in await explained(timedelta())
    then = await explained(timedelta(minutes=1))
    assert "AGE_UNKNOWN" in then
    assert not any(reason.startswith("CONSENT") for reason in then)
    assert "CONSENT_MISSING" in await explained(timedelta(hours=2))


async def test_what_a_guest_ends_is_told_to_whom_it_was_sent_to(sharing: Sharing) -> None:
    await delivering(sharing)
    decision = await sharing.check(account="", guest=GUEST)
    assert decision.outcome == decision_pb2.OUTCOME_PERMIT, decision
    sent = await recorded(sharing, decision.name)
    assert "sharing:disclosure:record" in published(sharing, "guests/Session_1")
    stop = preference_service_pb2.StopSharingRequest(
        request_id=request_id(), recipient=sent.recipient, guest=GUEST
    )
    await sharing.app("preferences", "StopSharing", stop)
    (notice,) = await notices(sharing)
    assert notice.recipient == sent.recipient
    assert list(notice.decisions) == [decision.name]
    assert "Session_1" not in str(notice)
