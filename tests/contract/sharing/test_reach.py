"""Who has or may get whose data, over the wire."""

from __future__ import annotations

import asyncio
import threading
from contextlib import ExitStack
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from accord.sharing.v1 import (
    analysis_service_pb2,
    decision_service_pb2,
    disclosure_service_pb2,
    freshness_pb2,
    preference_service_pb2,
    reach_service_pb2,
)
from accord.sharing.v1.decision_pb2 import LEGAL_BASIS_CONSENT, OUTCOME_PERMIT
from google.protobuf.empty_pb2 import Empty

from runtime.errors import from_error
from runtime.fault import Fault
from runtime.ids import new_account
from services.sharing.api.reach import ReachServicer
from services.sharing.cases import read_reach
from services.sharing.domain import explanation, reach
from services.sharing.domain.engine import decide
from services.sharing.domain.reach import prospects
from services.sharing.store import reach as stored
from tests.contract.sharing.conftest import Sharing, request_id, rows
from tests.contract.sharing.test_freshness import FRAUD, MARKETING, stand, withdraw
from tests.contract.sharing.test_instruments import LAW, activated

HAS, MAY = reach_service_pb2.REACH_FILTER_HAS, reach_service_pb2.REACH_FILTER_MAY


async def reached(sharing: Sharing, **asked: Any) -> list[Any]:
    """All pages."""
    found: list[Any] = []
    request = reach_service_pb2.ReachServiceListRecipientsRequest(**asked)
    while True:
        page = await sharing.by_person("reach", "ListRecipients", request)
        found += page.recipients
        request.page_token = page.next_page_token
        if not page.next_page_token:
            return found


async def people(sharing: Sharing, recipient: str, **asked: Any) -> list[Any]:
    found: list[Any] = []
    request = reach_service_pb2.ListSubjectsRequest(recipient=recipient, **asked)
    while True:
        page = await sharing.call("reach", "ListSubjects", request, as_="staff/officer/ana")
        found += page.subjects
        request.page_token = page.next_page_token
        if not page.next_page_token:
            return found


async def permitted(sharing: Sharing, **question: Any) -> Any:
    fresh = freshness_pb2.Freshness(fully_consistent=Empty())
    request = decision_service_pb2.CheckRequest(
        question=sharing.question(**question), freshness=fresh
    )
    decision = (await sharing.app("decisions", "Check", request)).decision
    assert decision.outcome == OUTCOME_PERMIT
    return decision


async def sent(sharing: Sharing, decision: Any, *categories: str) -> None:
    request = disclosure_service_pb2.RecordDisclosureRequest(
        request_id=request_id(), decision=decision.name, categories=categories
    )
    await sharing.app("disclosures", "RecordDisclosure", request)


async def test_what_could_be_is_what_check_would_permit(sharing: Sharing) -> None:
    await stand(sharing)
    await sharing.register("police", "law_enforcement", "NL")
    found = {each.recipient.name: each for each in await reached(sharing)}
    assert all(not each.holdings for each in found.values())

    shop = [each for each in found["recipients/ads"].prospects if each.service == "mi_store"]
    (ads,) = shop
    assert ads.purpose == "direct_marketing"
    (ground,) = ads.grounds
    assert (list(ground.categories), ground.basis) == (["contact.email"], LEGAL_BASIS_CONSENT)
    assert ground.citation == "mi-store@2025-05-20 §4.1.3"
    assert ground.consent.startswith(f"{sharing.person}/consents/")
    assert ads.contract.startswith("contracts/")
    assert ads.until_date == "2026-12-31"  # the examination ends before the contract
    assert not ads.relation_assumed

    # The law's order is never foretold; a claim before a court needs no order.
    by_police = {each.purpose for each in found["recipients/police"].prospects}
    assert by_police == {"legal_claims"}

    stop = preference_service_pb2.StopSharingRequest(
        request_id=request_id(), recipient="recipients/guard"
    )
    await sharing.by_person("preferences", "StopSharing", stop)
    await withdraw(sharing)
    assert [each.recipient.name for each in await reached(sharing)] == ["recipients/police"]


async def test_a_relation_that_somebody_would_have_to_name_is_said_to_be_assumed(
    sharing: Sharing,
) -> None:
    await sharing.know_person()
    await sharing.in_force(await sharing.register())
    (dhl,) = await reached(sharing)
    delivery = [each for each in dhl.prospects if each.purpose == "delivery"]
    assert {each.service for each in delivery} >= {"mi_store", "mi_com"}
    assert all(each.relation_assumed for each in delivery)
    assert not any(each.purpose == "order_fulfilment" for each in dhl.prospects)


async def test_what_is_had_is_told_since_when_and_on_which_ground(sharing: Sharing) -> None:
    await stand(sharing)
    first = await permitted(sharing, **FRAUD)
    await sent(sharing, first, "account.reliability")
    began = sharing.bench.clock.now()
    sharing.bench.clock.advance(began - began.replace(hour=11))
    again = await permitted(sharing, **{**FRAUD, "categories": ["account.id"]})
    await sent(sharing, again, "account.id")
    sharing.bench.clock.advance(timedelta(minutes=1))
    await sent(sharing, again, "account.id")  # alike: the last of them is told
    await permitted(sharing, **MARKETING)
    await withdraw(sharing)

    found = {each.recipient.name: each for each in await reached(sharing, filter=HAS)}
    told = {each.disclosed: each for each in found["recipients/guard"].holdings}
    assert list(told[True].categories) == ["account.id", "account.reliability"]
    assert told[True].first_time.ToDatetime(tzinfo=began.tzinfo) == began
    assert told[True].last_time.ToDatetime(tzinfo=began.tzinfo) == sharing.bench.clock.now()
    assert told[True].decision == again.name
    assert told[True].grounds[0].citation == "mi-store@2025-05-20 §4.1.4"
    # A permit without a word of what was sent: it may have been.
    (ads,) = found["recipients/ads"].holdings
    assert not ads.disclosed
    assert ads.purpose == "direct_marketing"
    assert ads.grounds[0].consent
    assert not found["recipients/ads"].prospects


async def test_what_an_instrument_forbids_to_tell_is_not_told(sharing: Sharing) -> None:
    await sharing.know_person()
    await sharing.register("police", "law_enforcement", "NL")
    await sharing.register("court", "court", "NL")
    tomorrow = str(sharing.bench.clock.now().date().replace(day=2))
    secret = await activated(sharing, secret_until_date=tomorrow)
    plain = await activated(sharing)
    for recipient, name in (("recipients/police", secret.name), ("recipients/court", plain.name)):
        law = {**LAW, "recipient": recipient, "instrument": name}
        decision = await permitted(sharing, **law)
        await sent(sharing, decision, "order.details")
    assert [each.recipient.name for each in await reached(sharing, filter=HAS)] == [
        "recipients/court"
    ]
    both = await people(sharing, "recipients/police", filter=HAS)
    assert [each.subject for each in both] == [sharing.person]  # officers keep the instruments


async def test_pages_look_at_so_many_and_miss_nobody(sharing: Sharing) -> None:
    await sharing.know_person()
    for n in range(5):
        kind = "law_enforcement" if n % 2 else "business_partner"
        await sharing.register(f"r{n}", kind, "NL")
    shown = [each.recipient.name for each in await reached(sharing, page_size=2)]
    assert shown == ["recipients/r1", "recipients/r3"]
    for size, code in ((-1, "INVALID_FIELD"), (1000, "")):
        request = reach_service_pb2.ReachServiceListRecipientsRequest(page_size=size)
        if not code:
            await sharing.by_person("reach", "ListRecipients", request)
            continue
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await sharing.by_person("reach", "ListRecipients", request)
        assert from_error(caught.value, "sharing").reason == code


async def test_whose_data_a_recipient_has_is_for_officers_and_on_record(
    sharing: Sharing,
) -> None:
    await stand(sharing)
    one = sharing.person
    await sent(sharing, await permitted(sharing, **FRAUD), "account.reliability")
    sharing.person = two = new_account("nl")
    await sharing.know_person()
    before = rows(sharing.url, "outbox")
    had = await people(sharing, "recipients/guard", filter=HAS)
    assert [each.subject for each in had] == [one]
    assert [(each.purpose, each.disclosed) for each in had[0].holdings] == [
        ("fraud_prevention", True),
        ("fraud_prevention", False),
    ]
    assert rows(sharing.url, "outbox") == before + 1
    could = await people(sharing, "recipients/guard", page_size=1)
    assert [each.subject for each in could] == sorted([one, two])
    assert {may.purpose for each in could for may in each.prospects} == {"fraud_prevention"}
    # On what it rests, and on whose consent, so that an officer can end one.
    citation = "mi-store@2025-05-20 §4.1.4"
    assert {each.grounds[0].citation for each in had[0].holdings} == {citation}
    sharing.person = one
    await permitted(sharing, **MARKETING)
    found = await people(sharing, "recipients/ads")
    (ads,) = [each for each in found if each.holdings]
    (may,) = [each for each in ads.prospects if each.service == "mi_store"]
    assert may.grounds[0].consent == ads.holdings[0].grounds[0].consent
    assert may.grounds[0].consent.startswith(f"{one}/consents/")
    assert may.until_date == "2026-12-31"

    request = reach_service_pb2.ListSubjectsRequest(recipient="recipients/guard")
    for call in (
        sharing.call("reach", "ListSubjects", request, as_="staff/auditor/eva"),
        sharing.app("reach", "ListSubjects", request),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        assert from_error(caught.value, "sharing").reason == "CALLER_NOT_ALLOWED"
    request.recipient = "recipients/nobody"
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await sharing.by_officer("reach", "ListSubjects", request)
    assert from_error(caught.value, "sharing").reason == "NOT_FOUND"


async def test_what_could_be_is_evaluated_in_turns_with_no_transaction_open(
    sharing: Sharing, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stand(sharing)
    threads: set[threading.Thread] = set()
    turns: list[int] = []
    turn = 0

    def watched(*question: Any) -> Any:
        threads.add(threading.current_thread())
        return decide(*question)

    def counted(*asked: Any) -> Any:
        turns.append(turn)
        return prospects(*asked)

    async def others() -> None:
        nonlocal turn
        while True:
            turn += 1
            await asyncio.sleep(0)

    monkeypatch.setattr(reach, "decide", watched)
    monkeypatch.setattr(explanation, "decide", watched)
    monkeypatch.setattr(read_reach, "prospects", counted)
    beside = asyncio.create_task(others())
    assert await reached(sharing)
    assert await people(sharing, "recipients/guard")
    request = analysis_service_pb2.ExplainRequest(question=sharing.question(**FRAUD))
    await sharing.by_person("analysis", "Explain", request)
    beside.cancel()
    assert threads == {threading.main_thread()}
    assert len(turns) == len(set(turns)) > 10


async def test_who_asks_twice_at_once_is_told_to_come_again(sharing: Sharing) -> None:
    await stand(sharing)
    request = reach_service_pb2.ReachServiceListRecipientsRequest()
    both = await asyncio.gather(
        *(sharing.by_person("reach", "ListRecipients", request) for _ in range(2)),
        return_exceptions=True,
    )
    (refused,) = [each for each in both if isinstance(each, grpc.aio.AioRpcError)]
    fault = from_error(refused, "sharing")
    assert (fault.reason, fault.retry_after) == ("OVERLOADED", timedelta(seconds=1))
    assert await reached(sharing)  # and later both are


def test_apps_leave_room_for_people_and_officers() -> None:
    means: Any = SimpleNamespace(rulebook=SimpleNamespace(services={}))
    servicer = ReachServicer(means, {})
    with ExitStack() as turns:
        for app in ("app/a", "app/b"):
            turns.enter_context(servicer._turn(app, app=True))
        with pytest.raises(Fault, match="others are being answered"):
            turns.enter_context(servicer._turn("app/c", app=True))
        for person in ("accounts/a", "accounts/b"):
            turns.enter_context(servicer._turn(person, app=False))
        with pytest.raises(Fault, match="others are being answered"):
            turns.enter_context(servicer._turn("accounts/c", app=False))
    with servicer._turn("app/c", app=True):
        pass


async def test_no_permit_is_too_old_to_be_told(
    sharing: Sharing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored, "_NEWEST_PERMITS", 1)
    await stand(sharing)
    first = await permitted(sharing, **FRAUD)
    sharing.bench.clock.advance(timedelta(hours=1))
    await permitted(sharing, **FRAUD)
    await permitted(sharing, **MARKETING)
    for wanted in (HAS, reach_service_pb2.REACH_FILTER_UNSPECIFIED):
        found = {each.recipient.name: each for each in await reached(sharing, filter=wanted)}
        (guard,) = found["recipients/guard"].holdings
        assert (guard.purpose, guard.decision) == ("fraud_prevention", first.name)
        assert guard.first_time == first.decide_time
        assert found["recipients/ads"].holdings
    # Nobody recorded that anything was sent: whoever had a permit may have it all the same.
    for recipient in ("recipients/guard", "recipients/ads"):
        (person,) = await people(sharing, recipient, filter=HAS)
        assert person.subject == sharing.person
        assert [each.disclosed for each in person.holdings] == [False]
