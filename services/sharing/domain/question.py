"""What is asked and what is answered.

Tuples, since every decision makes several: they are made far faster than frozen dataclasses.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from runtime.fault import invalid
from services.sharing.domain.records import (
    Consent,
    Contract,
    Guest,
    Instrument,
    Preference,
    Recipient,
    Subject,
)
from services.sharing.domain.rulebook import Rulebook
from services.sharing.domain.vocabulary import (
    REASONS,
    STATISTICS,
    Basis,
    Obligation,
    Outcome,
    Reason,
)


class Question(NamedTuple):
    """A question: may this person's data go to that recipient, for this purpose.

    `account` and `guest` are both absent only for statistics without personal categories.
    """

    account: str
    service: str
    recipient: str
    purpose: str
    categories: tuple[str, ...]
    destination: str
    relation: str = ""
    subprocessor: str = ""
    instrument: str = ""
    signed_in: bool = False
    de_identified: bool = False
    guest: Guest | None = None

    @property
    def holder(self) -> str:
        """Return whom the records are about: `accounts/…`, `guests/…`, or nobody."""
        return self.guest.holder if self.guest else self.account

    @property
    def personal(self) -> bool:
        """Tell whether a person is named."""
        return bool(self.account) or self.guest is not None


class Facts(NamedTuple):
    """The records that bear on a question; `subject` None: nobody is known by that account.

    A record counts from when it was recorded, whatever the clock said then: the sequences are in
    the order of recording.
    """

    recipient: Recipient
    subject: Subject | None = None
    contracts: Sequence[Contract] = ()  # latest effective first, as `by_effect` orders them
    consents: Sequence[Consent] = ()  # by their first revision, each at its newest
    preferences: Sequence[Preference] = ()  # lifted ones excluded
    instrument: Instrument | None = None


class Finding(NamedTuple):
    """One thing that stands in the way."""

    reason: Reason
    citations: tuple[str, ...]
    categories: tuple[str, ...]

    @property
    def gate(self) -> int:
        """Return the number of the gate that found it."""
        return REASONS[self.reason][0]

    @property
    def outcome(self) -> Outcome:
        """Return whether it denies or is a gap."""
        return REASONS[self.reason][1]


class Ground(NamedTuple):
    """On what some categories of a permit rest."""

    categories: tuple[str, ...]
    citation: str
    basis: Basis
    consent: str = ""  # the consent's name when the basis is consent
    ends: datetime | None = None  # when that consent ends by itself


class Answer(NamedTuple):
    """The outcome of all gates."""

    outcome: Outcome
    findings: tuple[Finding, ...]
    permitted_categories: tuple[str, ...]
    obligations: tuple[Obligation, ...]
    grounds: tuple[Ground, ...]
    contract: str  # the version relied on or judged, or empty

    @property
    def citations(self) -> frozenset[str]:
        """Return every clause that the answer names."""
        found = {citation for finding in self.findings for citation in finding.citations}
        return frozenset(found | {ground.citation for ground in self.grounds})


def check_question(question: Question, rulebook: Rulebook) -> None:
    """Refuse a question with words that the rulebook does not know: INVALID_FIELD, no answer."""
    if question.service not in rulebook.services:
        raise invalid("question.service", "unknown key")
    if question.purpose not in rulebook.purposes:
        raise invalid("question.purpose", "unknown key")
    # Without a destination the recipient's jurisdiction is meant, which was checked before.
    if question.destination and question.destination not in rulebook.places:
        raise invalid("question.destination", "no country of ISO 3166-1")
    _check_categories(question, rulebook)
    _check_person(question, rulebook)


def _check_categories(question: Question, rulebook: Rulebook) -> None:
    if not question.categories:
        raise invalid("question.categories", "at least one is needed")
    if len(set(question.categories)) != len(question.categories):
        raise invalid("question.categories", "each at most once")
    if not rulebook.categories.keys() >= set(question.categories):
        raise invalid("question.categories", "unknown key; a question names leaf categories")


def _check_person(question: Question, rulebook: Rulebook) -> None:
    if question.guest is not None:
        if question.account:
            raise invalid("question.guest", "a guest has no account")
        if not rulebook.services[question.service].guests:
            raise invalid("question.guest", "this service has no guests")
        if question.guest.jurisdiction not in rulebook.places:
            raise invalid("question.guest.jurisdiction", "no country of ISO 3166-1")
    elif not question.account and (
        question.purpose != STATISTICS
        or any(rulebook.categories[key].personal for key in question.categories)
    ):
        raise invalid(
            "question.account", "may be missing only for statistics that are not personal"
        )
