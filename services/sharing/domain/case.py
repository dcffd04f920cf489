"""One question on its way through the gates: the facts that bear on it, looked up once."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from services.sharing.domain.compiled import Cell, Place, Speaking
from services.sharing.domain.consents import ConsentJudge, ConsentVerdict
from services.sharing.domain.flow import Flow, flow_of, resting_on_consent
from services.sharing.domain.question import Facts, Finding, Question
from services.sharing.domain.records import (
    Consent,
    Contract,
    Guest,
    PreferenceKind,
    Subject,
)
from services.sharing.domain.rulebook import Kind, Purpose, Rulebook
from services.sharing.domain.vocabulary import LEGAL_DISCLOSURE, Basis, Reason


class Case:
    """The question with its facts, and what the gates found so far."""

    __slots__ = (
        "bases",
        "cells",
        "choices",
        "consents",
        "contract",
        "facts",
        "findings",
        "flow",
        "kind",
        "now",
        "place",
        "purpose",
        "question",
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
        flow = flow_of(rulebook, question, facts.recipient.kind, self.today)
        self.flow: Flow = flow
        self.purpose: Purpose = flow.purpose
        self.kind: Kind = flow.kind
        self.speaking: Speaking = flow.speaking
        self.cells: Mapping[str, Cell] = flow.cells
        self.subject: Subject | None = facts.subject
        person: Subject | Guest | None = facts.subject or question.guest
        self.place: Place | None = rulebook.places[person.jurisdiction] if person else None
        self.choices = [
            choice for choice in facts.preferences if choice.ahead is None or choice.ahead <= now
        ]
        self.bases: Mapping[str, Basis | None] = flow.bases
        resting = flow.resting
        if flow.related and question.relation and self.place:
            self.bases = self._bases_with_relation(self.place)
            resting = resting_on_consent(flow.cells, self.bases)
        self.consents: dict[str, tuple[ConsentVerdict, Consent | None]] = {}
        if resting and question.purpose != LEGAL_DISCLOSURE:
            self.consents = self._judged(resting)
        # Where the consents say anything but yes: empty for most questions.
        self.unconsented = {
            key: verdict
            for key, (verdict, _) in self.consents.items()
            if verdict is not ConsentVerdict.GIVEN
        }
        self.contract: Contract | None = None
        self.findings: list[Finding] = []

    @property
    def recipient_keys(self) -> frozenset[str]:
        """Return what a record may name to mean the recipient."""
        return self.rulebook.kind_keys[self.kind.key] | {self.question.recipient}

    @property
    def destination_areas(self) -> frozenset[str]:
        """Return what a contract may name to mean the destination."""
        return self.rulebook.places[self.question.destination].areas

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

    def _judged(self, resting: Sequence[str]) -> dict[str, tuple[ConsentVerdict, Consent | None]]:
        """Judge the consents once, for the categories whose row rests on consent."""
        question = self.question
        judge = ConsentJudge(
            self.facts.consents,
            question.service,
            question.purpose,
            self.recipient_keys,
            self.now,
        )
        return {key: judge.judge(self.rulebook.category_keys[key]) for key in resting}

    def _bases_with_relation(self, place: Place) -> dict[str, Basis | None]:
        """Return what each category rests on: in some areas a relation makes it an interest."""
        bases = dict(self.flow.bases)
        for key in self.question.categories:
            source = self.cells.get(key) or self.purpose
            if not place.areas.isdisjoint(source.interest_with_relation):
                bases[key] = Basis.LEGITIMATE_INTEREST
        return bases
