"""What a person was asked, what they said to it, and what is new in the notices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.portal.domain.sharing import last_part


class ConsentState(StrEnum):
    """How a consent stands now; the value is the catalog's key."""

    REQUESTED = "requested"
    DEFERRED = "deferred"
    REFUSED = "refused"
    GIVEN = "given"
    RENEWED = "renewed"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    REVOKED = "revoked"
    INVALIDATED = "invalidated"


@dataclass(frozen=True)
class Scope:
    """For what, of which data, and with whom a consent counts."""

    service: str
    purposes: Sequence[str]
    categories: Sequence[str]
    recipient: str


@dataclass(frozen=True)
class Saying:
    """What was shown when a person answered, and who answers for a minor, empty for others."""

    notice: str
    language: str
    guardian: str = ""


@dataclass(frozen=True)
class Answer:
    """How and by whom something was said; keys of the catalog, and a name if somebody else did."""

    method: str
    by: str
    name: str


@dataclass(frozen=True)
class Receipt:
    """A file for the person."""

    file_name: str
    content: str


@dataclass(frozen=True)
class Consent:
    """What a person said to one question of consent."""

    name: str
    scope: Scope
    state: ConsentState
    indicated: datetime
    withdrawn: datetime | None
    expires: datetime | None
    notice: str
    language: str
    answer: Answer

    @property
    def key(self) -> str:
        """Return the last part of the name."""
        return last_part(self.name)

    @property
    def stands(self) -> bool:
        """Tell whether it can still be withdrawn with any effect."""
        return self.state in {ConsentState.GIVEN, ConsentState.RENEWED}

    @property
    def open(self) -> bool:
        """Tell whether the person is asked and has not answered."""
        return self.state in {ConsentState.REQUESTED, ConsentState.DEFERRED}


@dataclass(frozen=True)
class Revision:
    """One step in the life of a consent, as it stood then."""

    consent: Consent
    recorded: datetime


@dataclass(frozen=True)
class Addition:
    """Data that a kind of recipient may have for a purpose by a newer notice alone."""

    kind: str
    purpose: str
    categories: Sequence[str]
    citations: Sequence[str]


@dataclass(frozen=True)
class NoticeChange:
    """What a notice in force adds to the version that counts as accepted."""

    notice: str
    accepted: str
    by_choice: bool  # False: that version was in force when the account began
    services: Sequence[str]
    additions: Sequence[Addition]

    @property
    def by_kind(self) -> Mapping[str, Sequence[Addition]]:
        """Return what is new for each kind of recipient, in the order of the rules."""
        kinds: dict[str, list[Addition]] = {}
        for addition in self.additions:
            kinds.setdefault(addition.kind, []).append(addition)
        return kinds
