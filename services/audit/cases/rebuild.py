"""Rebuild the log's database from the files that were published: what is lost is made again.

Everything is read, hashed and followed up to the signed root before it is stored; checkpoints come
last, so that nothing can be served, and no service can begin, before all of it holds. An attempt
that was interrupted is taken up where it stopped, its entries compared with the files.
"""

from collections.abc import Awaitable, Callable, Iterator

from services.audit.cases.published_log import Agreement, PublishedLog
from services.audit.domain.checkpoint import Checkpoint
from services.audit.domain.entry import Leaf, SealedEntry
from services.audit.domain.faults import LogDamagedError
from services.audit.domain.log_keys import KnownLog
from services.audit.domain.merkle import Frontier, leaf_hash
from services.audit.domain.note import MalformedNoteError, lines_of
from services.audit.domain.ports import Envelope, Growth, LogStore, Refill, Report
from services.audit.domain.tiles import TILE_HEIGHT, Edge, Tile

_AT_ONCE = 4096  # entries in a transaction: whole stretches, whole bundles


class Rebuild:
    """Fills the empty database of one log."""

    def __init__(
        self,
        published: PublishedLog,
        refill: Refill,
        log: LogStore,
        envelope: Envelope,
        known: KnownLog,
    ) -> None:
        self._published = published
        self._refill = refill
        self._log = log
        self._envelope = envelope
        self._known = known

    async def __call__(
        self, report: Report, *, before_it_serves: Callable[[Checkpoint], Awaitable[None]]
    ) -> Checkpoint:
        """Rebuild up to the last published checkpoint and return it.

        `before_it_serves` puts the rebuild on record: an attempt that stops there is told twice.

        LogDamagedError, naming the file, when what was published does not verify; and when the
        database is not empty, nor from an attempt to rebuild this very log.
        """
        newest = await self._published.newest()
        if newest is None:
            raise LogDamagedError("no checkpoint was ever published there")
        try:
            Checkpoint.read(newest.note, self._known, newest=True)
        except MalformedNoteError as error:
            raise LogDamagedError(f"the newest checkpoint cannot be trusted: {error}") from error
        there = await self._refill.size()
        if there > newest.size:
            raise LogDamagedError(
                f"{there} entries are in the database, and {newest.size} were published"
            )
        await self._fill(newest, there, report)
        head = await self._log.head()
        if (head.edge.size, head.edge.root()) != (newest.size, newest.root):
            raise LogDamagedError("the database does not hold what was written to it")
        await before_it_serves(newest)

        def found() -> Iterator[tuple[Checkpoint, Checkpoint]]:
            return ((self._signed(each), each) for each in self._published.stated(newest))

        await self._refill.conclude(found)
        return newest

    async def _fill(self, newest: Checkpoint, there: int, report: Report) -> None:
        stated = self._published.verified(self._published.stated(newest))
        agreement = Agreement(stated, Frontier())
        edge, base = Edge(), 0
        leaves: list[Leaf] = []
        tiles: list[Tile] = []
        async for bundle in self._published.bundles(newest):
            for leaf in bundle:
                hash_ = leaf_hash(leaf)
                leaves.append(Leaf.of(self._decoded(edge.size, leaf), leaf, hash_))
                tiles += edge.append(hash_)
                agreement.add(hash_)
            if edge.size - base >= _AT_ONCE or edge.size == newest.size:
                await self._keep(Growth(base, leaves, tiles, edge.root()), there)
                base, leaves, tiles = edge.size, [], []
                report(base, newest.size)

    async def _keep(self, growth: Growth, there: int) -> None:
        """Store what is not there of a growth, and compare what is."""
        base = min(max(growth.base_size, there), growth.size)
        old = growth.leaves[: base - growth.base_size]
        if old:
            stored = await self._refill.leaf_hashes(growth.base_size, base)
            if stored != [leaf.hash for leaf in old]:
                raise LogDamagedError(
                    f"of the entries from {growth.base_size} on, the database holds others than "
                    "were published: fill an empty one"
                )
        if base < growth.size:
            leaves = growth.leaves[len(old) :]
            tiles = [tile for tile in growth.tiles if _end(tile) > base]
            await self._refill.add(Growth(base, leaves, tiles, growth.root))

    def _decoded(self, index: int, leaf: bytes) -> SealedEntry:
        try:
            return self._envelope.decode(leaf)
        except ValueError as error:
            raise LogDamagedError(f"entry {index}: {error}") from error

    def _signed(self, published: Checkpoint) -> Checkpoint:
        """Return a checkpoint as the log signed it, before witnesses added their lines."""
        note = f"{published.text}\n{lines_of(published.note, self._known.verifiers)}"
        return Checkpoint(published.origin, published.size, published.root, note)


def _end(tile: Tile) -> int:
    return (tile.number + 1) << TILE_HEIGHT * (tile.level + 1)
