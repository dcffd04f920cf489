"""What is published of a log, as its files say it and as its checkpoint proves it: nothing else.

The tiles are followed from the signed root down, each by the hash that the one above has for it, so
that nothing is believed before the signature covers it, and what is damaged has a name.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence

from services.audit.domain.checkpoint import Checkpoint
from services.audit.domain.faults import LogDamagedError
from services.audit.domain.layout import ENTRIES, TilePath, partial_paths
from services.audit.domain.log_keys import KnownLog
from services.audit.domain.merkle import HASH_SIZE, Frontier, leaf_hash, tree_hash
from services.audit.domain.note import MalformedNoteError
from services.audit.domain.ports import PublishedFiles
from services.audit.domain.tiles import TILE_HEIGHT, TILE_WIDTH, Edge


class PublishedLog:
    """Reads the files of one log, whose keys are `known` from elsewhere."""

    def __init__(self, files: PublishedFiles, known: KnownLog) -> None:
        self._files = files
        self._known = known

    async def newest(self) -> Checkpoint | None:
        """Return the newest published checkpoint, verified; LogDamagedError when it is not ours.

        Costs the same however long the history is.
        """
        last, named = await asyncio.to_thread(self._files.last), await self._files.newest()
        found = [self._signed(note, "the history") for note in (last,) if note is not None]
        if named is not None:
            found.append(self._signed(named, "the file `checkpoint`"))
        # After a stop `checkpoint` may be the one before the last of the history.
        return max(found, key=lambda checkpoint: checkpoint.size, default=None)

    def stated(self, upto: Checkpoint, *, after: int = -1) -> Iterator[Checkpoint]:
        """Tell the checkpoints of the history beyond a size, up to the newest, oldest first.

        What they say nothing proves yet.
        LogDamagedError for what is no history. Holds one of them at a time: there may be millions.
        """
        before = after
        for note in self._files.history(after):
            try:
                checkpoint = Checkpoint.stated(note, self._known.origin)
            except MalformedNoteError as error:
                raise LogDamagedError(f"{self._files}: in the history: {error}") from error
            if checkpoint.size > upto.size == before:
                return  # published since
            if not before < checkpoint.size <= upto.size:
                raise LogDamagedError(
                    f"{self._files}: a checkpoint of {checkpoint.size} entries follows one of "
                    f"{before}: that is no history of one log"
                )
            yield checkpoint
            before = checkpoint.size
        if upto.size > before:  # named, and not in the history: that was put back
            yield upto

    def verified(self, stated: Iterable[Checkpoint]) -> Iterator[Checkpoint]:
        """Pass checkpoints on whose signature is good; LogDamagedError for the first other."""
        for checkpoint in stated:
            yield self._signed(checkpoint.note, "the history")

    async def bundles(
        self, checkpoint: Checkpoint, *, first: int = 0
    ) -> AsyncIterator[list[bytes]]:
        """Return the entries up to a checkpoint by bundles, from one on, each verified before.

        LogDamagedError, naming the file, for the first that is not what the checkpoint covers.
        """
        above = await self._tile_roots(checkpoint)
        for number in range(first, (checkpoint.size + TILE_WIDTH - 1) >> TILE_HEIGHT):
            width = min(TILE_WIDTH, checkpoint.size - number * TILE_WIDTH)
            path = TilePath(0, number, width)
            hashes = await self._tile(path)
            if width == TILE_WIDTH:
                _require(path, hashes, above[number])
            yield await self._entries(TilePath(ENTRIES, number, width), hashes)

    async def require(self, seen: Checkpoint, newest: Checkpoint) -> None:
        """Raise LogDamagedError unless a checkpoint is of the beginning of a newer one's log."""
        rows: list[list[bytes]] = []
        while seen.size >> TILE_HEIGHT * len(rows):
            level = len(rows)
            number, width = divmod(seen.size >> TILE_HEIGHT * level, TILE_WIDTH)
            there = min(TILE_WIDTH, (newest.size >> TILE_HEIGHT * level) - number * TILE_WIDTH)
            rows.append((await self._tile(TilePath(level, number, there)))[:width] if width else [])
        if Edge(rows).root() != seen.root:
            raise LogDamagedError(
                f"{self._files}: the first {seen.size} entries are not those of the checkpoint "
                "that was kept: they are of different histories"
            )

    async def frontier(self, checkpoint: Checkpoint, bundles: int) -> Frontier:
        """Return the tree of the first full bundles, as a checkpoint covers it."""
        frontier = Frontier()
        if bundles:
            for root in (await self._tile_roots(checkpoint))[:bundles]:
                frontier.append(root, TILE_HEIGHT)
        return frontier

    async def _tile_roots(self, checkpoint: Checkpoint) -> Sequence[bytes]:
        """Return the hash of each full tile of level 0, by the tiles above it."""
        edges: dict[int, list[bytes]] = {}
        partial = [path for path in partial_paths(checkpoint.size) if path.level != ENTRIES]
        for path in partial:
            edges[path.level] = await self._tile(path)
        top = max(edges, default=0)
        rows = [edges.get(level, []) for level in range(top + 1)]
        if Edge(rows).root() != checkpoint.root:
            raise LogDamagedError(
                f"{self._files}: {', '.join(map(str, partial))} do not hash to the root of the "
                f"checkpoint of {checkpoint.size} entries: one of them is damaged"
            )
        row = rows[top]
        for level in range(top - 1, 0, -1):
            below: list[bytes] = []
            for number, expected in enumerate(row):
                path = TilePath(level, number)
                hashes = await self._tile(path)
                _require(path, hashes, expected)
                below += hashes
            row = below + rows[level]
        return row if top else []

    async def _tile(self, path: TilePath) -> list[bytes]:
        content = await self._content(path)
        if len(content) != path.width * HASH_SIZE:
            raise LogDamagedError(f"{path}: has {len(content)} bytes, not {path.width} hashes")
        return [content[at : at + HASH_SIZE] for at in range(0, len(content), HASH_SIZE)]

    async def _entries(self, path: TilePath, hashes: Sequence[bytes]) -> list[bytes]:
        content = await self._content(path)
        leaves: list[bytes] = []
        at = 0
        for number, expected in enumerate(hashes):
            end = at + 2 + int.from_bytes(content[at : at + 2], "big")
            leaf = content[at + 2 : end]
            if end > len(content) or leaf_hash(leaf) != expected:
                index = path.number * TILE_WIDTH + number
                raise LogDamagedError(f"{path}: entry {index} is not the one that was signed")
            leaves.append(leaf)
            at = end
        if at != len(content):
            raise LogDamagedError(f"{path}: more follows its {path.width} entries")
        return leaves

    async def _content(self, path: TilePath) -> bytes:
        try:
            content = await self._files.read(path)
        except ValueError as error:  # the full bundle, from which an older width is cut
            raise LogDamagedError(f"{path.full}: {error}") from error
        if content is None:
            raise LogDamagedError(f"{path}: is missing in {self._files}")
        return content

    def _signed(self, note: str, where: str) -> Checkpoint:
        try:
            return Checkpoint.read(note, self._known)
        except MalformedNoteError as error:
            raise LogDamagedError(f"{self._files}: {where} cannot be trusted: {error}") from error


class Agreement:
    """Holds checkpoints, oldest first, to the entries that they are about, as these come by."""

    def __init__(self, stated: Iterator[Checkpoint], tree: Frontier) -> None:
        """Begin with the tree as it was before the first of the checkpoints, or at it."""
        self._stated = stated
        self._tree = tree
        self._next = next(stated, None)
        self._compare()

    def add(self, hash_: bytes) -> None:
        """Go on by the hash of an entry; LogDamagedError when a checkpoint of this size differs."""
        self._tree.append(hash_)
        self._compare()

    def _compare(self) -> None:
        if self._next is None or self._next.size > self._tree.size:
            return
        if self._next.size < self._tree.size or self._next.root != self._tree.root():
            raise LogDamagedError(
                f"the checkpoint of {self._next.size} entries is of another history than the "
                "newest one"
            )
        self._next = next(self._stated, None)


def _require(path: TilePath, hashes: Sequence[bytes], expected: bytes) -> None:
    if tree_hash(hashes) != expected:
        raise LogDamagedError(f"{path}: is not the tile that was signed")
