"""Explain over the wire: every gate, who may ask about whom, and what stays on record."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import grpc
import pytest
from accord.sharing.v1 import analysis_service_pb2 as pb
from accord.sharing.v1 import decision_pb2, explanation_pb2, reason_pb2, subject_pb2

from runtime.errors import from_error
from runtime.ids import new_account
from tests.contract.sharing.conftest import Sharing, rows
from tests.contract.sharing.test_freshness import FRAUD, MARKETING, stand, terminate, withdraw

HOUR = timedelta(hours=1)
PASSED = explanation_pb2.GATE_STATE_PASSED
FAILED = explanation_pb2.GATE_STATE_FAILED


def asked(sharing: Sharing, ago: timedelta | None = None, **question: Any) -> pb.ExplainRequest:
    request = pb.ExplainRequest(question=sharing.question(**question))
    if ago is not None:
        request.as_of_time.FromDatetime(sharing.bench.clock.now() - ago)
    return request


async def explained(sharing: Sharing, ago: timedelta | None = None, **question: Any) -> Any:
    request = asked(sharing, ago, **question)
    answer = await sharing.call("analysis", "Explain", request, as_="staff/officer/ana")
    return answer.explanation


async def refusal(call: Any) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return from_error(caught.value, "sharing").reason


async def test_every_gate_is_shown_in_order_and_what_would_help(sharing: Sharing) -> None:
    await stand(sharing)
    permit = await explained(sharing, **MARKETING)
    assert permit.outcome == decision_pb2.OUTCOME_PERMIT
    assert [gate.number for gate in permit.gates] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert {gate.state for gate in permit.gates} == {PASSED}
    assert permit.notices == ["mi-store@2025-05-20"]
    assert permit.question.destination == "DE"
    assert permit.obligations
    assert permit.grounds

    await withdraw(sharing)
    denied = await explained(sharing, **MARKETING)
    assert denied.outcome == decision_pb2.OUTCOME_DENY
    assert [gate.number for gate in denied.gates if gate.state == FAILED] == [4]
    (reason,) = denied.gates[3].reasons
    assert reason.reason.reason == reason_pb2.REASON_CONSENT_WITHDRAWN
    assert reason.reason.citations
    (hint,) = reason.hints
    assert hint.remedy == explanation_pb2.REMEDY_GIVE_CONSENT
    assert hint.party == explanation_pb2.PARTY_PERSON
    assert hint.resource.startswith(f"{sharing.person}/consents/")
    assert hint.consent.purposes == ["direct_marketing"]
    assert hint.consent.recipient == "recipients/ads"


async def test_the_past_is_answered_as_it_was_and_permits_nothing(sharing: Sharing) -> None:
    clock = sharing.bench.clock
    await stand(sharing)
    clock.advance(HOUR)
    await withdraw(sharing)
    await terminate(sharing)
    await sharing.know_person(version=2, status=subject_pb2.SUBJECT_STATUS_FROZEN)
    clock.advance(HOUR)

    then = await explained(sharing, timedelta(hours=1, microseconds=1), **MARKETING)
    assert then.outcome == decision_pb2.OUTCOME_PERMIT
    assert then.historical
    assert not then.obligations
    assert then.moment.ToDatetime(tzinfo=clock.now().tzinfo) == clock.now() - HOUR - timedelta(
        microseconds=1
    )
    for ago in (HOUR, timedelta()):
        since = await explained(sharing, ago, **MARKETING)
        assert since.outcome == decision_pb2.OUTCOME_DENY
        failed = [gate.number for gate in since.gates if gate.state == FAILED]
        assert failed == [4, 6]
    frozen = await explained(sharing, HOUR, **FRAUD)
    assert [gate.number for gate in frozen.gates if gate.state == FAILED] == [2, 6]

    before = await explained(sharing, timedelta(days=1), **MARKETING)
    reasons = [each.reason.reason for gate in before.gates for each in gate.reasons]
    assert reason_pb2.REASON_SUBJECT_UNKNOWN in reasons
    assert reason_pb2.REASON_CONTRACT_MISSING in reasons


async def test_a_moment_to_come_is_no_past(sharing: Sharing) -> None:
    await stand(sharing)
    later = asked(sharing, -HOUR, **FRAUD)
    call = sharing.call("analysis", "Explain", later, as_="staff/auditor/eva")
    assert await refusal(call) == "INVALID_FIELD"


async def test_it_is_on_record_as_a_read_and_is_no_decision(sharing: Sharing) -> None:
    await stand(sharing)
    before = rows(sharing.url, "outbox")
    await explained(sharing, **FRAUD)
    await explained(sharing, HOUR, **FRAUD)
    assert rows(sharing.url, "outbox") == before + 2
    assert rows(sharing.url, "decisions") == 0


async def test_a_person_asks_about_themself_alone(sharing: Sharing) -> None:
    await stand(sharing)
    own = await sharing.by_person("analysis", "Explain", asked(sharing, timedelta(), **FRAUD))
    assert own.explanation.outcome == decision_pb2.OUTCOME_PERMIT
    nobody = {"purpose": "statistics", "categories": ["usage.statistics"], "account": ""}
    for others in ({**FRAUD, "account": new_account("nl")}, {**FRAUD, **nobody}):
        call = sharing.by_person("analysis", "Explain", asked(sharing, **others))
        assert await refusal(call) == "CALLER_NOT_ALLOWED"
    for role in ("officer", "auditor"):
        answer = await sharing.call(
            "analysis",
            "Explain",
            asked(sharing, **FRAUD),
            as_="svc/portal",
            actor=(sharing.officer, role),
        )
        assert answer.explanation.outcome == decision_pb2.OUTCOME_PERMIT


async def test_an_app_asks_check_and_nothing_else(sharing: Sharing) -> None:
    await stand(sharing)
    for ago in (None, HOUR):
        call = sharing.app("analysis", "Explain", asked(sharing, ago, **FRAUD))
        assert await refusal(call) == "CALLER_NOT_ALLOWED"


async def test_what_is_malformed_or_elsewhere_is_refused_as_check_refuses_it(
    sharing: Sharing,
) -> None:
    await stand(sharing)
    for question, reason in (
        ({**FRAUD, "account": new_account("in")}, "WRONG_REGION"),
        ({**FRAUD, "recipient": "recipients/nobody"}, "NOT_FOUND"),
        ({**FRAUD, "purpose": "world_domination"}, "INVALID_FIELD"),
    ):
        call = sharing.call(
            "analysis", "Explain", asked(sharing, **question), as_="staff/officer/ana"
        )
        assert await refusal(call) == reason
    assert (
        await refusal(
            sharing.call("analysis", "Explain", pb.ExplainRequest(), as_="staff/officer/ana")
        )
        == "INVALID_FIELD"
    )
