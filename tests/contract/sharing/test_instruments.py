"""Legal instruments over the wire: two officers, what may be disclosed, what the person is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from accord.sharing.v1 import decision_pb2, decision_service_pb2, instrument_pb2
from accord.sharing.v1 import instrument_service_pb2 as pb

from runtime.errors import from_error
from runtime.ids import new_account
from tests.contract.sharing.conftest import Sharing, request_id, rows

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from runtime.fault import Fault

LAW: dict[str, Any] = {
    "recipient": "recipients/police",
    "purpose": "legal_disclosure",
    "categories": ["order.details"],
    "relation": "",
}


def paper(sharing: Sharing, **given: Any) -> instrument_pb2.Instrument:
    """A court's order about the person's orders, in force around the bench's clock."""
    today = sharing.bench.clock.now().date()
    usual: dict[str, Any] = {
        "kind": "INSTRUMENT_KIND_COURT_ORDER",
        "issuer": "NL",
        "authority": "Rechtbank Amsterdam",
        "reference": "AMS 25/1",
        "account": sharing.person,
        "categories": ["order"],
        "on_date": str(today - timedelta(days=1)),
        "expire_date": str(today + timedelta(days=30)),
        "document": {"sha256": bytes(32), "location": "archive://law/1.pdf"},
    }
    return instrument_pb2.Instrument(**usual | given)


async def recorded(sharing: Sharing, **given: Any) -> Any:
    request = pb.CreateInstrumentRequest(
        request_id=request_id(), instrument=paper(sharing, **given)
    )
    return (await sharing.by_officer("instruments", "CreateInstrument", request)).instrument


async def activated(sharing: Sharing, **given: Any) -> Any:
    name = (await recorded(sharing, **given)).name
    request = pb.ActivateInstrumentRequest(request_id=request_id(), name=name)
    answer = await sharing.by_officer(
        "instruments", "ActivateInstrument", request, who=sharing.second
    )
    return answer.instrument


async def told(sharing: Sharing) -> list[str]:
    request = pb.ListOwnInstrumentsRequest()
    answer = await sharing.by_person("instruments", "ListOwnInstruments", request)
    return [instrument.name for instrument in answer.instruments]


async def refused(call: Any) -> Fault:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return from_error(caught.value, "sharing")


async def test_a_disclosure_by_law_is_limited_to_an_instrument_that_two_officers_saw(
    sharing: Sharing,
) -> None:
    await sharing.know_person()
    await sharing.register("police", "law_enforcement", "NL")
    name = (await recorded(sharing)).name
    missing = await sharing.check(**LAW, instrument=name)
    assert missing.outcome == decision_pb2.OUTCOME_GAP  # nobody else has seen it yet

    activate = pb.ActivateInstrumentRequest(request_id=request_id(), name=name)
    alone = await refused(sharing.by_officer("instruments", "ActivateInstrument", activate))
    assert alone.reason == "FOUR_EYES"
    certificate = sharing.call("instruments", "ActivateInstrument", activate, as_="staff/officer/a")
    assert (await refused(certificate)).reason == "FOUR_EYES"  # may be the same person
    await sharing.by_officer("instruments", "ActivateInstrument", activate, who=sharing.second)

    permit = await sharing.check(**LAW, instrument=name)
    assert permit.outcome == decision_pb2.OUTCOME_PERMIT
    assert permit.question.instrument == name
    for narrower in (
        {**LAW, "instrument": "instruments/another"},
        {**LAW, "instrument": name, "categories": ["contact.name"]},
        {**LAW, "instrument": ""},
    ):
        assert (await sharing.check(**narrower)).outcome == decision_pb2.OUTCOME_GAP

    revoke = pb.RevokeInstrumentRequest(request_id=request_id(), name=name, note="quashed")
    await sharing.by_officer("instruments", "RevokeInstrument", revoke)
    assert (await sharing.check(**LAW, instrument=name)).outcome == decision_pb2.OUTCOME_GAP
    for method, request in (
        ("ActivateInstrument", pb.ActivateInstrumentRequest),
        ("RevokeInstrument", pb.RevokeInstrumentRequest),
    ):
        again = request(request_id=request_id(), name=name)
        call = sharing.by_officer("instruments", method, again, who=sharing.second)
        assert (await refused(call)).reason == "WRONG_STATE"


async def test_the_person_is_told_unless_it_forbids_that_and_then_from_the_day_after(
    sharing: Sharing,
) -> None:
    today = sharing.bench.clock.now().date()
    last = today + timedelta(days=3)
    await recorded(sharing)  # never in force: nothing to tell
    await activated(sharing, account=new_account("nl"))  # about somebody else
    plain = await activated(sharing)
    secret = await activated(sharing, secret_until_date=str(last))
    assert await told(sharing) == [plain.name]

    midnight = datetime(last.year, last.month, last.day, tzinfo=UTC) + timedelta(days=1)
    sharing.bench.clock.set(midnight - timedelta(microseconds=1))
    assert await told(sharing) == [plain.name]
    sharing.bench.clock.set(midnight)
    assert await told(sharing) == [secret.name, plain.name]

    revoke = pb.RevokeInstrumentRequest(request_id=request_id(), name=plain.name, note="x")
    await sharing.by_officer("instruments", "RevokeInstrument", revoke)
    request = pb.ListOwnInstrumentsRequest()
    answer = await sharing.by_person("instruments", "ListOwnInstruments", request)
    shown = answer.instruments[1]
    assert shown.state == instrument_pb2.INSTRUMENT_STATE_REVOKED  # it was in force: still told
    assert (shown.authority, shown.reference) == ("Rechtbank Amsterdam", "AMS 25/1")
    assert not shown.HasField("document")
    assert not any((shown.recorder, shown.activator, shown.revoker, shown.note))


async def test_nothing_that_was_decided_under_a_secret_order_gives_it_away(
    sharing: Sharing,
) -> None:
    today = sharing.bench.clock.now().date()
    await sharing.know_person()
    await sharing.register("police", "law_enforcement", "NL")
    secret = (await activated(sharing, secret_until_date=str(today))).name
    plain = (await activated(sharing)).name
    hidden = (await sharing.check(**LAW, instrument=secret)).name
    shown = (await sharing.check(**LAW, instrument=plain)).name

    async def seen() -> list[str]:
        listed = decision_service_pb2.ListDecisionsRequest()
        answer = await sharing.by_person("decisions", "ListDecisions", listed)
        return [decision.name for decision in answer.decisions]

    get = decision_service_pb2.GetDecisionRequest(name=hidden)
    assert await seen() == [shown]
    assert (await refused(sharing.by_person("decisions", "GetDecision", get))).reason == "NOT_FOUND"
    audited = decision_service_pb2.GetDecisionRequest(name=hidden, purpose="complaint 12")
    auditor = await sharing.call("decisions", "GetDecision", audited, as_="staff/auditor/eva")
    assert auditor.decision.name == hidden
    themself = (sharing.person, "person", "auditor", "officer")
    for request in (get, audited):  # whoever it is about, staff or not
        own = sharing.call("decisions", "GetDecision", request, as_="svc/portal", actor=themself)
        assert (await refused(own)).reason == "NOT_FOUND"
    assert (await sharing.app("decisions", "GetDecision", get)).decision.name == hidden

    sharing.bench.clock.advance(timedelta(days=1))
    assert await seen() == [shown, hidden]
    assert (await sharing.by_person("decisions", "GetDecision", get)).decision.name == hidden


async def test_pages_are_as_if_there_were_no_secret_order(sharing: Sharing) -> None:
    await sharing.know_person()
    await sharing.register("police", "law_enforcement", "NL")
    today = str(sharing.bench.clock.now().date())
    secret = (await activated(sharing, secret_until_date=today)).name
    plain = (await activated(sharing)).name
    asked = [secret, secret, plain, secret, secret, secret, plain, plain, secret]  # oldest first
    made = [(each, (await sharing.check(**LAW, instrument=each)).name) for each in asked]
    request = decision_service_pb2.ListDecisionsRequest(page_size=2)
    pages = []
    while True:
        answer = await sharing.by_person("decisions", "ListDecisions", request)
        pages.append([decision.name for decision in answer.decisions])
        request.page_token = answer.next_page_token
        if not request.page_token:
            break
    told = [name for each, name in reversed(made) if each == plain]
    assert pages == [told[:2], told[2:]]
    # A full page behind which there is only what may not be told is the last one.
    whole = decision_service_pb2.ListDecisionsRequest(page_size=3)
    answer = await sharing.by_person("decisions", "ListDecisions", whole)
    assert [decision.name for decision in answer.decisions] == told
    assert not answer.next_page_token


async def test_officers_and_auditors_read_all(sharing: Sharing) -> None:
    names = [(await recorded(sharing)).name for _ in range(3)]
    other = (await recorded(sharing, account=new_account("nl"))).name
    first = pb.ListInstrumentsRequest(page_size=3)
    page = await sharing.by_officer("instruments", "ListInstruments", first)
    assert [one.name for one in page.instruments] == [other, names[2], names[1]]
    first.page_token = page.next_page_token
    page = await sharing.by_officer("instruments", "ListInstruments", first)
    assert [one.name for one in page.instruments] == [names[0]]
    assert not page.next_page_token

    mine = pb.ListInstrumentsRequest(account=sharing.person)
    page = await sharing.call("instruments", "ListInstruments", mine, as_="staff/auditor/eva")
    assert [one.name for one in page.instruments] == names[::-1]
    get = pb.GetInstrumentRequest(name=other)
    seen = await sharing.call("instruments", "GetInstrument", get, as_="staff/auditor/eva")
    assert seen.instrument.recorder == sharing.officer
    assert seen.instrument.document.location == "archive://law/1.pdf"


async def test_what_is_malformed_is_refused_by_field(sharing: Sharing) -> None:
    today = sharing.bench.clock.now().date()
    before = rows(sharing.url, "instruments")
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"kind": "INSTRUMENT_KIND_UNSPECIFIED"}, "instrument.kind"),
        ({"issuer": "XX"}, "instrument.issuer"),
        ({"authority": ""}, "instrument.authority"),
        ({"reference": "x" * 121}, "instrument.reference"),
        ({"account": "accounts/nobody"}, "instrument.account"),
        ({"categories": []}, "instrument.categories"),
        ({"categories": ["shoes"]}, "instrument.categories"),
        ({"on_date": "2025-02-30"}, "instrument.on_date"),
        ({"expire_date": str(today - timedelta(days=2))}, "instrument.expire_date"),
        ({"secret_until_date": "soon"}, "instrument.secret_until_date"),
        ({"document": {"sha256": b"short", "location": "x"}}, "instrument.document.sha256"),
        ({"document": None}, "instrument.document"),
    ]
    for given, field in wrong:
        request = pb.CreateInstrumentRequest(
            request_id=request_id(), instrument=paper(sharing, **given)
        )
        fault = await refused(sharing.by_officer("instruments", "CreateInstrument", request))
        assert (fault.reason, fault.metadata["field"]) == ("INVALID_FIELD", field)
    elsewhere = pb.CreateInstrumentRequest(
        request_id=request_id(), instrument=paper(sharing, account=new_account("in"))
    )
    fault = await refused(sharing.by_officer("instruments", "CreateInstrument", elsewhere))
    assert (fault.reason, fault.metadata) == ("WRONG_REGION", {"region": "in"})
    assert rows(sharing.url, "instruments") == before

    get = pb.GetInstrumentRequest(name="instruments/nothing")
    assert (await refused(sharing.by_officer("instruments", "GetInstrument", get))).reason == (
        "NOT_FOUND"
    )


async def test_who_may_neither_record_nor_read(sharing: Sharing) -> None:
    mine: list[tuple[str, Message]] = [
        ("CreateInstrument", pb.CreateInstrumentRequest()),
        ("ActivateInstrument", pb.ActivateInstrumentRequest()),
        ("RevokeInstrument", pb.RevokeInstrumentRequest()),
        ("GetInstrument", pb.GetInstrumentRequest()),
        ("ListInstruments", pb.ListInstrumentsRequest()),
    ]
    for method, request in mine:
        fault = await refused(sharing.by_person("instruments", method, request))
        assert fault.reason == "ACTOR_ROLE_MISSING"
    own = pb.ListOwnInstrumentsRequest()
    fault = await refused(sharing.by_officer("instruments", "ListOwnInstruments", own))
    assert fault.reason == "ACTOR_ROLE_MISSING"


async def test_an_instrument_is_recorded_once(sharing: Sharing) -> None:
    request = pb.CreateInstrumentRequest(request_id=request_id(), instrument=paper(sharing))
    first = await sharing.by_officer("instruments", "CreateInstrument", request)
    again = await sharing.by_officer("instruments", "CreateInstrument", request)
    assert first.instrument == again.instrument
    assert rows(sharing.url, "instruments") == 1
