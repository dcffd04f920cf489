"""What would be otherwise: one question, decided as things stand and after a change."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from runtime.fault import Fault
from services.sharing.domain.contracts import by_effect
from services.sharing.domain.engine import decide
from services.sharing.domain.question import Answer, Facts, Question, check_question
from services.sharing.domain.records import (
    Consent,
    ConsentState,
    Contract,
    ContractState,
    Terms,
)
from services.sharing.domain.rulebook import Rulebook

# Takes a question with its facts to where they would be.
Change = Callable[[Question, Facts], tuple[Question, Facts]]


@dataclass(frozen=True, slots=True)
class Replay:
    """A question answered twice. `after` None: the draft does not know a word of it any more."""

    before: Answer
    after: Answer | None

    @property
    def differs(self) -> bool:
        """Tell whether it is answered otherwise; under another clause is the same answer."""
        return self.after is None or _gist(self.before) != _gist(self.after)


def replay(
    rules: tuple[Rulebook, Rulebook],
    change: Change,
    question: Question,
    facts: Facts,
    moment: datetime,
) -> Replay | None:
    """Decide a recorded question twice; None when it cannot be asked by the rules in force.

    `rules` are those in force and those of the draft, which may be the same.
    """
    rulebook, draft = rules
    if not _knows(rulebook, question, facts):
        return None
    before = decide(rulebook, question, facts, moment)
    question, facts = change(question, facts)
    after = decide(draft, question, facts, moment) if _knows(draft, question, facts) else None
    return Replay(before, after)


def nothing(question: Question, facts: Facts) -> tuple[Question, Facts]:
    """Leave the records alone: the rules change."""
    return question, facts


def contract_ended(name: str) -> Change:
    """Suspend or terminate a contract: the answer is the same."""

    def change(question: Question, facts: Facts) -> tuple[Question, Facts]:
        contracts = [
            replace(each, state=ContractState.TERMINATED) if each.name == name else each
            for each in facts.contracts
        ]
        return question, facts._replace(contracts=contracts)

    return change


def contract_drafted(recipient: str, terms: Terms, replaces: str) -> Change:
    """Put terms in force, in the place of a contract or besides all others."""

    def change(question: Question, facts: Facts) -> tuple[Question, Facts]:
        if question.recipient != recipient:
            return question, facts
        kept = [each for each in reversed(facts.contracts) if each.name != replaces]
        draft = Contract(replaces or "contracts/draft", 0, ContractState.ACTIVE, terms)
        return question, facts._replace(contracts=by_effect([*kept, draft]))

    return change


def consents_withdrawn(purpose: str, recipient: str, now: datetime) -> Change:
    """Withdraw everybody's consents for a purpose, to a recipient or kind, or both."""

    def concerned(consent: Consent) -> bool:
        return (not purpose or purpose in consent.scope.purposes) and (
            not recipient or consent.scope.recipient == recipient
        )

    def change(question: Question, facts: Facts) -> tuple[Question, Facts]:
        consents = [
            replace(each, state=ConsentState.WITHDRAWN, withdrawn=now)
            if concerned(each) and each.state_at(now) in _GIVEN
            else each
            for each in facts.consents
        ]
        return question, facts._replace(consents=consents)

    return change


def recipient_moved(recipient: str, jurisdiction: str) -> Change:
    """Establish a recipient elsewhere; what went to its country goes to the other one."""

    def change(question: Question, facts: Facts) -> tuple[Question, Facts]:
        if question.recipient != recipient:
            return question, facts
        if question.destination == facts.recipient.jurisdiction:
            question = question._replace(destination=jurisdiction)
        moved = replace(facts.recipient, jurisdiction=jurisdiction)
        return question, facts._replace(recipient=moved)

    return change


_GIVEN = {ConsentState.GIVEN, ConsentState.RENEWED}


def _gist(answer: Answer) -> tuple[object, ...]:
    reasons = frozenset((found.reason, found.categories) for found in answer.findings)
    return (
        answer.outcome,
        reasons,
        frozenset(answer.permitted_categories),
        frozenset(answer.obligations),
    )


def _knows(rulebook: Rulebook, question: Question, facts: Facts) -> bool:
    """Tell whether the rules know every word of a question and of whom it concerns."""
    try:
        check_question(question, rulebook)
    except Fault:
        return False
    subject = facts.subject
    lives_somewhere = subject is None or subject.jurisdiction in rulebook.places
    return facts.recipient.kind in rulebook.kinds and lives_somewhere
