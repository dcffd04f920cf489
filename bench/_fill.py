"""Fills a log with millions of entries in minutes: real rows, under the real triggers.

The entries are small: sealed with no fields, found by a person, a trace, an event and an outcome.
Everything about them is as the service would have stored it (leaf, hashes, tiles, the published
files, a checkpoint a segment), but for two things that only cost time here: nothing is made durable
on the way, and a segment's postings come in the order of their index. Sections lie under keys that
nobody has any more, as those of people who were erased do.
"""

import asyncio
import os
import secrets
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Connection,
    Engine,
    Table,
    create_engine,
    event,
    text,
)

from runtime.clock import SystemClock, to_micros
from runtime.db import Database, copy_rows
from runtime.event import Event, Trace
from runtime.ids import new_account
from services.audit.api.envelope import LogEntryEnvelope
from services.audit.domain.checkpoint import Checkpoint
from services.audit.domain.entry import Facet, SealedEntry, Submission
from services.audit.domain.layout import ENTRIES, TilePath
from services.audit.domain.log_keys import LogKeys
from services.audit.domain.merkle import leaf_hash
from services.audit.domain.sealing import seal
from services.audit.domain.tiles import TILE_WIDTH, Edge, Tile
from services.audit.store import tables
from services.audit.store.growth import EntryRow, PostingRow, packed_entry, packed_posting
from services.audit.store.party_keys import StoredKeys
from services.audit.store.published import StoredPublications
from services.audit.store.tile_directory import TileDirectory

PRODUCER = "sharing"
_PEOPLE = 100_000
_EVENT, _OUTCOME = "sharing:decision:permit", "permit"
_SEGMENT = 1 << tables.SEGMENT_BITS
_STRETCH = 1 << tables.STRETCH_BITS
_A_SECOND = 1_000  # entries
# Spreads the traces of a segment over its index; odd, so that it can be undone within a segment.
_SPREAD = 0x9E3779B1
_TOGETHER = 1 << 18  # rows in one COPY
_SETTLE = {"sqlite": ("ANALYZE",), "postgresql": ("VACUUM ANALYZE", "CHECKPOINT")}
_GONE = new_account("nl")  # seals the only section of each
_PACKED: dict[str, Callable[[Any], bytes]] = {"entries": packed_entry, "postings": packed_posting}


def trace_of(index: int) -> bytes:
    """Return the trace id of an entry that was filled in."""
    return struct.pack(">QQ", (index * _SPREAD % _SEGMENT) << 44 | 1, index)


@dataclass
class _Fill:
    """What an empty log is filled with; `size` is a multiple of 256."""

    tile_directory: Path
    signer: LogKeys
    people: Sequence[bytes]  # pseudonyms, sorted
    template: SealedEntry
    size: int

    def run(self, url: str) -> Checkpoint:
        """Fill; return the checkpoint over it all."""
        engine, edge = _engine(url), Edge()
        start = datetime.now(UTC) - timedelta(seconds=self.size // _A_SECOND + 60)
        for base in range(0, self.size, _SEGMENT):
            end = min(base + _SEGMENT, self.size)
            filled: list[Tile] = []
            with engine.begin() as tx:
                _insert(tx, tables.entries, self._entries(base, end, start, edge, filled))
                _insert(tx, tables.postings, self._postings(base, end))
                rows = ((t.level, t.number, b"".join(t.hashes), t.root) for t in filled)
                _insert(tx, tables.tiles, rows)
                _insert(tx, tables.stretches, self._stretches(base, end, start))
                checkpoint = Checkpoint.sign(self.signer, end, edge.root())
                note = (end, checkpoint.note, to_micros(start))
                _insert(tx, tables.checkpoints, [note])
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            # Settled, as a log that has grown for years is: what follows is not to be measured
            # while gigabytes of the filling are still on their way to the disk.
            for statement in _SETTLE[engine.dialect.name]:
                connection.execute(text(statement))
        os.sync()
        engine.dispose()
        for level, row in enumerate(edge.rows()):
            if row:
                path = TilePath(level, self.size >> 8 * level >> 8, len(row))
                self._write([(path, b"".join(row))])
        return checkpoint

    def _entries(
        self, base: int, end: int, start: datetime, edge: Edge, tiles: list[Tile]
    ) -> Iterator[EntryRow]:
        """Make the rows of entries, and beside them the tiles that they fill."""
        bundle: list[bytes] = []
        people = len(self.people)
        second, make = -1, None
        for index in range(base, end):
            if index // _A_SECOND != second or make is None:
                second = index // _A_SECOND
                time = start + timedelta(seconds=second)
                make, micros = _leaves(self.template, time), to_micros(time)
            event_id = struct.pack(">QQ", micros // 1000 << 16 | 0x7000, 1 << 63 | index)
            leaf = make(index + 1, event_id, trace_of(index), self.people[index % people])
            hash_ = leaf_hash(leaf)
            bundle += (len(leaf).to_bytes(2), leaf)
            if filled := edge.append(hash_):
                tiles += filled
                self._write([(TilePath(ENTRIES, index // TILE_WIDTH), b"".join(bundle))])
                self._write((TilePath(t.level, t.number), b"".join(t.hashes)) for t in filled)
                bundle.clear()
            yield index, micros, PRODUCER, index + 1, event_id, hash_, leaf

    def _postings(self, base: int, end: int) -> Iterator[PostingRow]:
        """Make a segment's postings in the order of their index, a row a bundle and key."""
        segment, people = base // _SEGMENT, len(self.people)
        for number, pseudonym in enumerate(self.people):
            for index in range(base + (number - base) % people, end, people):
                yield segment, int(Facet.PERSON), pseudonym, (index - base).to_bytes(2)
        back = pow(_SPREAD, -1, _SEGMENT)
        for spread in range(_SEGMENT):
            place = spread * back % _SEGMENT
            if base + place < end:
                yield segment, int(Facet.TRACE), trace_of(base + place), place.to_bytes(2)
        for facet, key in (
            (Facet.EVENT, self.template.event.to_bytes(2)),
            (Facet.OUTCOME, self.template.outcome.encode()),
        ):
            for first in range(0, end - base, TILE_WIDTH):
                places = range(first, min(first + TILE_WIDTH, end - base))
                yield segment, int(facet), key, struct.pack(f">{len(places)}H", *places)

    def _stretches(self, base: int, end: int, start: datetime) -> Iterator[tuple[int, int, int]]:
        for first in range(base, end - _STRETCH + 1, _STRETCH):
            times = [
                start + timedelta(seconds=at // _A_SECOND) for at in (first, first + _STRETCH - 1)
            ]
            yield first // _STRETCH, to_micros(times[0]), to_micros(times[1])

    def _write(self, files: Iterable[tuple[TilePath, bytes]]) -> None:
        for path, content in files:
            file = self.tile_directory / str(path)
            if path.number % 1000 == 0 or not file.parent.is_dir():
                file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)


def _leaves(template: SealedEntry, time: datetime) -> Callable[[int, bytes, bytes, bytes], bytes]:
    """Return what makes leaves of one time: the envelope's bytes, with four values put in."""
    sequence, event_id, trace, person = 0x0ABCDEF, *(secrets.token_bytes(16) for _ in range(3))
    entry = template._replace(
        sequence=sequence,
        event_id=event_id.hex(),
        time=time,
        trace=Trace(trace.hex(), "00" * 7 + "01", 1),
        account_pseudonym=person,
    )
    parts, rest = [], LogEntryEnvelope().encode(entry)
    for value in (_varint(sequence), event_id, trace, person):
        before, rest = rest.split(value)
        parts.append(before)
    first, second, third, fourth = parts

    def make(sequence: int, event_id: bytes, trace: bytes, person: bytes) -> bytes:
        return b"".join(
            (first, _varint(sequence), second, event_id, third, trace, fourth, person, rest)
        )

    return make


def _varint(number: int) -> bytes:
    """Encode a number as protobuf does."""
    encoded = bytearray()
    while number >> 7:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _engine(url: str) -> Engine:
    engine = create_engine(url)

    @event.listens_for(engine, "connect")
    def hasten(connection: Any, _record: object) -> None:  # noqa: ANN401  the driver's own
        if engine.dialect.name == "sqlite":
            for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-524288"):
                connection.execute(f"PRAGMA {pragma}")
        else:
            connection.execute("SET synchronous_commit = off")
            connection.commit()

    return engine


def _insert(tx: Connection, table: Table, rows: Iterable[Any]) -> None:
    if tx.dialect.name == "postgresql" and (pack := _PACKED.get(table.name)):
        rows = iter(rows)
        columns = [column.name for column in table.columns]
        while some := [pack(row) for row in islice(rows, _TOGETHER)]:
            copy_rows(tx, table, columns, some)
        return
    mark = "%s" if tx.dialect.name == "postgresql" else "?"
    marks = ", ".join([mark] * len(table.columns))
    cursor: Any = tx.connection.cursor()
    cursor.executemany(f"INSERT INTO {table.name} VALUES ({marks})", rows)  # noqa: S608  ours


async def fill(
    url: str,
    keys: StoredKeys,
    signer: LogKeys,
    directory: Path,
    *,
    accounts: Sequence[str],
    size: int,
) -> None:
    """Fill an empty log, and publish it; entries are about `accounts` and many others in turn."""
    known = await keys.ensure([*accounts, _GONE])
    others = [secrets.token_bytes(16) for _ in range(_PEOPLE - len(accounts))]
    people = sorted([*(known[account].pseudonym for account in accounts), *others])
    seen = Event(action=_EVENT, outcome=_OUTCOME, time=datetime.now(UTC), account=_GONE)
    template = seal(signer.origin, PRODUCER, Submission(1, seen), known)
    last = template.sections[0]
    template = template._replace(sections=(last._replace(pseudonym=secrets.token_bytes(16)),))
    filling = _Fill(directory, signer, people, template, size)
    checkpoint = await asyncio.to_thread(filling.run, url)
    tiles, database = TileDirectory(directory), Database(url)
    await tiles.open()
    await tiles.remember([checkpoint.note])
    await tiles.publish(checkpoint.note)
    await StoredPublications(database, SystemClock()).add([checkpoint])
    await database.close()
