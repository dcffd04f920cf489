"""What was really sent: said by the app that asked, within what was permitted, and never lost."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from accord.sharing.v1 import disclosure_service_pb2 as pb

from runtime.errors import from_error
from tests.contract.sharing.conftest import request_id, rows
from tests.contract.sharing.test_instruments import LAW, activated
from tests.contract.sharing.test_permits import MARKETING, advertising, delivering
from tests.contract.sharing.test_records import actions

if TYPE_CHECKING:
    from accord.sharing.v1.disclosure_pb2 import Disclosure

    from tests.contract.sharing.conftest import Sharing

AUDITOR = "staff/auditor/aisha"


def sent(decision: str, *categories: str, **more: Any) -> pb.RecordDisclosureRequest:
    return pb.RecordDisclosureRequest(
        request_id=request_id(), decision=decision, categories=categories, **more
    )


async def recorded(sharing: Sharing, decision: str, *categories: str, **more: Any) -> Disclosure:
    request = sent(decision, *(categories or ("contact.name",)), **more)
    answer = await sharing.app("disclosures", "RecordDisclosure", request)
    assert answer.token
    disclosure: Disclosure = answer.disclosure
    return disclosure


async def refusal(sharing: Sharing, request: Any, as_: str = "app/mi-store") -> Any:
    before = rows(sharing.url, "disclosures")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await sharing.call("disclosures", "RecordDisclosure", request, as_=as_)
    assert rows(sharing.url, "disclosures") == before
    return from_error(refused.value, "sharing")


async def listed(
    sharing: Sharing, as_: str = "svc/portal", role: str = "person", **request: Any
) -> list[str]:
    who = sharing.person if role == "person" else sharing.officer
    answer = await sharing.call(
        "disclosures",
        "ListDisclosures",
        pb.ListDisclosuresRequest(**request),
        as_=as_,
        actor=(who, role) if as_ == "svc/portal" else (),
    )
    return [disclosure.name for disclosure in answer.disclosures]


async def test_what_was_sent_is_on_record_for_the_person_and_for_staff(sharing: Sharing) -> None:
    await delivering(sharing)
    decision = await sharing.check()
    now = sharing.bench.clock.now()
    first = await recorded(sharing, decision.name, "contact.phone", "contact.name", record_count=2)
    assert first.decision == decision.name
    assert list(first.categories) == ["contact.name", "contact.phone"]
    assert (first.record_count, first.late, first.sender) == (2, False, "mi-store")
    assert (first.recipient, first.purpose) == ("recipients/dhl", "delivery")
    assert first.disclose_time.ToDatetime(now.tzinfo) == now
    second = await recorded(sharing, decision.name)
    both = [second.name, first.name]
    assert await listed(sharing) == both
    assert await listed(sharing, decision=decision.name) == both
    assert await listed(sharing, AUDITOR, decision=decision.name) == both
    assert await listed(sharing, "staff/officer/otto", decision=decision.name) == both
    assert await listed(sharing, role="auditor", decision=decision.name) == both
    assert actions(sharing.url).count("sharing:disclosure:record") == 2


async def test_a_request_that_is_repeated_records_once(sharing: Sharing) -> None:
    await delivering(sharing)
    request = sent((await sharing.check()).name, "contact.name")
    answers = [await sharing.app("disclosures", "RecordDisclosure", request) for _ in range(2)]
    assert answers[0].disclosure == answers[1].disclosure
    assert rows(sharing.url, "disclosures") == 1
    request.categories.append("contact.phone")
    assert (await refusal(sharing, request)).reason == "REQUEST_ID_REUSED"


async def test_what_was_sent_late_is_recorded_as_late_and_never_lost(sharing: Sharing) -> None:
    await delivering(sharing)
    decision = await sharing.check()
    sharing.bench.clock.advance(timedelta(minutes=5))
    assert (await recorded(sharing, decision.name)).late
    in_time = sent(decision.name, "contact.name")
    in_time.disclose_time.CopyFrom(decision.decide_time)
    answer = await sharing.app("disclosures", "RecordDisclosure", in_time)
    assert not answer.disclosure.late  # it is told late, and was sent in time
    sharing.bench.clock.advance(timedelta(days=400))
    assert (await recorded(sharing, decision.name)).late
    assert len(await listed(sharing)) == 3


async def test_sent_after_the_consent_has_ended_is_late(sharing: Sharing) -> None:
    await advertising(sharing, sharing.bench.clock.now() + timedelta(seconds=90))
    decision = await sharing.check(**MARKETING)
    sharing.bench.clock.advance(timedelta(seconds=89))
    assert not (await recorded(sharing, decision.name, "contact.email")).late
    sharing.bench.clock.advance(timedelta(seconds=1))
    assert (await recorded(sharing, decision.name, "contact.email")).late


async def test_only_a_permit_is_disclosed_under(sharing: Sharing) -> None:
    await delivering(sharing)
    denied = await sharing.check(purpose="sale")
    gap = await sharing.check(relation="")
    for decision, outcome in ((denied, "deny"), (gap, "gap")):
        fault = await refusal(sharing, sent(decision.name, "contact.name"))
        assert (fault.reason, fault.metadata["outcome"]) == ("NO_PERMIT", outcome)


async def test_nothing_is_sent_that_was_not_permitted(sharing: Sharing) -> None:
    await delivering(sharing)
    decision = await sharing.check(categories=["contact.name"])
    fault = await refusal(sharing, sent(decision.name, "contact.name", "contact.phone"))
    assert (fault.reason, fault.metadata) == (
        "CATEGORY_NOT_PERMITTED",
        {"category": "contact.phone"},
    )
    for request, field in (
        (sent(decision.name), "categories"),
        (sent(decision.name, "contact.name", "contact.name"), "categories"),
        (sent(decision.name, "contact.name", record_count=-1), "record_count"),
        (sent("decisions/", "contact.name"), "decision"),
    ):
        fault = await refusal(sharing, request)
        assert (fault.reason, fault.metadata["field"]) == ("INVALID_FIELD", field)
    for moved in (timedelta(minutes=-2), timedelta(minutes=2)):
        request = sent(decision.name, "contact.name")
        request.disclose_time.FromDatetime(sharing.bench.clock.now() + moved)
        assert (await refusal(sharing, request)).metadata == {"field": "disclose_time"}


async def test_another_app_s_decision_is_not_there(sharing: Sharing) -> None:
    await delivering(sharing)
    request = sent((await sharing.check()).name, "contact.name")
    assert (await refusal(sharing, request, "app/live-chat")).reason == "NOT_FOUND"
    unknown = sent("decisions/nl-00000000000000000000000000", "contact.name")
    assert (await refusal(sharing, unknown)).reason == "NOT_FOUND"


async def test_nobody_lists_what_is_not_theirs(sharing: Sharing) -> None:
    await delivering(sharing)
    decision = await sharing.check()
    await recorded(sharing, decision.name)
    for as_, role, request, reason in (
        (AUDITOR, "", {}, "INVALID_FIELD"),
        (AUDITOR, "", {"decision": "decisions/nl-00000000000000000000000000"}, "NOT_FOUND"),
        ("app/mi-store", "", {"decision": decision.name}, "CALLER_NOT_ALLOWED"),
        ("staff/operator/olivia", "", {"decision": decision.name}, "CALLER_NOT_ALLOWED"),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await listed(sharing, as_, role, **request)
        assert from_error(refused.value, "sharing").reason == reason
    sharing.person, _ = sharing.second, await sharing.know_person()
    assert await listed(sharing) == []
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await listed(sharing, decision=decision.name)
    assert from_error(refused.value, "sharing").reason == "NOT_FOUND"


async def test_a_list_goes_on_where_its_page_ended(sharing: Sharing) -> None:
    await delivering(sharing)
    decision = await sharing.check()
    names = [(await recorded(sharing, decision.name)).name for _ in range(3)]
    request = pb.ListDisclosuresRequest(page_size=2)
    page = await sharing.by_person("disclosures", "ListDisclosures", request)
    request.page_token = page.next_page_token
    rest = await sharing.by_person("disclosures", "ListDisclosures", request)
    found = [*page.disclosures, *rest.disclosures]
    assert [disclosure.name for disclosure in found] == names[::-1]
    assert rest.next_page_token == ""


async def test_what_an_instrument_forbids_telling_is_shown_to_staff_alone(
    sharing: Sharing,
) -> None:
    await sharing.know_person()
    await sharing.register("police", "law_enforcement", "NL")
    last = sharing.bench.clock.now().date() + timedelta(days=7)
    order = await activated(sharing, secret_until_date=str(last))
    decision = await sharing.check(**LAW, instrument=order.name)
    name = (await recorded(sharing, decision.name, "order.details")).name
    assert await listed(sharing) == []
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await listed(sharing, decision=decision.name)
    assert from_error(refused.value, "sharing").reason == "NOT_FOUND"
    assert await listed(sharing, AUDITOR, decision=decision.name) == [name]
    sharing.bench.clock.advance(timedelta(days=8))
    assert await listed(sharing) == [name]
