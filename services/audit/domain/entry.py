"""An entry in three states: submitted by a producer, sealed for the log, opened for a reader."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, IntEnum
from functools import cached_property
from typing import NamedTuple

from runtime.clock import to_micros
from runtime.event import LARGEST, Event, Trace
from runtime.event_names import text_of

FORMAT = 1
MAX_LEAF = LARGEST  # an entry bundle counts each entry in 16 bits


class Facet(IntEnum):
    """By what an entry can be found. The numbers are stored: none ever gets another meaning."""

    PERSON = 1
    ACTOR = 2
    APP = 3
    TRACE = 4
    RECIPIENT = 5
    CONTRACT = 6
    EVENT = 7
    OUTCOME = 8


# Plain numbers, of which every entry needs several: a member is looked up at five times the cost.
_PERSON, _ACTOR, _APP, _TRACE, _RECIPIENT, _CONTRACT, _EVENT, _OUTCOME = map(int, Facet)


class Submission(NamedTuple):
    """An event under the number that its producer gave it."""

    sequence: int  # from 1, dense
    event: Event


@dataclass(frozen=True)
class Batch:
    """A producer's entries, consecutive numbers, as they came: read where they are sealed."""

    producer: str
    first: int
    count: int
    wire: bytes
    read: Callable[[str, bytes], Sequence[Submission]]  # raises a Fault for what is malformed

    @cached_property
    def submissions(self) -> Sequence[Submission]:
        """Return what was read."""
        return self.read(self.producer, self.wire)


class Leaf(NamedTuple):
    """A sealed entry as it is hashed, with all that a log stores of it; its place is not known."""

    producer: str
    sequence: int
    event_id: str
    micros: int  # of its time, since 1970
    data: bytes
    hash: bytes
    postings: Sequence[tuple[int, bytes]]  # facets as plain numbers: there are many

    @classmethod
    def of(cls, sealed: "SealedEntry", data: bytes, leaf_hash: bytes) -> "Leaf":
        """Return the leaf of an entry whose bytes are `data`."""
        return cls(
            sealed.producer,
            sealed.sequence,
            sealed.event_id,
            to_micros(sealed.time),
            data,
            leaf_hash,
            tuple(sealed.postings),
        )


class Section(NamedTuple):
    """What one party's keys seal: commitments in clear, their openings encrypted."""

    pseudonym: bytes  # 16 bytes
    commitments: tuple[bytes, ...]  # 32 bytes each
    sealed: bytes


class SealedEntry(NamedTuple):
    """What is hashed: a header that names no one, and the sealed sections."""

    producer: str
    sequence: int
    event_id: str
    event: int  # number of what happened
    outcome: str
    time: datetime
    trace: Trace  # without its state, which is sealed
    account_pseudonym: bytes  # empty without an account
    actor_pseudonym: bytes  # of the person or member of staff who acted; else empty
    behalf_pseudonym: bytes  # of whom the actor acted for; empty when for no one else
    actor: str  # SPIFFE id of the workload that acted; else empty
    app: str  # empty without an app
    recipient_tags: tuple[bytes, ...]
    contract_tags: tuple[bytes, ...]
    own_sections: int  # how many come before those about one person among several
    sections: tuple[Section, ...]
    destroyed: str = ""  # what ended for good: a pseudonym (hexadecimal), or a key's month

    @property
    def action(self) -> str:
        """Return what happened, as text."""
        return text_of(self.event)

    @property
    def people(self) -> frozenset[bytes]:
        """Return the pseudonyms of the accounts that the entry is about."""
        among_several = {s.pseudonym for s in self.sections[self.own_sections :]}
        return frozenset({self.account_pseudonym, self.behalf_pseudonym} | among_several) - {b""}

    @property
    def postings(self) -> Iterator[tuple[int, bytes]]:
        """Return under what the entry is found, each pair once.

        Pseudonyms and tags are 16 bytes, as is a trace id; an event's number is two, big-endian;
        names of workloads, which are longer than pseudonyms, and outcomes are their text.
        """
        for pseudonym in self.people:
            yield _PERSON, pseudonym
        if self.actor_pseudonym:
            yield _ACTOR, self.actor_pseudonym
        elif self.actor:
            yield _ACTOR, self.actor.encode()
        if self.app:
            yield _APP, self.app.encode()
        if self.trace.trace_id:
            yield _TRACE, bytes.fromhex(self.trace.trace_id)
        for tag in self.recipient_tags:
            yield _RECIPIENT, tag
        for tag in self.contract_tags:
            yield _CONTRACT, tag
        yield _EVENT, self.event.to_bytes(2)
        yield _OUTCOME, self.outcome.encode()


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """An entry in its place in the log, as exact bytes."""

    index: int
    leaf: bytes
    leaf_hash: bytes
    sealed: SealedEntry


@dataclass(frozen=True, slots=True)
class Opening:
    """What shows that a commitment holds a value."""

    section: int
    position: int
    name: str
    salt: bytes
    value: str


class Readability(Enum):
    """How much of an entry its remaining keys still open."""

    FULL = "full"
    PARTIAL = "partial"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class OpenedEntry:
    """An entry as a reader sees it; what no key opens any more is missing from `event`."""

    stored: StoredEntry
    event: Event
    readability: Readability
    openings: tuple[Opening, ...]
