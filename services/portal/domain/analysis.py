"""A question taken apart, and what would be otherwise after a change."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from services.portal.domain.sharing import Contract, Ground, Hindrance, Outcome, last_part


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
class DraftFile:
    """A file of a draft of the rules, by its path in their folder."""

    path: str
    content: bytes


@dataclass(frozen=True)
class Supposition:
    """A change that an officer supposes; one of the five is set."""

    rules: Sequence[DraftFile] = ()
    rules_whole: bool = False  # the files are all there would be; otherwise the others stay
    terms_of: Contract | None = None  # as if its newest version were in force
    contract_ended: str = ""
    purpose_withdrawn: str = ""
    recipient_withdrawn: str = ""
    recipient_moved: str = ""
    moved_to: str = ""


class Turn(StrEnum):
    """What becomes of a question; the value is the catalog's key."""

    SAME = "same"
    OTHERWISE = "otherwise"  # the same answer, of other data or for other reasons or duties
    PERMIT = "permit"
    DENY = "deny"
    GAP = "gap"
    UNKNOWN = "unknown"  # a word of it is none of the draft's


@dataclass(frozen=True)
class Replayed:
    """An answer of a replay. Without an outcome, the rules do not know a word of the question."""

    outcome: Outcome | None
    hindrances: Sequence[Hindrance]
    citations: Sequence[str]  # the clauses that a permit rests on
    permitted: Sequence[str]
    obligations: Sequence[str]


@dataclass(frozen=True)
class Flow:
    """A recorded question that would be answered otherwise; whose data it is about is not told."""

    decision: str
    service: str
    recipient: str
    purpose: str
    categories: Sequence[str]
    before: Replayed
    after: Replayed

    @property
    def turn(self) -> Turn:
        """Return what becomes of it."""
        if self.after.outcome is None:
            return Turn.UNKNOWN
        same = self.after.outcome is self.before.outcome
        return Turn.OTHERWISE if same else Turn(self.after.outcome)

    @property
    def key(self) -> str:
        """Return the last part of the decision's name."""
        return last_part(self.decision)


@dataclass(frozen=True)
class Simulation:
    """What a replay found; `flows` holds the first of those that differ, `turned` counts all."""

    replayed: int
    turned: Mapping[Turn, int]
    flows: Sequence[Flow]
    draft_digest: str  # of a draft of the rules, or empty

    @property
    def changed(self) -> int:
        """Return how many would be answered otherwise."""
        return sum(self.turned.values())

    @property
    def summary(self) -> list[tuple[Turn, int, int]]:
        """Return how many become what, and how many thousandths of all; what is always told first.

        A share that is not nothing is never drawn as nothing.
        """
        counts = {Turn.SAME: self.replayed - self.changed, **self.turned}
        return [
            (turn, number, max(4, 1000 * number // self.replayed) if number else 0)
            for turn in Turn
            if (number := counts.get(turn, 0)) or turn not in _SELDOM
        ]


_SELDOM = {Turn.OTHERWISE, Turn.UNKNOWN}


@dataclass(frozen=True)
class Flaw:
    """What is wrong with a draft of the rules, and where; line 0: about the file as a whole."""

    file: str
    line: int
    message: str


_FLAW = re.compile(r"([^:]*):([0-9]{1,9}): (.*)")


def read_flaw(text: str) -> Flaw:
    """Read `file:line: message`, the way compilers say it; other text is about no file."""
    found = _FLAW.fullmatch(text)
    return Flaw(found[1], int(found[2]), found[3]) if found else Flaw("", 0, text)
