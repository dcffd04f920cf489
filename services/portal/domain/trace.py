"""What is seen of the log: entries, traces of entries, and whether their proofs hold."""

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
    """An entry of the log, opened as far as its keys still exist and the reader may see it.

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

    def value(self, name: str) -> str:
        """Return a value of the entry, or of the first section that has it; "" without."""
        everything = [*self.fields, *(each for part in self.sections for each in part.fields)]
        return next((value for key, value in everything if key == name), "")

    def values(self, name: str) -> list[str]:
        """Return the parts of a value that is a list of keys, with commas or a line each."""
        return [part for part in self.value(name).replace(",", "\n").split("\n") if part]

    def lines(self, name: str) -> list[str]:
        """Return the parts of a value that is a list of sentences, a line each."""
        return [line for line in self.value(name).split("\n") if line]


@dataclass(frozen=True)
class Search:
    """What an auditor looks for; empty parts match everything."""

    account: str = ""
    actor: str = ""
    app: str = ""
    recipient: str = ""
    contract: str = ""
    action: str = ""
    outcome: str = ""
    trace_id: str = ""
    producer: str = ""
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
    tlog-proof file, to be verified again elsewhere; `note` is the signed checkpoint. `published`
    is the log's word for having published the entry; `cosigned` of `witnesses` whose keys are
    pinned here have signed the checkpoint, each signature verified.
    """

    entry: Entry
    size: int
    leaf_hash: bytes
    root_hash: bytes
    path: Sequence[bytes]
    note: str
    file: bytes
    problem: str = ""
    published: bool = False
    cosigned: int = 0
    witnesses: int = 0


@dataclass(frozen=True)
class Traced:
    """The entries of one request with their proofs, in any order; whether there are more."""

    proofs: Sequence[Proof]
    more: bool = False


class Origin(StrEnum):
    """Where a request began, as far as its entries show it."""

    PORTAL = "portal"  # for somebody who signed in
    APP = "app"
    STAFF = "staff"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Mark:
    """One entry on the picture: `x` in thousandths of the whole, and when, after the first."""

    proof: Proof
    x: int
    after_ms: float


@dataclass(frozen=True)
class Lane:
    """What one service wrote: a bar from its first entry to its last, in thousandths."""

    service: str
    x: int
    width: int
    marks: Sequence[Mark]


@dataclass(frozen=True)
class Waterfall:
    """One request in order of time: its lanes by service, those that wrote first on top.

    `app` is the name of the app that it came from. Entries say when each was written and by which
    call (its span), not how long anything took: a bar is what lies between entries.
    """

    origin: Origin
    app: str
    lanes: Sequence[Lane]
    marks: Sequence[Mark]  # of all lanes, in order of time
    whole_ms: float


def waterfall(proofs: Sequence[Proof]) -> Waterfall | None:
    """Place the entries of one trace on a line from the first to the last; None without any."""
    ordered = sorted(proofs, key=lambda proof: (proof.entry.at, proof.entry.index))
    if not ordered:
        return None
    start = ordered[0].entry.at
    whole = (ordered[-1].entry.at - start).total_seconds()

    def mark(proof: Proof) -> Mark:
        after = (proof.entry.at - start).total_seconds()
        return Mark(proof, round(1000 * after / whole) if whole else 0, 1000 * after)

    marks = [mark(proof) for proof in ordered]
    services = dict.fromkeys(each.proof.entry.producer for each in marks)
    origin, app = _origin([proof.entry for proof in ordered])
    return Waterfall(
        origin, app, [_lane(service, marks) for service in services], marks, 1000 * whole
    )


def _lane(service: str, marks: Sequence[Mark]) -> Lane:
    """Gather a service's marks; those of one call stand together, calls in order of time."""
    own = [each for each in marks if each.proof.entry.producer == service]
    calls: dict[str, list[Mark]] = {}
    for each in own:
        calls.setdefault(each.proof.entry.span_id, []).append(each)
    nested = [each for call in calls.values() for each in call]
    return Lane(service, own[0].x, own[-1].x - own[0].x, nested)


def _origin(entries: Sequence[Entry]) -> tuple[Origin, str]:
    """Tell where a request began: by the workload that called, or by who acted with none."""
    for entry in entries:
        kind, _, name = entry.value("app").partition("/")
        if (kind, name) == ("svc", "portal"):
            return Origin.PORTAL, ""
        if kind == "app":
            return Origin.APP, name
        if "/staff/" in entry.actor:
            return Origin.STAFF, ""
    return Origin.UNKNOWN, ""
