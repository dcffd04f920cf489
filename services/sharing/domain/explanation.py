"""A question taken apart: every gate in order, what stands in the way, what would help."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.sharing.domain.case import Case
from services.sharing.domain.contracts import needs_contract
from services.sharing.domain.engine import decide
from services.sharing.domain.hints import Hint, hints
from services.sharing.domain.question import Answer, Facts, Finding, Question
from services.sharing.domain.rulebook import Rulebook
from services.sharing.domain.vocabulary import DATA_HOSTING, LEGAL_DISCLOSURE, Outcome


class GateState(StrEnum):
    """How a question fared at one gate."""

    PASSED = "passed"
    NOT_APPLICABLE = "not_applicable"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Gate:
    """One gate, with what it found and what would help."""

    number: int
    state: GateState
    found: tuple[tuple[Finding, tuple[Hint, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Explanation:
    """An answer taken apart. It is no decision: it permits nothing and has no name."""

    question: Question
    answer: Answer
    gates: tuple[Gate, ...]
    moment: datetime
    historical: bool
    notices: tuple[str, ...]
    rulebook_digest: str


def explain(
    rulebook: Rulebook, question: Question, facts: Facts, moment: datetime, *, historical: bool
) -> Explanation:
    """Decide a question that `check_question` admitted, and say gate by gate how."""
    answer = decide(rulebook, question, facts, moment)
    case = Case(rulebook, question, facts, moment)
    judged = next(
        (known for known in facts.contracts if known.version_name == answer.contract), None
    )
    applies = _applying(case, answer)
    gates = []
    for number in range(1, 9):
        found = tuple(
            (finding, hints(case, judged, finding))
            for finding in answer.findings
            if finding.gate == number
        )
        if found:
            state = GateState.FAILED
        else:
            state = GateState.PASSED if applies[number] else GateState.NOT_APPLICABLE
        gates.append(Gate(number, state, found))
    return Explanation(
        question=question,
        answer=answer,
        gates=tuple(gates),
        moment=moment,
        historical=historical,
        notices=case.speaking.notices,
        rulebook_digest=rulebook.digest,
    )


def _applying(case: Case, answer: Answer) -> dict[int, bool]:
    """Tell which gates judge a question like this one; one that found something surely does."""
    personal = case.question.personal
    by_law = case.purpose.key == LEGAL_DISCLOSURE
    localised = case.place is not None and case.place.localised and case.purpose.key == DATA_HOSTING
    return {
        1: True,
        2: personal,
        3: True,
        4: personal and not by_law,
        5: personal,
        6: needs_contract(case),
        7: localised or (case.place is not None and bool(answer.contract)),
        8: answer.outcome is Outcome.PERMIT,
    }
