"""One question on its way through the gates: the facts that bear on it, looked up once."""

from datetime import date, datetime

from services.sharing.domain.compiled import Cell, Place, Speaking
from services.sharing.domain.consents import ConsentJudge, ConsentVerdict
from services.sharing.domain.question import Facts, Finding, Question
from services.sharing.domain.records import (
    Consent,
    Contract,
    Guest,
    PreferenceKind,
    Subject,
)
from services.sharing.domain.rulebook import Kind, Purpose, Rulebook
from services.sharing.domain.vocabulary import LEGAL_DISCLOSURE, STATISTICS, Basis, Reason


class Case:
    """The question with its facts, and what the gates found so far."""

    __slots__ = (
        "bases",
        "cells",
        "choices",
        "consents",
        "contract",
        "destination_areas",
        "facts",
        "findings",
        "kind",
        "now",
        "place",
        "purpose",
        "question",
        "recipient_keys",
        "rulebook",
        "speaking",
        "subject",
        "today",
        "unconsented",
    )

    def __init__(self, rulebook: Rulebook, question: Question, facts: Facts, now: datetime) -> None:
        self.rulebook = rulebook
        self.question = question
        self.facts = facts
        self.now = now
        self.today: date = now.date()
        self.purpose: Purpose = rulebook.purposes[question.purpose]
        self.kind: Kind = rulebook.kinds[facts.recipient.kind]
        self.recipient_keys = rulebook.kind_keys[self.kind.key] | {question.recipient}
        self.speaking: Speaking = rulebook.speaking(question.service, self.today)
        self.subject: Subject | None = facts.subject
        person: Subject | Guest | None = facts.subject or question.guest
        self.place: Place | None = rulebook.places[person.jurisdiction] if person else None
        self.choices = [
            choice for choice in facts.preferences if choice.ahead is None or choice.ahead <= now
        ]
        self.cells: dict[str, Cell] = self._covering()
        self.bases: dict[str, Basis | None] = self._bases()
        self.consents: dict[str, tuple[ConsentVerdict, Consent | None]] = self._judged()
        # Where the consents say anything but yes: empty for most questions.
        self.unconsented = {
            key: verdict
            for key, (verdict, _) in self.consents.items()
            if verdict is not ConsentVerdict.GIVEN
        }
        self.destination_areas = rulebook.places[question.destination].areas
        self.contract: Contract | None = None
        self.findings: list[Finding] = []

    def found(
        self, reason: Reason, citations: tuple[str, ...], categories: tuple[str, ...] | None = None
    ) -> None:
        """Note a reason; without categories it concerns all of them."""
        if categories is None:
            categories = self.question.categories
        self.findings.append(Finding(reason, citations, categories))

    def topic(self, key: str) -> tuple[str, ...]:
        """Return where a rule is written for this service."""
        return self.speaking.topics[key]

    def clauses(self, categories: tuple[str, ...]) -> tuple[str, ...]:
        """Return the clauses that cover the categories; where sharing is written when none does."""
        cited = dict.fromkeys(
            cell.citation for category in categories if (cell := self.cells.get(category))
        )
        return tuple(cited) or self.topic("sharing")

    def standing(self, kind: PreferenceKind) -> list[str]:
        """Return the values of the person's standing choices of a kind."""
        return [choice.value for choice in self.choices if choice.kind is kind]

    def _covering(self) -> dict[str, Cell]:
        cells = self.speaking.covering(self.kind.key, self.purpose.key)
        # Statistics are about nobody: with a person named no row covers them.
        if self.purpose.key == STATISTICS and self.question.personal:
            return {}
        return (
            {key: cells[key] for key in self.question.categories if key in cells} if cells else {}
        )

    def _judged(self) -> dict[str, tuple[ConsentVerdict, Consent | None]]:
        """Judge the consents once, for the categories whose row rests on consent."""
        resting = [key for key in self.cells if self.bases[key] is Basis.CONSENT]
        if not resting or self.purpose.key == LEGAL_DISCLOSURE:
            return {}
        question = self.question
        judge = ConsentJudge(
            self.facts.consents,
            question.service,
            question.purpose,
            self.recipient_keys,
            self.now,
        )
        return {key: judge.judge(self.rulebook.category_keys[key]) for key in resting}

    def _bases(self) -> dict[str, Basis | None]:
        """Return what each category rests on; in no row, the purpose's own basis."""
        cells, purpose = self.cells, self.purpose
        if self.question.relation and self.place:
            related = self.place.areas
            return {
                key: Basis.LEGITIMATE_INTEREST
                if not related.isdisjoint((cells.get(key) or purpose).interest_with_relation)
                else (cells.get(key) or purpose).basis
                for key in self.question.categories
            }
        return {key: (cells.get(key) or purpose).basis for key in self.question.categories}
