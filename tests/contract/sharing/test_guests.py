"""What guests say, told by the app whose guests they are: theirs alone, under their session."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from accord.audit.v1.append_service_pb2 import NewEntry
from accord.sharing.v1 import (
    analysis_service_pb2,
    consent_pb2,
    consent_service_pb2,
    decision_pb2,
    decision_service_pb2,
    preference_pb2,
    preference_service_pb2,
    reason_pb2,
)
from accord_client.guests import Guests
from sqlalchemy import create_engine, select

from runtime.event_names import text_of
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
