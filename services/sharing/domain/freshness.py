"""How new the facts of a decision are, and must be.

A revision numbers the changes of the facts. A token names two: the newest change that an answer
may rest on, and the one up to which all are known to have been seen (on an engine that commits out
of order it lies behind). A decision at least as fresh as a token knows the first; who watches from
a token is told everything behind the second.
"""

import re
from dataclasses import dataclass
from enum import Enum, StrEnum, auto

from runtime.fault import Fault

_DIGITS = 16
_TOKEN = re.compile(rf"([a-z]{{2}})-([0-9a-f]{{{_DIGITS}}})([0-9a-f]{{{_DIGITS}}})")
_MAX = (1 << 63) - 1  # what both engines keep


class ChangeKind(StrEnum):
    """What was altered; the key of a change names which one."""

    PERSON = "person"  # a holder: `accounts/…` or `guests/<session>`
    RECIPIENT = "recipient"  # `recipients/…`: the organisation or a contract with it
    INSTRUMENT = "instrument"  # `instruments/…`


@dataclass(frozen=True, slots=True)
class Change:
    """One alteration of a fact."""

    kind: ChangeKind
    key: str


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in the list of changes."""

    newest: int
    settled: int

    def token(self, region: str) -> str:
        """Return the token; of two tokens of a region the greater text is the newer."""
        return f"{region}-{self.newest:0{_DIGITS}x}{self.settled:0{_DIGITS}x}"


def position(token: str, region: str) -> Position:
    """Read a token; FRESHNESS_TOKEN_INVALID unless this region could have made it."""
    match = _TOKEN.fullmatch(token)
    if match is None:
        raise invalid_token("malformed", "it is not of our making")
    if match[1] != region:
        raise invalid_token("other_region", f"it is of region {match[1]}")
    found = Position(int(match[2], 16), int(match[3], 16))
    if max(found.newest, found.settled) > _MAX:
        raise invalid_token("malformed", "it is not of our making")
    return found


def invalid_token(problem: str, why: str) -> Fault:
    """Refuse a token; `problem` is for programs."""
    return Fault(
        "FRESHNESS_TOKEN_INVALID",
        f"the freshness token is refused: {why}",
        metadata={"problem": problem},
    )


class Mode(Enum):
    """What a decision's facts are held to."""

    MINIMIZE_LATENCY = auto()  # at most a second behind every acknowledged write
    AT_LEAST_AS_FRESH = auto()  # as new as a token
    FULLY_CONSISTENT = auto()  # as new as everything acknowledged before the call


@dataclass(frozen=True, slots=True)
class Freshness:
    """How new the facts must be; `position` only with AT_LEAST_AS_FRESH."""

    mode: Mode = Mode.MINIMIZE_LATENCY
    position: Position = Position(0, 0)


MINIMIZE_LATENCY = Freshness()
FULLY_CONSISTENT = Freshness(Mode.FULLY_CONSISTENT)


@dataclass(frozen=True, slots=True)
class News:
    """What changed since the news before it, in order; no changes: nothing did, all is heard.

    The same change may come twice. `token` stands behind everything heard so far.
    """

    changes: tuple[Change, ...]
    token: str
    confirmed: float  # what was committed before is heard; on time.monotonic()
