"""One group commit in the making: which entries it takes, and the tree that they make."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runtime.fault import Fault
from services.audit.domain.entry import Batch, Leaf, OpenedEntry
from services.audit.domain.faults import event_id_reused, sequence_gap, sequence_reused
from services.audit.domain.ports import Growth
from services.audit.domain.sealing import same_content
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
    taken: Mapping[tuple[str, int], tuple[Batch, Receipt]]  # by the group before, maybe not stored
    event_ids: frozenset[str]  # under other numbers, or by the group before


class Group:
    """Takes batches one after another, each as a whole or not at all."""

    def __init__(self, edge: Edge, known: Known) -> None:
        self._known = known
        self._base_size = edge.size
        self._leaves: list[Leaf] = []
        self._tiles: list[Tile] = []
        self.event_ids = set[str]()
        self.taken: dict[tuple[str, int], tuple[Batch, Receipt]] = {}
        self.edge = edge.copy()
        self.last = dict(known.last)

    def take(self, batch: Batch, sealed: Sequence[Leaf] | Fault) -> list[Receipt]:
        """Take a batch, of which the last entries are sealed; return receipts, or raise a Fault.

        Numbers that the log or this group holds are repetitions: they must have the same content.
        """
        producer = batch.producer
        repeated = min(max(0, self.last[producer] + 1 - batch.first), batch.count)
        expected = self.last[producer] + 1
        if repeated < batch.count and batch.first + repeated != expected:
            raise sequence_gap(expected, batch.first + repeated)
        if isinstance(sealed, Fault):
            raise sealed
        receipts = [self._receipt(batch, place) for place in range(repeated)]
        # Others of this group may have brought some of what is sealed.
        fresh = sealed[len(sealed) - (batch.count - repeated) :] if repeated < batch.count else ()
        event_ids = set[str]()
        for leaf in fresh:
            known = leaf.event_id in self.event_ids or leaf.event_id in self._known.event_ids
            if known or leaf.event_id in event_ids:
                raise event_id_reused(leaf.sequence)
            event_ids.add(leaf.event_id)
        # Nothing of the group has changed up to here.
        self.event_ids |= event_ids
        for index, leaf in enumerate(fresh, self.edge.size):
            receipt = Receipt(leaf.sequence, index, leaf.hash)
            self._leaves.append(leaf)
            self._tiles += self.edge.append(leaf.hash)
            self.taken[producer, leaf.sequence] = batch, receipt
            receipts.append(receipt)
            self.last[producer] = leaf.sequence
        return receipts

    def growth(self) -> Growth:
        """Return what the log has to store."""
        return Growth(self._base_size, self._leaves, self._tiles, self.edge.root())

    def _receipt(self, batch: Batch, place: int) -> Receipt:
        """Return the receipt of an entry that came before, if this is its content."""
        submission = batch.submissions[place]
        number = batch.producer, submission.sequence
        if taken := self.taken.get(number) or self._known.taken.get(number):
            before, receipt = taken
            if before.submissions[submission.sequence - before.first] != submission:
                raise sequence_reused(submission.sequence)
            return receipt
        logged = self._known.entries[number]
        if not same_content(submission, logged):
            raise sequence_reused(submission.sequence)
        return Receipt(submission.sequence, logged.stored.index, logged.stored.leaf_hash)
