"""The log in SQL: entries, full tiles and checkpoints, inserted and never touched again."""

from collections.abc import Collection, Iterable

from sqlalchemy import Connection, Row, Select, bindparam, func, insert, select
from sqlalchemy.exc import IntegrityError

from runtime.clock import Clock
from runtime.db import BigInt, Database
from services.audit.domain.checkpoint import Checkpoint
from services.audit.domain.entry import Facet, StoredEntry
from services.audit.domain.faults import EventsKnownError, LogDamagedError, StaleWriterError
from services.audit.domain.log_keys import LogKeys
from services.audit.domain.merkle import HASH_SIZE, Node, leaf_hash, tree_hash
from services.audit.domain.ports import Envelope, Filter, Growth, Head, Selection
from services.audit.domain.tiles import TILE_HEIGHT, TILE_WIDTH, Edge
from services.audit.store.growth import check_entries, write
from services.audit.store.search import Search, indexes
from services.audit.store.tables import (
    SEGMENT_BITS,
    checkpoints,
    entries,
    postings,
    tiles,
)
from services.audit.store.tables import published as published_notes

_PAGE = 500  # values in one IN clause: well below what either engine binds
EntryRow = Row[tuple[int, bytes, bytes]]
_ENTRY = select(entries.c.log_index, entries.c.leaf, entries.c.leaf_hash)
_NEWEST_SIZE = select(func.max(checkpoints.c.size))
_NEWEST_INDEX = select(func.max(entries.c.log_index))
_START, _END = bindparam("start", type_=BigInt), bindparam("end", type_=BigInt)
_LEAF_HASHES = (
    select(entries.c.leaf_hash)
    .where(entries.c.log_index >= _START, entries.c.log_index < _END)
    .order_by(entries.c.log_index)
)
_TILE_ROOTS = (
    select(tiles.c.root)
    .where(tiles.c.level == bindparam("below"))
    .where(tiles.c.number >= _START, tiles.c.number < _END)
    .order_by(tiles.c.number)
)


class StoredLog:
    """The log database. One process grows it (a second one's writes are refused), many may read."""

    def __init__(self, database: Database, envelope: Envelope, clock: Clock) -> None:
        self._database = database
        self._envelope = envelope
        self._clock = clock

    async def head(self) -> Head:
        """Return where the log ends, all of it read in one snapshot."""
        return await self._database.read(lambda tx: Head(_newest_edge(tx), _newest_note(tx)))

    async def newest_note(self) -> str | None:
        """Return the note of the newest checkpoint."""
        return await self._database.read(_newest_note)

    async def grow(self, growth: Growth, signer: LogKeys) -> Checkpoint:
        """Store a growth and its checkpoint in one transaction, reading back before signing."""
        now = self._clock.now()

        def unit(tx: Connection) -> Checkpoint:
            newest = tx.execute(_NEWEST_SIZE).scalar()
            if (newest or 0) != growth.base_size or (newest is not None and not growth.leaves):
                raise StaleWriterError(f"the log has {newest} entries, not {growth.base_size}")
            write(tx, growth)
            edge = _read_edge(tx, growth.size, check_entries(tx, growth))
            if (edge.size, edge.root()) != (growth.size, growth.root):
                raise LogDamagedError(
                    f"the tree stored up to {growth.size} is not the computed one"
                )
            checkpoint = Checkpoint.sign(signer, growth.size, growth.root)
            row = {"size": growth.size, "note": checkpoint.note, "signed_at": now}
            tx.execute(insert(checkpoints), row)
            return checkpoint

        try:
            return await self._database.write(unit)
        except IntegrityError:
            found = await self.by_event_id([leaf.event_id for leaf in growth.leaves])
            if not found:
                raise
            raise EventsKnownError(frozenset(e.sealed.event_id for e in found)) from None

    async def published_note(self) -> str | None:
        """Return the note of the newest published checkpoint."""
        newest = select(published_notes.c.note).order_by(published_notes.c.size.desc()).limit(1)
        return await self._database.read(lambda tx: tx.execute(newest).scalar_one_or_none())

    async def note_of(self, size: int, *, published: bool) -> str | None:
        """Return the note of the checkpoint of a size, as it was signed or as it was published."""
        table = published_notes if published else checkpoints
        note = select(table.c.note).where(table.c.size == size)
        return await self._database.read(lambda tx: tx.execute(note).scalar_one_or_none())

    async def last_sequence(self, producer: str) -> int:
        """Return the producer's highest number; 0 before its first."""
        highest = select(func.max(entries.c.sequence)).where(entries.c.producer == producer)
        return await self._database.read(lambda tx: tx.execute(highest).scalar() or 0)

    async def by_sequence(self, producer: str, numbers: Collection[int]) -> list[StoredEntry]:
        """Return the producer's entries of these numbers."""
        mine = _ENTRY.where(entries.c.producer == producer)
        return await self._entries(
            mine.where(entries.c.sequence.in_(page)) for page in _pages(numbers)
        )

    async def by_event_id(self, event_ids: Collection[str]) -> list[StoredEntry]:
        """Return the entries of these events."""
        pages = _pages(list(map(bytes.fromhex, event_ids)))
        return await self._entries(_ENTRY.where(entries.c.event_id.in_(page)) for page in pages)

    async def by_index(self, index: int) -> StoredEntry | None:
        """Return the entry at a place in the log."""
        found = await self._entries([_ENTRY.where(entries.c.log_index == index)])
        return found[0] if found else None

    async def select(
        self, wanted: Filter, *, after: int | None, newest_first: bool, limit: int
    ) -> Selection:
        """Return matching entries in the order of the log, beyond index `after`."""

        def query(tx: Connection) -> Selection:
            search = Search(tx, wanted, newest_first=newest_first, limit=limit)
            search.run(after)
            rows: list[EntryRow] = []
            for page in _pages(search.found):
                rows += tx.execute(_ENTRY.where(entries.c.log_index.in_(page)))
            rows.sort(key=lambda row: row.log_index, reverse=newest_first)
            return Selection([self._entry(row) for row in rows], search.more)

        return await self._database.read(query)

    async def count(self, facets: Collection[Facet], key: bytes) -> tuple[int, int]:
        """Return how many entries stand under the key in any of the facets, and among how many."""

        def query(tx: Connection) -> tuple[int, int]:
            last = tx.execute(select(func.max(entries.c.log_index))).scalar()
            size = 0 if last is None else last + 1
            under = select(postings.c.segment, postings.c.places).where(
                postings.c.facet.in_(sorted(facets)), postings.c.key == key
            )
            segments = range((size - 1 >> SEGMENT_BITS) + 1)
            found = (tx.execute(under.where(postings.c.segment == each)) for each in segments)
            return sum(len(indexes(rows)) for rows in found), size

        return await self._database.read(query)

    async def hashes(self, nodes: Iterable[Node]) -> dict[Node, bytes]:
        """Return the hashes of complete subtrees within the log."""
        wanted = set(nodes)

        def query(tx: Connection) -> dict[Node, bytes]:
            full: dict[tuple[int, int], bytes | None] = {}  # a proof asks often for the same tile
            return {node: _node_hash(tx, node, full) for node in wanted}

        return await self._database.read(query)

    async def _entries(
        self, queries: Iterable[Select[tuple[int, bytes, bytes]]]
    ) -> list[StoredEntry]:
        def query(tx: Connection) -> list[StoredEntry]:
            return [self._entry(row) for statement in queries for row in tx.execute(statement)]

        return await self._database.read(query)

    def _entry(self, row: EntryRow) -> StoredEntry:
        if leaf_hash(row.leaf) != row.leaf_hash:
            raise LogDamagedError(f"entry {row.log_index}: the stored bytes are not those hashed")
        try:
            sealed = self._envelope.decode(row.leaf)
        except ValueError as error:
            raise LogDamagedError(f"entry {row.log_index}: {error}") from error
        return StoredEntry(row.log_index, row.leaf, row.leaf_hash, sealed)


def _pages(values: Collection[object]) -> list[list[object]]:
    ordered = list(values)
    return [ordered[at : at + _PAGE] for at in range(0, len(ordered), _PAGE)]


def _newest_note(tx: Connection) -> str | None:
    newest = select(checkpoints.c.note).order_by(checkpoints.c.size.desc()).limit(1)
    return tx.execute(newest).scalar_one_or_none()


def _newest_edge(tx: Connection) -> Edge:
    last = tx.execute(_NEWEST_INDEX).scalar()
    size = 0 if last is None else last + 1
    return _read_edge(tx, size, _row_hashes(tx, 0, size - size % TILE_WIDTH, size))


def _read_edge(tx: Connection, size: int, lowest: list[bytes]) -> Edge:
    """Read the edge of a tree, of which the lowest row was read."""
    levels = [lowest]
    while width := size >> TILE_HEIGHT * len(levels):
        levels.append(_row_hashes(tx, len(levels), width - width % TILE_WIDTH, width))
    return Edge(levels)


def _row_hashes(tx: Connection, level: int, start: int, end: int) -> list[bytes]:
    """Return the hashes [start, end) of a level's row, where it may not be in full tiles yet.

    The row of level 0 is the leaves'; the one of level n is the roots of the tiles of level n - 1.
    """
    if start == end:
        return []
    wanted = {"start": start, "end": end}
    if level == 0:
        found = tx.execute(_LEAF_HASHES, wanted).scalars().all()
    else:
        found = tx.execute(_TILE_ROOTS, {**wanted, "below": level - 1}).scalars().all()
    if len(found) != end - start:
        raise LogDamagedError(f"level {level}: of [{start}, {end}) {len(found)} hashes are stored")
    return list(found)


def _node_hash(tx: Connection, node: Node, full: dict[tuple[int, int], bytes | None]) -> bytes:
    """Return a subtree's hash from the full tile it lies in, or from the row below that tile."""
    level, height = divmod(node.height, TILE_HEIGHT)
    start = node.index << height
    end = start + (1 << height)
    number, offset = divmod(start, TILE_WIDTH)
    if (level, number) not in full:
        stored = select(tiles.c.hashes).where(tiles.c.level == level, tiles.c.number == number)
        full[level, number] = tx.execute(stored).scalar_one_or_none()
    packed = full[level, number]
    if packed is None:
        return tree_hash(_row_hashes(tx, level, start, end))
    places = range(offset, offset + end - start)
    return tree_hash([packed[at * HASH_SIZE : (at + 1) * HASH_SIZE] for at in places])
