"""Proves that the log of one size is the beginning of the log of another."""

from collections.abc import Sequence
from dataclasses import dataclass

from runtime.fault import invalid
from services.audit.cases.tree import Tree
from services.audit.domain.checkpoint import Checkpoint
from services.audit.domain.faults import LogDamagedError, tree_size_unknown
from services.audit.domain.merkle import Span, consistency_spans
from services.audit.domain.verification import consistent


@dataclass(frozen=True, slots=True)
class ConsistencyProof:
    """A proof between two sizes, and the newest checkpoint."""

    from_size: int
    to_size: int
    hashes: Sequence[bytes]
    checkpoint: Checkpoint


class ProveConsistency:
    """Builds consistency proofs from stored tiles, and hands out none that does not hold."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    async def between(self, from_size: int, to_size: int | None) -> ConsistencyProof:
        """Prove consistency of two sizes, 1 <= from_size <= to_size; None: up to the newest."""
        checkpoint = await self._tree.newest_checkpoint()
        to_size = checkpoint.size if to_size is None else to_size
        if max(from_size, to_size) > checkpoint.size:
            raise tree_size_unknown(checkpoint.size)
        if not 0 < from_size <= to_size:
            raise invalid("from_size", f"must be 1 to {to_size}: of an empty log nothing is proved")
        whole = [Span(0, from_size), Span(0, to_size)]
        first, second, *hashes = await self._tree.hashes(
            [*whole, *consistency_spans(from_size, to_size)]
        )
        signed = second == checkpoint.root or to_size < checkpoint.size
        if not (signed and consistent(from_size, to_size, first, second, hashes)):
            raise LogDamagedError(f"the tiles of sizes {from_size} and {to_size} do not agree")
        return ConsistencyProof(from_size, to_size, hashes, checkpoint)
