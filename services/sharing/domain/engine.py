"""The decision: every gate in its order, all reasons, one outcome. Pure and deterministic."""

from collections.abc import Callable
from datetime import datetime

from services.sharing.domain import gates
from services.sharing.domain.case import Case
from services.sharing.domain.contracts import best_contract, contract, needs_contract
from services.sharing.domain.question import Answer, Facts, Ground, Question
from services.sharing.domain.rulebook import Rulebook
from services.sharing.domain.vocabulary import (
    LEGAL_DISCLOSURE,
    REASONS,
    Basis,
    Obligation,
    Outcome,
    Reason,
)

# The order of a decision. Each gate notes every reason that holds and none stops another; what
# the contract gate finds of the border (the safeguards of gate 7) sorts behind gate 6 by itself.
GATES: tuple[tuple[str, Callable[[Case], None]], ...] = (
    ("1 absolute prohibitions", gates.absolute_prohibitions),
    ("2 the person's account", gates.account),
    ("3 the notice", gates.notice),
    ("4 the person's choices", gates.choices),
    ("5 legal basis", gates.legal_basis),
    ("6 contract with the recipient", contract),
    ("7 border", gates.localisation),
)
_PIPELINE = tuple(gate for _, gate in GATES)

# Found anew for each category, since another contract may cover it when it is asked alone.
_OF_CONTRACTS = frozenset(
    reason
    for reason, (gate, _) in REASONS.items()
    if gate == 6  # noqa: PLR2004  the gate's number
) | {Reason.TRANSFER_SAFEGUARD_MISSING}


def decide(
    rulebook: Rulebook, question: Question, facts: Facts, now: datetime, *, remember: bool = False
) -> Answer:
    """Answer a question that `check_question` admitted, from these facts, at this moment.

    DENY beats GAP beats PERMIT. Reasons are complete: first those that deny, in gate order, then
    the gaps. Obligations and grounds belong to a permit alone. `remember` is for facts whose
    contracts come again, the very same: others would drive out the answers about these.
    """
    case = Case(rulebook, question, facts, now)
    contracts, key = facts.contracts, _likeness(case) if remember else None
    known = case.flow.answers.get(key) if key else None
    if known and known[0] is contracts:
        answer = known[1]
    else:
        answer = _answer(case)
        if key:
            case.flow.answers.remember(key, contracts, answer)
    if case.consents and answer.outcome is Outcome.PERMIT:
        return Answer(*answer[:4], _grounds(case), answer.contract)
    return answer


def _likeness(case: Case) -> tuple[object, ...] | None:
    """Return all that an answer depends on, but for the contracts, and the consents it names.

    Whoever is alike in it gets the same answer, worked out once. What a gate reads stands here: by
    itself, or in the flow. None where that is too much to tell: what the law orders, and where a
    sub-processor is named, since callers could ask without end for ever new ones.
    """
    question, subject, purpose = case.question, case.subject, case.purpose
    if question.subprocessor or purpose.key == LEGAL_DISCLOSURE:
        return None
    return (
        case.flow,
        case.place.country if case.place else "",  # a guest has one without being a subject
        question.recipient,
        question.destination,
        bool(question.relation),
        question.signed_in,
        question.de_identified,
        subject
        and (
            subject.status,
            subject.birth_date is None,
            purpose.marketing and gates.is_minor(case),
            subject.since.date() if case.speaking.versions else None,
        ),
        *[(choice.kind, choice.value) for choice in case.choices],
        *[verdict for verdict, _ in case.consents.values()],
    )


def _answer(case: Case) -> Answer:
    """Ask every gate; what rests on consents has no grounds yet."""
    for gate in _PIPELINE:
        gate(case)
    categories = case.question.categories
    judged = case.contract.version_name if case.contract else ""
    if not case.findings:
        grounds = () if case.consents else _grounds(case)
        return Answer(Outcome.PERMIT, (), categories, _obligations(case), grounds, judged)
    denying = [found for found in case.findings if found.outcome is Outcome.DENY]
    gaps = [found for found in case.findings if found.outcome is Outcome.GAP]
    return Answer(
        outcome=Outcome.DENY if denying else Outcome.GAP,
        findings=(*denying, *gaps),
        permitted_categories=_permitted_alone(case),
        obligations=(),
        grounds=(),
        contract=judged,
    )


def _permitted_alone(case: Case) -> tuple[str, ...]:
    """Return the categories that, asked alone, would be permitted.

    What gates 1 to 5 find about a category does not depend on the others, so that it holds for
    the category alone as well; the choice of the contract does depend on them.
    """
    categories = case.question.categories
    if len(categories) == 1:
        return ()
    blocked = {
        category
        for found in case.findings
        if found.reason not in _OF_CONTRACTS
        for category in found.categories
    }
    alone = [category for category in categories if category not in blocked]
    if alone and needs_contract(case):
        alone = [category for category in alone if not best_contract(case, (category,))[1]]
    return tuple(alone)


def _obligations(case: Case) -> tuple[Obligation, ...]:
    """Gate 8: what a permit obliges to."""
    owed = dict.fromkeys(case.flow.owed)
    if case.contract and case.contract.terms.delete_on_termination:
        owed[Obligation.DELETE_ON_TERMINATION] = None
    owed[Obligation.RECORD_DISCLOSURE] = None
    return tuple(owed)


def _grounds(case: Case) -> tuple[Ground, ...]:
    if not case.consents and case.bases is case.flow.bases:
        return case.flow.grounds
    grounds: dict[tuple[str, Basis, str, datetime | None], list[str]] = {}
    for category, cell in case.cells.items():
        basis = case.bases[category]
        consent = case.consents[category][1] if basis is Basis.CONSENT else None
        relied = (consent.name, consent.expires) if consent else ("", None)
        key = (cell.citation, basis or cell.basis, *relied)
        grounds.setdefault(key, []).append(category)
    return tuple(
        Ground(tuple(categories), citation, basis, consent, ends)
        for (citation, basis, consent, ends), categories in grounds.items()
    )
