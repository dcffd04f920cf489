"""What the log asks of its stores: what each must promise, not how."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol, TypeVar

from runtime.event import Event
from runtime.fault import Fault
from services.audit.domain.checkpoint import Checkpoint
from services.audit.domain.entry import Facet, Leaf, SealedEntry, StoredEntry
from services.audit.domain.layout import TilePath
from services.audit.domain.log_keys import LogKeys
from services.audit.domain.merkle import Node
from services.audit.domain.tiles import Edge, Tile
from services.audit.domain.witnessing import Witnessed


class PartyKeys(Protocol):
    """The keys of one party (a person, a member of staff), unwrapped for a moment."""

    @property
    def pseudonym(self) -> bytes:
        """Return the party's name in the log, 16 bytes, meaningless without its pseudonym key."""
        ...

    def tag(self, text: bytes) -> bytes:
        """Return what nobody without the pseudonym key can tell `text` from: 16 bytes."""
        ...

    def encrypt(self, plain: bytes, associated: bytes, nonce: bytes | None = None) -> bytes:
        """Encrypt under the party's data key: AES-256-GCM with a fresh random nonce in front.

        Who has fetched randomness already gives 12 bytes of it that are used for nothing else.
        """
        ...

    def decrypt(self, sealed: bytes, associated: bytes) -> bytes:
        """Return the plain text; ValueError when sealed or associated data were touched."""
        ...


T = TypeVar("T")
Find = Callable[[Collection[str]], Mapping[str, PartyKeys]]


class Keys(Protocol):
    """Parties' keys. Reading never makes any: only an entry to be sealed does."""

    async def use(self, work: Callable[[Find], T]) -> T:
        """Do work in a thread, with what finds the keys of the parties that have some."""
        ...

    async def ensure(self, parties: Collection[str]) -> Mapping[str, PartyKeys]:
        """Return the keys of all parties; those that had none get new ones, durable on return."""
        ...

    async def find(self, parties: Collection[str]) -> Mapping[str, PartyKeys]:
        """Return the keys of the parties that have some."""
        ...

    async def of(self, pseudonyms: Collection[bytes]) -> Mapping[bytes, PartyKeys]:
        """Return the keys that still exist behind pseudonyms."""
        ...


class OwnEvents(Protocol):
    """What audit itself says to the log, kept until it is there."""

    async def add(self, events: Sequence[Event]) -> None:
        """Keep events, durable on return; each gets into the log once."""
        ...

    async def waiting(self) -> tuple[int, Sequence[str]]:
        """Return the number of the last event that left, and the ids of those that wait.

        In the order of their numbers, which go on from there.
        """
        ...

    async def catch_up(self, last: int, known: Collection[str]) -> None:
        """Go on behind the number `last`, without the events that the log knows."""
        ...


class Envelope(Protocol):
    """The bytes of an entry."""

    def encode(self, entry: SealedEntry) -> bytes:
        """Serialise an entry. Done once, when it is sequenced."""
        ...

    def decode(self, leaf: bytes) -> SealedEntry:
        """Read the bytes; ValueError when they are no entry of a format known here."""
        ...


@dataclass(frozen=True, slots=True)
class Filter:
    """Which entries a reader asks for; what is None or not there does not matter."""

    facets: Mapping[Facet, Collection[bytes]] = field(default_factory=dict)
    """All of them must hold; of each, an entry stands under at least one of the keys."""
    start_time: datetime | None = None  # of the event: from here on
    end_time: datetime | None = None  # and before here
    producer: str | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """Entries that were found, and where to look on."""

    entries: Sequence[StoredEntry]
    more: int | None  # the `after` of the next search; None when there is nothing beyond


@dataclass(frozen=True, slots=True)
class Growth:
    """One group commit: the leaves, the tiles they filled, and the tree they make."""

    base_size: int
    leaves: Sequence[Leaf]
    tiles: Sequence[Tile]
    root: bytes

    @property
    def size(self) -> int:
        """Return the size of the tree afterwards."""
        return self.base_size + len(self.leaves)


@dataclass(frozen=True, slots=True)
class Head:
    """Where the stored log ends."""

    edge: Edge  # rebuilt from entries and tiles
    note: str | None  # of the newest checkpoint; None before the first


class Job(NamedTuple):
    """What is to be sealed of a batch."""

    producer: str
    wire: bytes
    skipped: int  # its first entries, which the log has
    fresh: int  # how many entries follow


class Sealing(Protocol):
    """Makes leaves of what producers sent."""

    async def __call__(self, jobs: Sequence[Job]) -> Sequence[Sequence[Leaf] | Fault]:
        """Seal the rest of each batch, or say why it is refused as a whole."""
        ...


class SequencerLock(Protocol):
    """Held by the one process that appends to the log; it ends with its holder."""

    async def take(self) -> bool:
        """Take the lock; return False while another holds it. UNAVAILABLE if that is not known."""
        ...

    async def lost(self) -> None:
        """Return when the lock, once taken, is no longer held."""
        ...

    async def leave(self) -> None:
        """Let go of the lock, if it is held."""
        ...


class LogStore(Protocol):
    """The log at rest. Nothing in it is ever changed or removed."""

    async def head(self) -> Head:
        """Return where the log ends, all of it read in one snapshot."""
        ...

    async def grow(self, growth: Growth, signer: LogKeys) -> Checkpoint:
        """Store entries and tiles, read the entries back, and sign and store the checkpoint.

        One transaction: all of it is durable on return, or none of it is there. An exception
        other than these three may mean either.

        StaleWriterError when the log is not of `base_size`. EventsKnownError when it holds some of
        the events. LogDamagedError when what is read back
        does not hash to what was written: then nothing is signed.
        """
        ...

    async def newest_note(self) -> str | None:
        """Return the note of the newest checkpoint; None before the first."""
        ...

    async def published_note(self) -> str | None:
        """Return the note of the newest published checkpoint; None before the first."""
        ...

    async def note_of(self, size: int, *, published: bool) -> str | None:
        """Return the note of the checkpoint of a size, as it was signed or as it was published."""
        ...

    async def last_sequence(self, producer: str) -> int:
        """Return the producer's highest number; 0 before its first."""
        ...

    async def by_sequence(self, producer: str, numbers: Collection[int]) -> list[StoredEntry]:
        """Return the producer's entries of these numbers that exist, in any order."""
        ...

    async def by_event_id(self, event_ids: Collection[str]) -> list[StoredEntry]:
        """Return the entries of these events that exist, in any order."""
        ...

    async def by_index(self, index: int) -> StoredEntry | None:
        """Return the entry at a place in the log."""
        ...

    async def select(
        self, wanted: Filter, *, after: int | None, newest_first: bool, limit: int
    ) -> Selection:
        """Return at most `limit` matching entries in the order of the log, beyond index `after`.

        A search does bounded work. One that has found less than was asked for, or nothing, by then
        says with `more` where to look on: that it has an end is for the caller to bound.
        """
        ...

    async def count(self, facets: Collection[Facet], key: bytes) -> tuple[int, int]:
        """Return how many entries stand under the key in any of the facets, and among how many."""
        ...

    async def hashes(self, nodes: Iterable[Node]) -> dict[Node, bytes]:
        """Return the hashes of complete subtrees within the log."""
        ...


class Publications(Protocol):
    """The database as the publisher sees it: what there is to publish, and what has been."""

    async def grown(self) -> None:
        """Return when something was stored since this was last awaited, perhaps; one may wait."""
        ...

    async def leaves(self, start: int, end: int) -> list[bytes]:
        """Return the bytes of the entries [start, end) that are stored."""
        ...

    async def newest(self) -> str | None:
        """Return the note of the newest published checkpoint; None before the first."""
        ...

    async def beyond(self, size: int) -> list[str]:
        """Return the next notes published of more than `size` entries, oldest first; not all."""
        ...

    async def add(self, checkpoints: Sequence[Checkpoint]) -> None:
        """Keep published checkpoints that grow; durable on return."""
        ...


Report = Callable[[int, int], None]  # what takes long tells how much of how much is done


class PublishedFiles(Protocol):
    """What was published of a log, as files, to be read alone."""

    def history(self, after: int = -1) -> Iterator[str]:
        """Return the notes of the published checkpoints of more than `after` entries."""
        ...

    def last(self) -> str | None:
        """Return the last note of the history."""
        ...

    async def newest(self) -> str | None:
        """Return the note of the published checkpoint."""
        ...

    async def read(self, path: TilePath) -> bytes | None:
        """Return a tile or bundle; a partial one also from the full one that it became."""
        ...


class Tiles(PublishedFiles, Protocol):
    """The log as files that anybody's tools read. One process writes, any number may read."""

    async def open(self) -> list[str]:
        """Clear away what a stop left unfinished; return the last two notes of the history.

        LogDamagedError when the history is no history.
        """
        ...

    async def write(self, files: Mapping[TilePath, bytes]) -> None:
        """Write files, durable on return; one that is there is replaced by the same bytes."""
        ...

    async def remember(self, notes: Iterable[str]) -> None:
        """Add checkpoints to the history, durable on return; a stop may leave the first of them.

        StaleWriterError when one of more entries is there: another process publishes.
        """
        ...

    async def publish(self, note: str) -> None:
        """Make a checkpoint the one that readers begin with, durable on return.

        StaleWriterError when one of more entries is.
        """
        ...

    async def prune(self, before: int, size: int) -> None:
        """Remove the partial tiles that became full between two published sizes."""
        ...

    async def gap(self, size: int) -> int | None:
        """Return the first entry of `size` that is in no bundle or tile; None without one."""
        ...


class Refill(Protocol):
    """The database of a lost log while it is filled again: no log until `conclude`."""

    async def size(self) -> int:
        """Return how many entries an attempt before has left; LogDamagedError over a log."""
        ...

    async def leaf_hashes(self, start: int, end: int) -> list[bytes]:
        """Return the hashes of the entries [start, end) that are there."""
        ...

    async def add(self, growth: Growth) -> None:
        """Store verified entries and tiles; read back and hashed, durable on return."""
        ...

    async def conclude(self, found: Callable[[], Iterator[tuple[Checkpoint, Checkpoint]]]) -> None:
        """Add every checkpoint, as it was signed and as it was published; durable on return."""
        ...


class WitnessStore(Protocol):
    """What this witness has cosigned last of each log of others."""

    async def advance(
        self, origin: str, judge: Callable[[Witnessed | None], Witnessed]
    ) -> Witnessed:
        """Let `judge` say what follows on what was cosigned last; return it, durably kept.

        One transaction: of two that race, one sees what the other has kept. `judge` may run again;
        what it raises changes nothing.
        """
        ...

    async def newest(self, origin: str) -> str | None:
        """Return the note of the newest checkpoint cosigned; None before the first."""
        ...


Prove = Callable[[int, int], Awaitable[Sequence[bytes]]]  # consistency between two sizes


@dataclass(frozen=True, slots=True)
class Cosigned:
    """What witnesses said of a checkpoint."""

    note: str  # the checkpoint with every cosignature that was valid
    satisfied: bool  # whether those suffice for the policy


class Witnesses(Protocol):
    """Those who keep the log from telling different people different histories."""

    async def cosign(self, checkpoint: Checkpoint, prove: Prove) -> Cosigned:
        """Ask all witnesses of the policy; what they fail to say in time is simply missing.

        `prove` is asked for the proof from the size that a witness has last seen, which is between
        1 and the checkpoint's. Call it for one checkpoint at a time.

        LogDamagedError when a witness shows a checkpoint with our signature that is not of this
        history; PutBackError when that is larger than the one it is asked to cosign.
        """
        ...
