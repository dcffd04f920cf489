"""The tree in tiles of 256 hashes (c2sp.org/tlog-tiles): full ones stay, the right edge grows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from services.audit.domain.merkle import EMPTY_ROOT, tree_hash

TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT


@dataclass(frozen=True, slots=True)
class Tile:
    """A full tile; once made it never changes.

    Its hashes are those of the 256 complete subtrees of 256^level leaves from leaf
    number · 256^(level + 1) on.
    """

    level: int
    number: int
    hashes: tuple[bytes, ...]

    @property
    def root(self) -> bytes:
        """Return the hash of the whole tile: its entry in the tile above."""
        return tree_hash(self.hashes)


class Edge:
    """The right edge of the tree: the hashes of each level's last tile while it is not full.

    The edge and the full tiles are the whole tree, and the edge alone gives the root.
    """

    def __init__(self, levels: Iterable[Sequence[bytes]] = ()) -> None:
        """Take the hashes of each level's unfinished tile, level 0 first."""
        self._levels = [list(level) for level in levels]
        self._size = sum(len(row) << TILE_HEIGHT * level for level, row in enumerate(self._levels))

    @property
    def size(self) -> int:
        """Return the number of leaves of the tree."""
        return self._size

    def rows(self) -> list[list[bytes]]:
        """Return the hashes of each level's unfinished tile, level 0 first."""
        return [list(row) for row in self._levels]

    def copy(self) -> "Edge":
        """Return an edge that grows on its own."""
        return Edge(self._levels)

    def append(self, leaf_hash: bytes) -> list[Tile]:
        """Add a leaf; return the tiles that it filled, lowest first."""
        filled = []
        hash_ = leaf_hash
        self._size += 1
        for level in range(len(self._levels) + 1):
            if level == len(self._levels):
                self._levels.append([])
            row = self._levels[level]
            row.append(hash_)
            if len(row) < TILE_WIDTH:
                break
            number = (self._size >> TILE_HEIGHT * (level + 1)) - 1
            tile = Tile(level, number, tuple(row))
            row.clear()
            filled.append(tile)
            hash_ = tile.root
        return filled

    def root(self) -> bytes:
        """Return the Merkle tree hash of all leaves."""
        remainder: list[bytes] = []
        for row in self._levels:
            if row:
                remainder = [tree_hash(row + remainder)]
        return remainder[0] if remainder else EMPTY_ROOT
