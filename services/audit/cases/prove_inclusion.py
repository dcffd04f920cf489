"""Proves that entries are in the log."""

from collections.abc import Sequence
from dataclasses import dataclass

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
    published: int  # entries of the log, in all


class ProveInclusion:
    """Builds inclusion proofs from stored tiles, and hands out none that does not hold."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    async def of(self, entry: OpenedEntry) -> InclusionProof:
        """Prove an entry up to the published checkpoint, or the newest if that does not cover."""
        # Read after the entry: whatever has been read is covered by the newest checkpoint.
        checkpoint, published = await self._tree.checkpoint_over(entry.stored.index + 1)
        (path,) = await self.paths([entry], checkpoint)
        return InclusionProof(entry, path, checkpoint, published)

    async def paths(
        self, entries: Sequence[OpenedEntry], checkpoint: Checkpoint
    ) -> list[Sequence[bytes]]:
        """Return the audit paths that lead from entries to one checkpoint, in one look."""
        size, root = checkpoint.size, checkpoint.root
        spans = [inclusion_spans(entry.stored.index, size) for entry in entries]
        hashes = await self._tree.hashes([span for path in spans for span in path])
        found: list[Sequence[bytes]] = []
        at = 0
        for entry, path in zip(entries, spans, strict=True):
            proof = hashes[at : at + len(path)]
            at += len(path)
            if not included(entry.stored.index, size, entry.stored.leaf_hash, proof, root):
                raise LogDamagedError(
                    f"entry {entry.stored.index}: no path leads to the root of size {size}"
                )
            found.append(proof)
        return found
