"""Proves that an entry is in the log, up to the newest checkpoint."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.audit.cases.read_entries import ReadEntries
from services.audit.cases.tree import Tree
from services.audit.domain.checkpoint import Checkpoint
from services.audit.domain.entry import OpenedEntry
from services.audit.domain.faults import LogDamagedError
from services.audit.domain.merkle import inclusion_spans
from services.audit.domain.verification import included


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """An entry, its audit path, and the checkpoint that the path leads to."""

    entry: OpenedEntry
    path: Sequence[bytes]
    checkpoint: Checkpoint


class ProveInclusion:
    """Builds inclusion proofs from stored tiles, and hands out none that does not hold."""

    def __init__(self, tree: Tree, entries: ReadEntries) -> None:
        self._tree = tree
        self._entries = entries

    async def of_index(self, index: int) -> InclusionProof:
        """Prove the entry at a place in the log."""
        return await self._prove(await self._entries.by_index(index))

    async def of_event(self, event_id: str) -> InclusionProof:
        """Prove the entry of an event."""
        return await self._prove(await self._entries.by_event_id(event_id))

    async def _prove(self, entry: OpenedEntry) -> InclusionProof:
        # Read after the entry: whatever has been read is covered by the newest checkpoint.
        checkpoint = await self._tree.newest_checkpoint()
        index, size = entry.stored.index, checkpoint.size
        path = await self._tree.hashes(inclusion_spans(index, size))
        if not included(index, size, entry.stored.leaf_hash, path, checkpoint.root):
            raise LogDamagedError(f"entry {index}: no path leads to the root of checkpoint {size}")
        return InclusionProof(entry, path, checkpoint)
