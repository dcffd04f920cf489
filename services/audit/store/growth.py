"""How a growth is written: in few statements, in the order of the indexes, and read back.

A group commit is small when few append, so each statement counts, and large when many do, so each
row counts. SQLite takes many rows in one statement, PostgreSQL takes them by COPY.
"""

import struct

from sqlalchemy import Connection, bindparam, case, func, insert, select

from runtime.db import BigInt, copy_rows, insert_rows
from services.audit.domain.entry import Leaf
from services.audit.domain.faults import LogDamagedError
from services.audit.domain.merkle import leaf_hash
from services.audit.domain.ports import Growth
from services.audit.domain.tiles import TILE_WIDTH
from services.audit.store.tables import (
    BUNDLE_BITS,
    SEGMENT_BITS,
    STRETCH_BITS,
    entries,
    postings,
    stretches,
    tiles,
)

_ENTRY = [column.name for column in entries.c]
_POSTING = [column.name for column in postings.c]
EntryRow = tuple[int, int, str, int, bytes, bytes, bytes]
PostingRow = tuple[int, int, bytes, bytes]

_BASE = bindparam("base", type_=BigInt)
_STORED = (
    select(
        entries.c.log_index,
        entries.c.leaf_hash,
        case((entries.c.log_index >= _BASE, entries.c.leaf)),
    )
    .where(entries.c.log_index >= bindparam("start", type_=BigInt))
    .order_by(entries.c.log_index)
)
_FIRST = bindparam("first", type_=BigInt)
_STRETCH = stretches.insert().from_select(
    list(stretches.c),
    select(
        bindparam("number", type_=BigInt).label("number"),
        func.min(entries.c.event_time),
        func.max(entries.c.event_time),
    ).where(entries.c.log_index >= _FIRST, entries.c.log_index < _FIRST + (1 << STRETCH_BITS)),
)


def write(tx: Connection, growth: Growth) -> None:
    """Insert what the log has to store of a growth, but for its checkpoint."""
    entry_rows = [_entry_row(*each) for each in enumerate(growth.leaves, growth.base_size)]
    posting_rows = _posting_rows(growth)
    if tx.dialect.name == "postgresql":
        copy_rows(tx, entries, _ENTRY, map(packed_entry, entry_rows))
        copy_rows(tx, postings, _POSTING, map(packed_posting, posting_rows))
    else:
        insert_rows(tx, entries, _ENTRY, entry_rows)
        insert_rows(tx, postings, _POSTING, posting_rows)
    if growth.tiles:
        tile_rows = [
            {
                "level": tile.level,
                "number": tile.number,
                "hashes": b"".join(tile.hashes),
                "root": tile.root,
            }
            for tile in growth.tiles
        ]
        tx.execute(insert(tiles), tile_rows)
    for number in range(growth.base_size >> STRETCH_BITS, growth.size >> STRETCH_BITS):
        tx.execute(_STRETCH, {"number": number, "first": number << STRETCH_BITS})


def check_entries(tx: Connection, growth: Growth) -> list[bytes]:
    """Hash what the database now gives back: a log has died of one flipped bit that was signed.

    Return the stored hashes of the entries behind the last full bundle.
    """
    base, size = growth.base_size, growth.size
    start = min(base, size - size % TILE_WIDTH)
    stored = tx.execute(_STORED, {"base": base, "start": start}).all()
    hashes = [hash_ for _, hash_, _ in stored]
    written = [leaf_hash(leaf) for _, _, leaf in stored[base - start :]]
    expected = [leaf.hash for leaf in growth.leaves]
    if (
        [index for index, _, _ in stored] != list(range(start, size))
        or written != expected
        or hashes[base - start :] != expected
    ):
        raise LogDamagedError(f"entries from {base} on: stored is not what was written")
    return hashes[size - size % TILE_WIDTH - start :]


def _entry_row(index: int, leaf: Leaf) -> EntryRow:
    """Return the values of a row, in the order of the columns."""
    return (
        index,
        leaf.micros,
        leaf.producer,
        leaf.sequence,
        bytes.fromhex(leaf.event_id),
        leaf.hash,
        leaf.data,
    )


def _posting_rows(growth: Growth) -> list[PostingRow]:
    """Return under what the entries are found, in the order of the index.

    So a page that many rows share is visited once.
    """
    under: dict[tuple[int, int, bytes], bytes] = {}
    for index, leaf in enumerate(growth.leaves, growth.base_size):
        bundle = index >> BUNDLE_BITS
        place = (index & (1 << SEGMENT_BITS) - 1).to_bytes(2)
        for facet, key in leaf.postings:
            at = (bundle, facet, key)
            under[at] = under.get(at, b"") + place
    bits = SEGMENT_BITS - BUNDLE_BITS
    return sorted(
        (bundle >> bits, facet, key, places) for (bundle, facet, key), places in under.items()
    )


# PostgreSQL's binary format: the number of fields, then each behind its length.
_PLACE = struct.Struct(">hiqiqi")
_REST = struct.Struct(">iqi16si32si")
_UNDER = struct.Struct(">hiiihi")


def packed_entry(row: EntryRow) -> bytes:
    """Encode a row for COPY."""
    index, time, producer, sequence, event_id, hash_, leaf = row
    name = producer.encode()
    place = _PLACE.pack(len(row), 8, index, 8, time, len(name))
    rest = _REST.pack(8, sequence, len(event_id), event_id, len(hash_), hash_, len(leaf))
    return b"".join((place, name, rest, leaf))


def packed_posting(row: PostingRow) -> bytes:
    """Encode a row for COPY."""
    segment, facet, key, places = row
    under = _UNDER.pack(len(row), 4, segment, 2, facet, len(key))
    return b"".join((under, key, len(places).to_bytes(4), places))
