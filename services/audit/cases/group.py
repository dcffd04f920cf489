"""One group commit in the making: which entries it takes, and the tree that they make."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runtime.event import Event
from services.audit.domain.entry import MAX_LEAF, OpenedEntry, StoredEntry, Submission
from services.audit.domain.faults import (
    entry_too_large,
    event_id_reused,
    sequence_gap,
    sequence_reused,
)
from services.audit.domain.merkle import leaf_hash
from services.audit.domain.ports import Envelope, Growth, PartyKeys
from services.audit.domain.sealing import same_content, seal
from services.audit.domain.tiles import Edge, Tile


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where an entry lies in the log."""

    sequence: int
    index: int
    leaf_hash: bytes


@dataclass(frozen=True, slots=True)
class Known:
    """What the log already holds of what a group is asked to take."""

    last: Mapping[str, int]  # highest number of each producer
    entries: Mapping[tuple[str, int], OpenedEntry]  # stored, by producer and number
    taken: Mapping[tuple[str, int], tuple[Event, Receipt]]  # by the group before, maybe not stored
    event_ids: frozenset[str]


class Group:
    """Takes requests one after another, each as a whole or not at all."""

    def __init__(
        self,
        origin: str,
        envelope: Envelope,
        keys: Mapping[str, PartyKeys],
        edge: Edge,
        known: Known,
    ) -> None:
        self._origin = origin
        self._envelope = envelope
        self._keys = keys
        self._known = known
        self._base_size = edge.size
        self._entries: list[StoredEntry] = []
        self._tiles: list[Tile] = []
        self._event_ids = {event.event_id for event, _ in known.taken.values()} | known.event_ids
        self.taken: dict[tuple[str, int], tuple[Event, Receipt]] = {}
        self.edge = edge.copy()
        self.last = dict(known.last)

    def take(self, producer: str, submissions: Sequence[Submission]) -> list[Receipt]:
        """Take a producer's entries, consecutive numbers; return their receipts, or raise a Fault.

        Numbers that the log or this group holds are repetitions: they must have the same content.
        """
        expected = self.last[producer] + 1
        repeated = [s for s in submissions if s.sequence < expected]
        fresh = submissions[len(repeated) :]
        if fresh and fresh[0].sequence != expected:
            raise sequence_gap(expected, fresh[0].sequence)
        receipts = [self._receipt(producer, submission) for submission in repeated]
        # Nothing of the group has changed up to here; sealing is the last thing that may refuse.
        sealed = [
            self._sealed(producer, submission, index)
            for index, submission in enumerate(fresh, self.edge.size)
        ]
        event_ids = set[str]()
        for submission in fresh:
            event_id = submission.event.event_id
            if event_id in self._event_ids or event_id in event_ids:
                raise event_id_reused(submission.sequence)
            event_ids.add(event_id)
        self._event_ids |= event_ids
        for submission, entry in zip(fresh, sealed, strict=True):
            receipt = self._append(entry)
            self.taken[producer, submission.sequence] = (submission.event, receipt)
            receipts.append(receipt)
            self.last[producer] = submission.sequence
        return receipts

    def growth(self) -> Growth:
        """Return what the log has to store."""
        return Growth(self._base_size, self._entries, self._tiles, self.edge.root())

    def _receipt(self, producer: str, submission: Submission) -> Receipt:
        """Return the receipt of an entry that came before, if this is its content."""
        place = (producer, submission.sequence)
        if taken := self.taken.get(place) or self._known.taken.get(place):
            event, receipt = taken
            if event != submission.event:
                raise sequence_reused(submission.sequence)
            return receipt
        logged = self._known.entries[place]
        if not same_content(submission, logged):
            raise sequence_reused(submission.sequence)
        return Receipt(submission.sequence, logged.stored.index, logged.stored.leaf_hash)

    def _sealed(self, producer: str, submission: Submission, index: int) -> StoredEntry:
        sealed = seal(self._origin, producer, submission, self._keys)
        leaf = self._envelope.encode(sealed)
        if len(leaf) > MAX_LEAF:
            raise entry_too_large(submission.sequence, len(leaf))
        return StoredEntry(index, leaf, leaf_hash(leaf), sealed)

    def _append(self, entry: StoredEntry) -> Receipt:
        self._entries.append(entry)
        self._tiles += self.edge.append(entry.leaf_hash)
        return Receipt(entry.sealed.sequence, entry.index, entry.leaf_hash)
