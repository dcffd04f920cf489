"""Sharing over mTLS: questions taken apart, and what-if."""

from datetime import date

from accord.sharing.v1 import (
    analysis_service_pb2,
    analysis_service_pb2_grpc,
    decision_pb2,
    explanation_pb2,
    simulation_pb2,
)

from runtime.channel import Peer
from services.portal.domain.analysis import (
    Explanation,
    Flow,
    Gate,
    Hint,
    Inquiry,
    Simulation,
    Supposition,
)
from services.portal.domain.person import Person
from services.portal.domain.sharing import Hindrance
from services.portal.peers.convert import known, moment, stamp
from services.portal.peers.reach import ground_of
from services.portal.peers.sharing import OUTCOMES, TIMEOUT
from services.portal.peers.vocabulary import enum_key, reason_key

_REPLAY = 25.0  # seconds
_MOST_FLOWS = 100


class AnalysisPeer:
    """Takes decisions apart for officers."""

    def __init__(
        self, analysis: "Peer[analysis_service_pb2_grpc.AnalysisServiceAsyncStub]"
    ) -> None:
        self._analysis = analysis

    async def explain(self, officer: Person, inquiry: Inquiry) -> Explanation:
        """Evaluate every gate for a question."""
        request = analysis_service_pb2.ExplainRequest(
            question=decision_pb2.Question(
                account=inquiry.account,
                guest=_guest(inquiry),
                service=inquiry.service,
                recipient=inquiry.recipient,
                purpose=inquiry.purpose,
                categories=inquiry.categories,
                destination=inquiry.destination,
                relation=inquiry.relation,
                subprocessor=inquiry.subprocessor,
                instrument=inquiry.instrument,
                signed_in=inquiry.signed_in,
                de_identified=inquiry.de_identified,
            ),
            as_of_time=stamp(inquiry.as_of) if inquiry.as_of else None,
        )
        answer = await self._analysis.call(
            lambda stub: stub.Explain, request, timeout=TIMEOUT, actor=officer.token
        )
        return _explanation(answer.explanation)

    async def simulate(self, officer: Person, supposed: Supposition, sample: int) -> Simulation:
        """Replay a sample of recorded questions under a change."""
        request = analysis_service_pb2.SimulateRequest(change=_change(supposed), sample_size=sample)
        flows: list[Flow] = []
        last = simulation_pb2.SimulationProgress()
        async for part in self._analysis.stream(
            lambda stub: stub.Simulate, request, timeout=_REPLAY, actor=officer.token
        ):
            if part.HasField("progress"):
                last = part.progress
            elif len(flows) < _MOST_FLOWS:
                flows.append(_flow(part.flow))
        return Simulation(last.replayed, last.changed, flows)


def _guest(inquiry: Inquiry) -> decision_pb2.Guest | None:
    if not inquiry.guest_jurisdiction and not inquiry.guest_session:
        return None
    return decision_pb2.Guest(
        jurisdiction=inquiry.guest_jurisdiction, session=inquiry.guest_session
    )


def _change(supposed: Supposition) -> simulation_pb2.Change:
    if supposed.contract_ended:
        return simulation_pb2.Change(contract_ended=supposed.contract_ended)
    if supposed.recipient_moved:
        return simulation_pb2.Change(
            recipient_moved=simulation_pb2.RecipientMoved(
                recipient=supposed.recipient_moved, jurisdiction=supposed.moved_to
            )
        )
    return simulation_pb2.Change(
        consents_withdrawn=simulation_pb2.ConsentsWithdrawn(
            purpose=supposed.purpose_withdrawn, recipient=supposed.recipient_withdrawn
        )
    )


def _explanation(message: explanation_pb2.Explanation) -> Explanation:
    return Explanation(
        outcome=known(OUTCOMES, message.outcome),
        gates=[
            Gate(
                number=gate.number,
                state=enum_key(explanation_pb2.GateState.Name, gate.state, "GATE_STATE_").lower(),
                reasons=[
                    (_hindrance(each.reason), [_hint(hint) for hint in each.hints])
                    for each in gate.reasons
                ],
            )
            for gate in message.gates
        ],
        destination=message.question.destination,
        permitted=tuple(message.permitted_categories),
        grounds=[ground_of(each) for each in message.grounds],
        obligations=[
            enum_key(decision_pb2.Obligation.Name, each, "OBLIGATION_").lower()
            for each in message.obligations
        ],
        contract=message.contract,
        moment=moment(message.moment),
        historical=message.historical,
        notices=tuple(message.notices),
        rulebook_digest=message.rulebook_digest,
    )


def _hindrance(message: decision_pb2.DecisionReason) -> Hindrance:
    return Hindrance(
        reason=reason_key(message.reason),
        denies=message.outcome == decision_pb2.OUTCOME_DENY,
        gate=message.gate,
        citations=tuple(message.citations),
        categories=tuple(message.categories),
    )


def _hint(message: explanation_pb2.Hint) -> Hint:
    term = enum_key(explanation_pb2.ContractTerm.Name, message.term, "CONTRACT_TERM_").lower()
    return Hint(
        remedy=enum_key(explanation_pb2.Remedy.Name, message.remedy, "REMEDY_").lower(),
        party=enum_key(explanation_pb2.Party.Name, message.party, "PARTY_").lower(),
        resource=message.resource,
        categories=tuple(message.categories),
        term="" if term == "unspecified" else term,
        values=tuple(message.values),
        day=date.fromisoformat(message.date) if message.date else None,
    )


def _flow(message: simulation_pb2.ChangedFlow) -> Flow:
    return Flow(
        decision=message.decision,
        service=message.service,
        recipient=message.recipient,
        purpose=message.purpose,
        categories=tuple(message.categories),
        before=known(OUTCOMES, message.before.outcome),
        after=known(OUTCOMES, message.after.outcome),
        reasons=[reason_key(each.reason) for each in message.after.reasons],
    )
