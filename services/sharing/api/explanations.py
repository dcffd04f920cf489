"""Explanations on the wire."""

from accord.sharing.v1 import consent_pb2, decision_pb2, explanation_pb2

from services.sharing.api import encoding
from services.sharing.domain.explanation import Explanation, Gate, GateState
from services.sharing.domain.hints import Hint, Party, Remedy, Term

# As in encoding: a word without its name on the wire fails at import.
_STATES = {word: explanation_pb2.GateState.Value(f"GATE_STATE_{word.name}") for word in GateState}
_REMEDIES = {word: explanation_pb2.Remedy.Value(f"REMEDY_{word.name}") for word in Remedy}
_PARTIES = {word: explanation_pb2.Party.Value(f"PARTY_{word.name}") for word in Party}
_TERMS = {word: explanation_pb2.ContractTerm.Value(f"CONTRACT_TERM_{word.name}") for word in Term}


def explanation(value: Explanation, question: decision_pb2.Question) -> explanation_pb2.Explanation:
    """Encode an explanation of a question; one of the past obliges to nothing."""
    answer = value.answer
    message = explanation_pb2.Explanation(
        question=question,
        outcome=encoding.OUTCOMES[answer.outcome],
        gates=[_gate(gate) for gate in value.gates],
        permitted_categories=answer.permitted_categories,
        obligations=[]
        if value.historical
        else [encoding.OBLIGATIONS[duty] for duty in answer.obligations],
        grounds=[encoding.ground(ground) for ground in answer.grounds],
        contract=answer.contract,
        moment=encoding.stamp(value.moment),
        historical=value.historical,
        notices=value.notices,
        rulebook_digest=value.rulebook_digest,
    )
    message.question.destination = value.question.destination
    return message


def _gate(gate: Gate) -> explanation_pb2.Gate:
    return explanation_pb2.Gate(
        number=gate.number,
        state=_STATES[gate.state],
        reasons=[
            explanation_pb2.ExplainedReason(
                reason=encoding.reason(finding), hints=[_hint(hint) for hint in hints]
            )
            for finding, hints in gate.found
        ],
    )


def _hint(hint: Hint) -> explanation_pb2.Hint:
    message = explanation_pb2.Hint(
        remedy=_REMEDIES[hint.remedy],
        party=_PARTIES[hint.party],
        resource=hint.resource,
        categories=hint.categories,
        term=_TERMS[hint.term] if hint.term else explanation_pb2.CONTRACT_TERM_UNSPECIFIED,
        values=hint.values,
        date=hint.day.isoformat() if hint.day else "",
    )
    if hint.consent:
        message.consent.CopyFrom(
            consent_pb2.ConsentScope(
                service=hint.consent.service,
                purposes=sorted(hint.consent.purposes),
                categories=sorted(hint.consent.categories),
                recipient=hint.consent.recipient,
            )
        )
    return message
