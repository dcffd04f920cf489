"""A question taken apart, and what would be otherwise after a change."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from services.portal.domain.sharing import Ground, Hindrance, Outcome, last_part


@dataclass(frozen=True)
class Inquiry:
    """What an officer asks: may this person's data go there, now or at a past moment."""

    account: str
    service: str
    recipient: str
    purpose: str
    categories: Sequence[str]
    destination: str  # empty: where the recipient is
    relation: str
    subprocessor: str
    instrument: str
    signed_in: bool
    de_identified: bool
    as_of: datetime | None
    guest_jurisdiction: str = ""  # of a visitor without an account; both or none
    guest_session: str = ""


@dataclass(frozen=True)
class Hint:
    """One thing that would help; the keys are the catalog's."""

    remedy: str
    party: str
    resource: str
    categories: Sequence[str]
    term: str  # of a contract, or empty
    values: Sequence[str]
    day: date | None

    @property
    def key(self) -> str:
        """Return the key of its words."""
        return f"{self.remedy}.{self.term}" if self.term else self.remedy


@dataclass(frozen=True)
class Gate:
    """One gate of the decision: `passed`, `not_applicable` or `failed`."""

    number: int
    state: str
    reasons: Sequence[tuple[Hindrance, Sequence[Hint]]]


@dataclass(frozen=True)
class Explanation:
    """The answer, gate by gate. It permits nothing."""

    outcome: Outcome
    gates: Sequence[Gate]
    destination: str
    permitted: Sequence[str]
    grounds: Sequence[Ground]
    obligations: Sequence[str]
    contract: str
    moment: datetime
    historical: bool
    notices: Sequence[str]
    rulebook_digest: str


@dataclass(frozen=True)
class Supposition:
    """A change that an officer supposes; one of the three is set."""

    contract_ended: str = ""
    purpose_withdrawn: str = ""
    recipient_withdrawn: str = ""
    recipient_moved: str = ""
    moved_to: str = ""


@dataclass(frozen=True)
class Flow:
    """A recorded question that would be answered otherwise; whose data it is about is not told."""

    decision: str
    service: str
    recipient: str
    purpose: str
    categories: Sequence[str]
    before: Outcome
    after: Outcome
    reasons: Sequence[str]  # after

    @property
    def key(self) -> str:
        """Return the last part of the decision's name."""
        return last_part(self.decision)


@dataclass(frozen=True)
class Simulation:
    """What a replay found; `flows` holds the first of those that differ."""

    replayed: int
    changed: int
    flows: Sequence[Flow]
