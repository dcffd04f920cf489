"""Proves that an entry is in the log, up to the newest checkpoint."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.audit.cases.read_entries import ReadEntries
from services.audit.cases.tree import Tree
from services.audit.domain.checkpoint import Checkpoint
from services.audit.domain.entry import OpenedEntry
from services.audit.domain.merkle import inclusion_spans


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """An entry, its audit path, and the checkpoint that the path leads to."""

    entry: OpenedEntry
    path: Sequence[bytes]
    checkpoint: Checkpoint


class ProveInclusion:
    """Builds inclusion proofs from stored tiles."""

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
        spans = inclusion_spans(entry.stored.index, checkpoint.size)
        return InclusionProof(entry, await self._tree.hashes(spans), checkpoint)
