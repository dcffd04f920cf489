"""What an auditor sees of the log: entries, traces of entries, and whether a proof holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Readability(StrEnum):
    """How much of an entry can still be read."""

    FULL = "full"
    PARTIAL = "partial"
    NONE = "none"


@dataclass(frozen=True)
class Section:
    """What an entry says about one person among several; no account once it is unreadable."""

    account: str
    fields: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Entry:
    """An entry of the log, opened as far as its keys still exist.

    Verified only as part of a Proof without a problem; in a list it is what the log states.
    """

    index: int
    producer: str
    sequence: int
    event_id: str
    action: str
    outcome: str
    at: datetime
    trace_id: str
    span_id: str
    readability: Readability
    account: str
    actor: str
    resource: str
    fields: Sequence[tuple[str, str]]
    sections: Sequence[Section] = ()


@dataclass(frozen=True)
class Search:
    """What an auditor looks for; empty parts match everything."""

    account: str = ""
    actor: str = ""
    action: str = ""
    trace_id: str = ""
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True)
class Found:
    """One page of entries, and the token of the next ("" at the end)."""

    entries: Sequence[Entry]
    next_page: str = ""


@dataclass(frozen=True)
class Proof:
    """An entry, and what recomputing its inclusion proof came to.

    Where everything holds, the entry is what the proof shows, and not what was said beside it.

    `problem` names the obligation that was not met (`key`, `signature`, `inclusion`, `format`,
    `opening`) and is empty exactly when everything holds. `file` is the proof as a c2sp.org
    tlog-proof file, to be verified again elsewhere; `note` is the signed checkpoint.
    """

    entry: Entry
    size: int
    leaf_hash: bytes
    root_hash: bytes
    path: Sequence[bytes]
    note: str
    file: bytes
    problem: str = ""


@dataclass(frozen=True)
class Bar:
    """Where an entry lies on the picture of its trace, in thousandths of the whole span."""

    entry: Entry
    offset: int
    after_ms: float


def waterfall(entries: Sequence[Entry]) -> list[Bar]:
    """Place the entries of one trace on a line from the first to the last, in order of time."""
    ordered = sorted(entries, key=lambda entry: (entry.at, entry.index))
    if not ordered:
        return []
    start = ordered[0].at
    whole = (ordered[-1].at - start).total_seconds() or 1.0
    return [
        Bar(
            entry,
            offset=round(1000 * (entry.at - start).total_seconds() / whole),
            after_ms=1000 * (entry.at - start).total_seconds(),
        )
        for entry in ordered
    ]
