"""The log as files (c2sp.org/tlog-tiles): what they are called, and what they hold."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from services.audit.domain.merkle import leaf_hash
from services.audit.domain.tiles import TILE_HEIGHT, TILE_WIDTH, Edge

ENTRIES = -1  # in the place of a level: a bundle of entries, as wide as the tile of level 0

_MAX_SIZE = 1 << 63  # of any log; no path names a leaf beyond
_PATH = re.compile(
    r"tile/(?P<level>entries|[0-9]|[1-5][0-9]|6[0-3])"
    r"/(?P<number>(?:x[0-9]{3}/){0,6}[0-9]{3})"
    r"(?:\.p/(?P<width>[1-9][0-9]{0,2}))?"
)


@dataclass(frozen=True, slots=True)
class TilePath:
    """A tile of hashes or a bundle of entries: `width` of them, 256 when it is full."""

    level: int
    number: int
    width: int = TILE_WIDTH

    @property
    def full(self) -> "TilePath":
        """Return the tile that this one grows to; an older width is its beginning."""
        return TilePath(self.level, self.number)

    @property
    def end(self) -> int:
        """Return the least size of a log that has this tile."""
        return (self.number * TILE_WIDTH + self.width) << TILE_HEIGHT * max(self.level, 0)

    def __str__(self) -> str:
        groups = [f"{self.number % 1000:03}"]
        rest = self.number // 1000
        while rest:
            groups.append(f"x{rest % 1000:03}")
            rest //= 1000
        level = "entries" if self.level == ENTRIES else str(self.level)
        partial = f".p/{self.width}" if self.width < TILE_WIDTH else ""
        return f"tile/{level}/{'/'.join(reversed(groups))}{partial}"

    @classmethod
    def parse(cls, text: str) -> "TilePath | None":
        """Return the tile of a path in its one spelling; None for anything else."""
        match = _PATH.fullmatch(text)
        if match is None:
            return None
        level = ENTRIES if match["level"] == "entries" else int(match["level"])
        number = int(re.sub(r"[x/]", "", match["number"]))
        path = cls(level, number, int(match["width"] or TILE_WIDTH))
        # A partial of 256 and a leading x000 would be second names of a tile.
        return path if str(path) == text and path.end <= _MAX_SIZE else None


def partial_paths(size: int) -> list[TilePath]:
    """Return the unfinished tiles of a log of `size`, bundle first: they are its right edge."""
    paths = []
    level = 0
    while size >> TILE_HEIGHT * level:
        number, width = divmod(size >> TILE_HEIGHT * level, TILE_WIDTH)
        if width:
            levels = (ENTRIES, 0) if level == 0 else (level,)
            paths += [TilePath(each, number, width) for each in levels]
        level += 1
    return paths


@dataclass(frozen=True, slots=True)
class Layout:
    """The files of a stretch of the log."""

    full: dict[TilePath, bytes]
    partial: dict[TilePath, bytes]  # the whole right edge
    base: Edge  # as far as bundles are full: where the next stretch begins
    root: bytes  # of the tree up to the end of the stretch


def lay_out(base: Edge, leaves: Sequence[bytes]) -> Layout:
    """Lay out the leaves that follow `base`, which ends with a full bundle or is empty.

    Everything is derived from the bytes of the leaves alone, so that a root that is the signed one
    says that a reader of these files will come to it too.
    """
    edge, aligned = base.copy(), base
    full: dict[TilePath, bytes] = {}
    bundle: list[bytes] = []
    for leaf in leaves:
        bundle.append(len(leaf).to_bytes(2, "big") + leaf)
        filled = edge.append(leaf_hash(leaf))
        for tile in filled:
            full[TilePath(tile.level, tile.number)] = b"".join(tile.hashes)
        if filled:
            full[TilePath(ENTRIES, filled[0].number)] = b"".join(bundle)
            bundle.clear()
            aligned = edge.copy()
    rows = edge.rows()
    partial = {
        path: b"".join(bundle if path.level == ENTRIES else rows[path.level])
        for path in partial_paths(edge.size)
    }
    return Layout(full, partial, aligned, edge.root())


def bundle_prefix(bundle: bytes, width: int) -> bytes:
    """Return the first `width` entries of a bundle; ValueError when it holds fewer."""
    at = 0
    for _ in range(width):
        if at + 2 > len(bundle):
            raise ValueError("the bundle ends too early")
        at += 2 + int.from_bytes(bundle[at : at + 2], "big")
    if at > len(bundle):
        raise ValueError("the bundle ends within an entry")
    return bundle[:at]
