"""The check of a whole log from its database, and pinned keys alone.

What is checked, and how a finding is named:

1. **File.** SQLite's own structure and constraints (what it says is malformed is named by row
   where rows can still be told apart).
2. **Entries.** Every row from 0 on is there; ``leaf`` is an entry, hashes to ``leaf_hash``, and
   says what every other column says.
3. **Producers.** Each producer's sequence runs 1, 2, 3 … in the order of the log.
4. **Postings.** An entry is found under everything that it says and under nothing else.
5. **Stretches.** The times that are kept of each stretch are those of its entries.
6. **Tiles.** Every full tile is there, and its hashes and root are those of the entries.
7. **Checkpoints.** Each, signed or published, is signed by a pinned key, and its size and root are
   those of the entries before it; together they cover every entry.
8. **Beside the log.** What ``fsck/beside.py`` says: schema, what was cosigned for others, times.

A signature whose key was not given is noted as not verified. Not to be seen: a checkpoint that was
left out and that a later one covers, a time that is off by less than its neighbours, and bytes of a
file that belong to no row and no index.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from accord.audit.v1.log_entry_pb2 import LogEntry

from accord_client.failure import VerificationError
from accord_client.fsck.beside import check_beside
from accord_client.fsck.bundles import WIDTH, Stored, tree_root
from accord_client.fsck.pool import checked
from accord_client.fsck.postings import Postings, Tally
from accord_client.fsck.report import Progress, Report
from accord_client.fsck.rows import Database, Row, UnreadableError
from accord_client.fsck.signatures import Signatures
from accord_client.fsck.statements import Statements
from accord_client.fsck.tree import TreeCheck
from accord_client.merkle import HASH_SIZE, leaf_hash
from accord_client.note import VerifierKey
from accord_client.trust import Trust

_COLUMNS = ("log_index", "leaf", "leaf_hash", "producer", "sequence", "event_id", "event_time")
_DERIVED = _COLUMNS[3:]
_STRETCH_BITS = 12


class TableStore:
    """The entries of a database, and what it derives from them."""

    def __init__(self, database: Database, tally: Tally) -> None:
        self._database = database
        self._tally = tally
        self._rows: dict[int, Row] = {}

    def bundle(self, number: int, width: int) -> Stored:
        """The rows of 256 entries, and the tile over them."""
        stored, start = Stored(), number * WIDTH
        self._rows = {row[0]: row for row in self._read(start, width, stored.faults)}
        leaves: list[bytes | None] = []
        hashes = []
        for index in range(start, start + width):
            leaf, hashed = self._rows[index][1:3] if index in self._rows else (None, None)
            if index not in self._rows:
                stored.faults.append((f"entries, row {index}", "the row is missing"))
            elif not isinstance(leaf, bytes) or not isinstance(hashed, bytes):
                stored.faults.append((f"entries, row {index}", "leaf or leaf_hash holds no bytes"))
            leaves.append(leaf if isinstance(leaf, bytes) else None)
            good = isinstance(hashed, bytes) and len(hashed) == HASH_SIZE
            hashes.append(hashed if good else bytes(HASH_SIZE))
        stored.leaves = leaves
        tile = _tile(self._database, 0, number, stored.faults) if width == WIDTH else None
        if None not in leaves:
            stored.hashes = b"".join(hashes)
        elif tile is not None:
            stored.hashes = tile[0]  # holds the tree together around what is missing
        if tile is not None:
            _compare_tile(*tile, number, stored)
        return stored

    def name_entry(self, index: int) -> str:
        """The row and column of an entry."""
        return f"entries, row {index}, column leaf"

    def name_hash(self, index: int) -> str:
        """The row and column of its hash."""
        return f"entries, row {index}, column leaf_hash"

    def look(self, index: int, entry: LogEntry, faults: list[tuple[str, str]]) -> int:
        """Holds the other columns against the entry, and counts under what it must be found."""
        row = self._rows[index]
        derived = (
            entry.producer,
            entry.sequence,
            entry.event_id,
            entry.event_time.ToMicroseconds(),
        )
        if row[3:] != derived:
            for column, stored, said in zip(_DERIVED, row[3:], derived, strict=True):
                if stored != said:
                    where = f"entries, row {index}, column {column}"
                    faults.append((where, "differs from what the leaf says"))
        return self._tally.of(index, entry)

    def _read(self, start: int, width: int, faults: list[tuple[str, str]]) -> list[Row]:
        columns = ", ".join(_COLUMNS)
        select = f"SELECT {columns} FROM entries WHERE log_index"  # noqa: S608 -- our own names
        try:
            return list(self._database.rows(f"{select} BETWEEN {start} AND {start + width - 1}"))
        except UnreadableError:
            found: list[Row] = []
            for index in range(start, start + width):  # which of them it is
                try:
                    found += self._database.rows(f"{select} = {index}")
                except UnreadableError as error:
                    faults.append((f"entries, row {index}", str(error)))
            return found


def _compare_tile(tile: bytes, root: object, number: int, stored: Stored) -> None:
    """A full tile, against the column leaf_hash and the entries themselves."""
    where = f"tiles, row 0/{number}"
    if tile == stored.hashes:
        if tree_root(tile) != root:
            stored.faults.append((f"{where}, column root", "is not the root of its hashes"))
        return
    for place, leaf in enumerate(stored.leaves):
        at = slice(place * HASH_SIZE, (place + 1) * HASH_SIZE)
        if leaf is not None and tile[at] not in (stored.hashes[at], leaf_hash(leaf)):
            what = f"and row {number * WIDTH + place} of entries differ"
            stored.faults.append((f"{where}, column hashes", what))


def check_log(
    file: Path | str,
    keys: Sequence[VerifierKey],
    progress: Progress = lambda *_: None,
    processes: int = 0,
) -> Report:
    """Checks a log's database: a copy of its SQLite file, or a ``postgresql://`` address.

    It is only read. Raises nothing for a bad log: what is wrong is in the report; NoLogError where
    there is none. A log that grows
    meanwhile is checked up to the newest checkpoint of the beginning.
    """
    return check_database(Database(str(file)), Trust(tuple(keys)), progress, processes)


def check_database(
    database: Database, trust: Trust, progress: Progress = lambda *_: None, processes: int = 0
) -> Report:
    """The same under a policy, which the published checkpoints are held to."""
    report = Report()
    try:
        with contextlib.closing(database), contextlib.closing(Statements()) as statements:
            database.require_log()
            _Check(database, trust, report, statements).run(progress, processes)
    except UnreadableError as error:
        report.add("file", str(error))
    return report


class _Check:
    def __init__(
        self, database: Database, trust: Trust, report: Report, statements: Statements
    ) -> None:
        self._database = database
        self._trust = trust
        self._report = report
        self._signatures = Signatures(trust, report)
        self._statements = statements

    def run(self, progress: Progress, processes: int) -> None:
        report = self._report
        for what in self._database.damages():
            report.add("file", what)
        for table in ("checkpoints", "published"):
            self._read_checkpoints(table)
        check_beside(self._database, self._signatures)
        self._signatures.tell()
        newest = self._statements.newest()
        if newest is None:
            report.add("checkpoints", "none of them verifies with the pinned keys")
        covered = report.covered = newest or 0
        # Not the largest index: a single altered row could claim any.
        count = self._number("SELECT COUNT(*) FROM entries", "entries")
        size = max(covered, count)
        postings = Postings(self._database, report)
        store = TableStore(self._database, postings.tally)
        tree = TreeCheck(store, report, self._statements, self._read_tile, _name_tile)
        for bundle in checked(store, size, self._statements, report, processes):
            tree.add(bundle)
            postings.expected.append(bundle.total)
            report.tiles += bundle.width == WIDTH
            progress(min(size, (bundle.number + 1) * WIDTH), size)
        tree.end()
        if size > covered:
            where = f"entries, rows {covered} to {size - 1}"
            report.add(where, "no verified checkpoint covers them")
        for (index,) in self._rows(
            "SELECT log_index FROM entries "  # noqa: S608 -- numbers alone
            f"WHERE log_index NOT BETWEEN 0 AND {size - 1}",
            "entries",
        ):
            report.add(f"entries, row {index}", "is outside of the log")
        postings.compare()
        self._check_stretches(size)
        self._check_tiles(size)

    def _read_checkpoints(self, table: str) -> None:
        rows = f"SELECT size, note FROM {table} ORDER BY size"  # noqa: S608 -- our own names
        for size, note in self._rows(rows, table):
            where = f"{table}, row of size {size}, column note"
            self._report.checkpoints += table == "checkpoints"
            data = str(note).encode(errors="surrogateescape")
            try:
                attested = self._trust.open(data)
            except VerificationError as error:
                self._report.add(where, str(error))
                continue
            self._signatures.look(data, where, verified=True)
            checkpoint = attested.checkpoint
            if checkpoint.size != size:
                self._report.add(where, f"the note states size {checkpoint.size}")
            if self._statements.add(checkpoint.size, checkpoint.root, where):
                self._report.add(where, "states another root than the other note of this size")

    def _read_tile(self, level: int, number: int, width: int) -> bytes | None:
        if width < WIDTH:
            return None  # only full ones are kept
        faults: list[tuple[str, str]] = []
        tile = _tile(self._database, level, number, faults)
        if tile is not None and tree_root(tile[0]) != tile[1]:
            where = f"tiles, row {level}/{number}, column root"
            faults.append((where, "is not the root of its hashes"))
        for where, what in faults:
            self._report.add(where, what)
        return None if tile is None else tile[0]

    def _check_stretches(self, size: int) -> None:
        """5. Stretches."""
        kept = {row[0]: row[1:] for row in self._rows("SELECT * FROM stretches", "stretches")}
        times = self._rows(
            f"SELECT log_index >> {_STRETCH_BITS}, "  # noqa: S608 -- numbers alone
            "MIN(event_time), MAX(event_time) FROM entries "
            f"WHERE log_index < {size >> _STRETCH_BITS << _STRETCH_BITS} GROUP BY 1",
            "stretches",
        )
        for number, earliest, latest in times:
            where = f"stretches, row {number}"
            if number not in kept:
                self._report.add(where, "the row is missing")
            elif kept.pop(number) != (earliest, latest):
                self._report.add(where, "its times are not those of its entries")
        for number in kept:
            self._report.add(f"stretches, row {number}", "is outside of the log")

    def _check_tiles(self, size: int) -> None:
        """6. Tiles that there should not be."""
        for level, number in self._rows("SELECT level, number FROM tiles", "tiles"):
            if level not in range(8) or number not in range(size >> 8 * (level + 1)):
                self._report.add(f"tiles, row {level}/{number}", "is outside of the log")

    def _number(self, sql: str, where: str) -> int:
        return next((int(row[0]) for row in self._rows(sql, where)), 0)

    def _rows(self, sql: str, where: str) -> Iterator[Row]:
        try:
            yield from self._database.rows(sql)
        except UnreadableError as error:
            self._report.add(where, str(error))


def _tile(
    database: Database, level: int, number: int, faults: list[tuple[str, str]]
) -> tuple[bytes, object] | None:
    """The hashes of a full tile, and what is kept as their root; what is wrong is a fault."""
    where = f"tiles, row {level}/{number}"
    place = f"level = {level} AND number = {number}"
    sql = f"SELECT hashes, root FROM tiles WHERE {place}"  # noqa: S608 -- numbers alone
    try:
        found = list(database.rows(sql))
    except UnreadableError as error:
        faults.append((where, str(error)))
        return None
    if not found:
        faults.append((where, "the row is missing"))
        return None
    hashes, root = found[0]
    if not isinstance(hashes, bytes) or len(hashes) != WIDTH * HASH_SIZE:
        faults.append((f"{where}, column hashes", "is not 256 hashes long"))
        return None
    return hashes, root


def _name_tile(level: int, number: int) -> str:
    return f"tiles, row {level}/{number}, column hashes"
