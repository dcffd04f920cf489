"""Sharing over mTLS: questions taken apart, and what-if."""

from collections import Counter
from collections.abc import Iterable
from datetime import date

from accord.sharing.v1 import (
    analysis_service_pb2,
    analysis_service_pb2_grpc,
    decision_pb2,
    explanation_pb2,
    simulation_pb2,
)

from services.portal.domain.analysis import (
    Explanation,
    Flow,
    Gate,
    Hint,
    Inquiry,
    Replayed,
    Simulation,
    Supposition,
    Turn,
)
from services.portal.domain.person import Person
from services.portal.domain.sharing import Hindrance
from services.portal.peers.contracts import terms_out
from services.portal.peers.convert import known, moment, stamp
from services.portal.peers.peer import Peer
from services.portal.peers.reach import ground_of
from services.portal.peers.sharing import OUTCOMES
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
        answer = await self._analysis.ask(officer, lambda stub: stub.Explain, request)
        return _explanation(answer.explanation)

    async def simulate(self, officer: Person, supposed: Supposition, sample: int) -> Simulation:
        """Replay a sample of recorded questions under a change."""
        request = analysis_service_pb2.SimulateRequest(change=_change(supposed), sample_size=sample)
        flows: list[Flow] = []
        turned: Counter[Turn] = Counter()
        last = simulation_pb2.SimulationProgress()
        async for part in self._analysis.stream(
            lambda stub: stub.Simulate, request, timeout=_REPLAY, actor=officer.token
        ):
            if part.HasField("progress"):
                last = part.progress
            else:
                flow = _flow(part.flow)
                turned[flow.turn] += 1
                if len(flows) < _MOST_FLOWS:
                    flows.append(flow)
        return Simulation(last.replayed, turned, flows, last.draft_digest)


def _guest(inquiry: Inquiry) -> decision_pb2.Guest | None:
    if not inquiry.guest_jurisdiction and not inquiry.guest_session:
        return None
    return decision_pb2.Guest(
        jurisdiction=inquiry.guest_jurisdiction, session=inquiry.guest_session
    )


def _change(supposed: Supposition) -> simulation_pb2.Change:
    if supposed.rules:
        return simulation_pb2.Change(
            rulebook=simulation_pb2.RulebookDraft(
                files=[
                    simulation_pb2.RulebookFile(path=file.path, content=file.content)
                    for file in supposed.rules
                ],
                amends=not supposed.rules_whole,
            )
        )
    if supposed.terms_of:
        return simulation_pb2.Change(
            contract=simulation_pb2.ContractDraft(
                recipient=supposed.terms_of.recipient,
                terms=terms_out(supposed.terms_of.terms),
                replaces=supposed.terms_of.name,
            )
        )
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
        obligations=_obligations(message.obligations),
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
        before=_replayed(message.before),
        after=_replayed(message.after),
    )


def _replayed(message: simulation_pb2.SimulatedAnswer) -> Replayed:
    return Replayed(
        outcome=known(OUTCOMES, message.outcome) if message.outcome else None,
        hindrances=[_hindrance(each) for each in message.reasons],
        citations=tuple(message.citations),
        permitted=tuple(message.permitted_categories),
        obligations=_obligations(message.obligations),
    )


def _obligations(values: "Iterable[decision_pb2.Obligation.ValueType]") -> list[str]:
    return [enum_key(decision_pb2.Obligation.Name, each, "OBLIGATION_").lower() for each in values]
