"""What the log asks of its stores: what each must promise, not how."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from runtime.event import Event
from services.audit.domain.checkpoint import Checkpoint
from services.audit.domain.entry import SealedEntry, StoredEntry
from services.audit.domain.merkle import Node
from services.audit.domain.note import Signer
from services.audit.domain.tiles import Edge, Tile


class PartyKeys(Protocol):
    """The keys of one party (a person, a member of staff, an app), unwrapped for a moment."""

    @property
    def pseudonym(self) -> bytes:
        """Return the party's name in the log, 16 bytes, meaningless without its pseudonym key."""
        ...

    def encrypt(self, plain: bytes, associated: bytes) -> bytes:
        """Encrypt under the party's data key: AES-256-GCM with a fresh random nonce in front."""
        ...

    def decrypt(self, sealed: bytes, associated: bytes) -> bytes:
        """Return the plain text; ValueError when sealed or associated data were touched."""
        ...


class Keys(Protocol):
    """Parties' keys. Reading never makes any: only an entry to be sealed does."""

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
    """Which entries a reader asks for; what is None does not matter."""

    account_pseudonym: bytes | None = None
    actor_pseudonym: bytes | None = None
    action_prefix: str | None = None
    trace_id: str | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None
    producer: str | None = None


@dataclass(frozen=True, slots=True)
class Growth:
    """One group commit: the entries, the tiles they filled, and the tree they make."""

    base_size: int
    entries: Sequence[StoredEntry]
    tiles: Sequence[Tile]
    root: bytes

    @property
    def size(self) -> int:
        """Return the size of the tree afterwards."""
        return self.base_size + len(self.entries)


@dataclass(frozen=True, slots=True)
class Head:
    """Where the stored log ends."""

    edge: Edge  # rebuilt from entries and tiles
    note: str | None  # of the newest checkpoint; None before the first


class LogStore(Protocol):
    """The log at rest. Nothing in it is ever changed or removed."""

    async def head(self) -> Head:
        """Return where the log ends, all of it read in one snapshot."""
        ...

    async def grow(self, growth: Growth, signer: Signer) -> Checkpoint:
        """Store entries and tiles, read the entries back, and sign and store the checkpoint.

        One transaction: all of it is durable on return, or none of it is there. An exception
        other than StaleWriterError or LogDamagedError may mean either.

        StaleWriterError when the log is not of `base_size`. LogDamagedError when what is read back
        does not hash to what was written: then nothing is signed.
        """
        ...

    async def newest_note(self) -> str | None:
        """Return the note of the newest checkpoint; None before the first."""
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
    ) -> list[StoredEntry]:
        """Return matching entries in order, from the one beyond index `after` on."""
        ...

    async def hashes(self, nodes: Iterable[Node]) -> dict[Node, bytes]:
        """Return the hashes of complete subtrees within the log."""
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
        """
        ...
