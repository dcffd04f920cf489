"""The check of a whole log, from a copy of its SQLite file and pinned keys alone.

What is checked, and how a finding is named:

1. **File.** SQLite's own structure and constraints (what it says is malformed is named by row
   where rows can still be told apart).
2. **Entries.** Every row from 0 on is there; ``leaf`` is an entry, hashes to ``leaf_hash``, and
   says what every other column says, and whom the entry is about as the table of people does.
3. **Producers.** Each producer's sequence runs 1, 2, 3 … in the order of the log.
4. **Tiles.** Every full tile is there, and its hashes and root are those of the entries.
5. **Checkpoints.** Each is signed by a pinned key, and its size and root are those of the entries
   before it; together they cover every entry.

Not covered by any signature: the column ``signed_at`` of a checkpoint, and bytes of the file that
belong to no row and no index.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from accord.audit.v1.log_entry_pb2 import LogEntry

from accord_client.checkpoint import Checkpoint
from accord_client.entry import parse_entry, people_of
from accord_client.failure import VerificationError
from accord_client.fsck.report import Report
from accord_client.merkle import CompactRange, leaf_hash, root_of
from accord_client.note import VerifierKey

_TILE_WIDTH = 256
_HASH_SIZE = 32
_COLUMNS = (
    "leaf",
    "leaf_hash",
    "producer",
    "sequence",
    "event_id",
    "action",
    "event_time",
    "trace_id",
    "actor_pseudonym",
)
_SELECT_ENTRY = f"SELECT {', '.join(_COLUMNS)} FROM entries WHERE log_index = ?"  # noqa: S608 -- our own names
_SELECT_PERSON = "SELECT 1 FROM people WHERE pseudonym = ? AND log_index = ?"
_SELECT_LEAF = "SELECT leaf FROM entries WHERE log_index = ?"
_SELECT_TILE = "SELECT hashes, root FROM tiles WHERE level = ? AND number = ?"


def check_log(
    file: Path, keys: Sequence[VerifierKey], progress: Callable[[int, int], None] = lambda *_: None
) -> Report:
    """Checks a copy of the log's database; ``progress`` is told (entries done, entries in all).

    The file is opened read-only. Raises nothing for a bad log: what is wrong is in the report.
    """
    report = Report()
    try:
        connection = sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)
    except sqlite3.Error as error:
        report.add("file", str(error))
        return report
    # Text that is no longer UTF-8 still has to be compared, and then named.
    connection.text_factory = lambda data: data.decode(errors="replace")
    with contextlib.closing(connection):
        _LogCheck(connection, keys, report).run(progress)
    return report


class _LogCheck:
    def __init__(
        self, connection: sqlite3.Connection, keys: Sequence[VerifierKey], report: Report
    ) -> None:
        self._connection = connection
        self._keys = keys
        self._report = report
        self._statements: dict[int, bytes] = {}  # size → root, of the checkpoints that verify
        self._hashes: list[bytes] = []  # of the entries, as their bytes say
        self._mismatched: dict[int, bytes] = {}  # row → column leaf_hash, where the two differ
        # The tree as the leaves say, and as the column leaf_hash says: when one of them leads to
        # the signed roots, the other is what was altered. None once a row is missing.
        self._by_leaf: CompactRange | None = CompactRange()
        self._by_column: CompactRange | None = CompactRange()
        self._people = 0  # rows of people that the entries call for
        self._people_missing = False

    def run(self, progress: Callable[[int, int], None]) -> None:
        self._check_file()
        self._read_checkpoints()
        total = max([*self._statements, self._count_entries()])
        self._compare_roots(0)
        for index in range(total):
            self._check_entry(index)
            self._compare_roots(index + 1)
            if not index % _TILE_WIDTH:
                progress(index, total)
        progress(total, total)
        covered = self._report.covered = max(self._statements, default=0)
        if total > covered:
            where = f"entries, rows {covered} to {total - 1}"
            self._report.add(where, "no verified checkpoint covers them")
        self._name_rows(
            "leaf", "does not hash to column leaf_hash; no signature says which is right"
        )
        for (index,) in self._query(
            "SELECT log_index FROM entries WHERE log_index NOT BETWEEN 0 AND ?",
            total - 1,
            where="entries",
        ):
            self._report.add(f"entries, row {index}", "is outside of the log")
        self._check_foreign_people()
        self._check_tiles()

    def _check_file(self) -> None:
        """1. File."""
        for row in self._query("PRAGMA integrity_check", where="file"):
            for line in str(row[0]).splitlines():
                if line != "ok":
                    self._report.add("file", f"SQLite says: {line}")

    def _read_checkpoints(self) -> None:
        """5. Checkpoints, as far as they can be judged without the entries."""
        rows = self._query("SELECT size, note FROM checkpoints ORDER BY size", where="checkpoints")
        for size, note in rows:
            self._report.checkpoints += 1
            where = f"checkpoints, row of size {size}, column note"
            try:
                checkpoint = Checkpoint.open(str(note).encode(), self._keys)
            except VerificationError as error:
                self._report.add(where, str(error))
                continue
            if checkpoint.size != size:
                self._report.add(where, f"the note states size {checkpoint.size}")
            self._statements[checkpoint.size] = checkpoint.root
        if not self._statements:
            self._report.add("checkpoints", "none of them verifies with the pinned keys")

    def _count_entries(self) -> int:
        # Not the largest index: a single altered row could claim any.
        rows = self._query("SELECT COUNT(*) FROM entries", where="entries")
        return next((int(row[0]) for row in rows), 0)

    def _check_entry(self, index: int) -> None:
        """2. Entries and 3. Producers."""
        where = f"entries, row {index}"
        found = self._row(_SELECT_ENTRY, index, where=where)
        row = dict(zip(_COLUMNS, found, strict=True)) if found else {}
        leaf, stored = row.get("leaf"), row.get("leaf_hash")
        if not isinstance(leaf, bytes) or not isinstance(stored, bytes):
            if row:
                self._report.add(where, "column leaf or leaf_hash holds no bytes")
            self._by_leaf = self._by_column = None
            self._hashes.append(b"")
            return
        self._report.entries += 1
        digest = leaf_hash(leaf)
        self._hashes.append(digest)
        if self._by_leaf is not None and self._by_column is not None:
            self._by_leaf.append(digest)
            self._by_column.append(stored)
        if digest != stored:
            self._mismatched[index] = stored
        try:
            entry = parse_entry(leaf)
        except VerificationError as error:
            self._report.add(f"{where}, column leaf", str(error))
            return
        for column, value in _derived(entry).items():
            if row[column] != value:
                self._report.add(f"{where}, column {column}", "differs from what the leaf says")
        self._check_people(index, entry)
        self._check_sequence(index, entry)

    def _check_people(self, index: int, entry: LogEntry) -> None:
        for pseudonym in sorted(people_of(entry)):
            self._people += 1
            where = f"people, row {pseudonym.hex()}/{index}"
            if self._row(_SELECT_PERSON, pseudonym, index, where=where) is None:
                self._people_missing = True

    def _check_foreign_people(self) -> None:
        """2. Entries, from the side of the people: nobody is found in an entry about others."""
        (found,) = next(self._query("SELECT COUNT(*) FROM people", where="people"), (None,))
        if found == self._people and not self._people_missing:
            return
        rows = self._query("SELECT pseudonym, log_index FROM people", where="people")
        for pseudonym, index in rows:
            leaf = next(self._query(_SELECT_LEAF, index, where="people"), (None,))[0]
            try:
                about = people_of(parse_entry(leaf)) if isinstance(leaf, bytes) else frozenset()
            except VerificationError:
                continue  # named with its entry
            if pseudonym not in about:
                name = pseudonym.hex() if isinstance(pseudonym, bytes) else pseudonym
                self._report.add(f"people, row {name}/{index}", "the entry is not about it")

    def _check_sequence(self, index: int, entry: LogEntry) -> None:
        expected = self._report.producers.get(entry.producer, 0) + 1
        if entry.sequence != expected:
            self._report.add(
                f"entries, row {index}",
                f"producer {entry.producer} is at number {entry.sequence}, expected {expected}",
            )
        self._report.producers[entry.producer] = entry.sequence

    def _compare_roots(self, size: int) -> None:
        """5. Checkpoints, against the entries before them."""
        root = self._statements.get(size)
        if root is None or self._by_leaf is None or self._by_column is None:
            return
        if self._by_leaf.root() == root:
            self._name_rows("leaf_hash", "is not the hash of the leaf, which the log signed")
            self._by_column = self._by_leaf.copy()
        elif self._by_column.root() == root:
            for index, signed in self._mismatched.items():
                self._hashes[index] = signed
            self._name_rows("leaf", "is not the one that the log signed")
            self._by_leaf = self._by_column.copy()
        else:
            before = max((other for other in self._statements if other < size), default=0)
            where = f"entries, rows {before} to {size - 1}"
            what = f"do not lead to the root that the checkpoint of size {size} states"
            self._report.add(where, what)
            self._by_leaf = self._by_column = None

    def _name_rows(self, column: str, what: str) -> None:
        """Reports the rows whose two hashes differ, now that it is known which one is wrong."""
        for index in self._mismatched:
            self._report.add(f"entries, row {index}, column {column}", what)
        self._mismatched.clear()

    def _check_tiles(self) -> None:
        """4. Tiles."""
        level, hashes = 0, self._hashes
        wanted: set[tuple[int, int]] = set()
        while len(hashes) >= _TILE_WIDTH:
            roots: list[bytes] = []
            for number in range(len(hashes) // _TILE_WIDTH):
                expected = hashes[number * _TILE_WIDTH : (number + 1) * _TILE_WIDTH]
                roots.append(root_of(expected) if all(expected) else b"")
                wanted.add((level, number))
                self._check_tile(level, number, expected, roots[-1])
            level, hashes = level + 1, roots
        for place in self._query("SELECT level, number FROM tiles", where="tiles"):
            if place not in wanted:
                self._report.add(f"tiles, row {place[0]}/{place[1]}", "is outside of the log")

    def _check_tile(self, level: int, number: int, expected: list[bytes], root: bytes) -> None:
        where = f"tiles, row {level}/{number}"
        row = self._row(_SELECT_TILE, level, number, where=where)
        if row is None:
            return
        self._report.tiles += 1
        stored, stored_root = row
        if not isinstance(stored, bytes) or len(stored) != _TILE_WIDTH * _HASH_SIZE:
            self._report.add(f"{where}, column hashes", "is not 256 hashes long")
            return
        for place, value in enumerate(expected):
            if value and stored[place * _HASH_SIZE : (place + 1) * _HASH_SIZE] != value:
                index = number * _TILE_WIDTH + place
                below = f"row {index} of entries" if level == 0 else f"tile {level - 1}/{index}"
                self._report.add(f"{where}, column hashes", f"and {below} differ")
        if root and stored_root != root:
            self._report.add(f"{where}, column root", "is not the root of its hashes")

    def _row(self, sql: str, *values: int | bytes, where: str) -> tuple[Any, ...] | None:
        """The one row, or None with a finding that says what became of it."""
        found = len(self._report.findings)
        rows = list(self._query(sql, *values, where=where))
        if rows:
            return rows[0]
        if len(self._report.findings) == found:
            self._report.add(where, "the row is missing")
        return None

    def _query(self, sql: str, *values: int | bytes, where: str) -> Iterator[tuple[Any, ...]]:
        """The rows, as far as SQLite can read them; what it cannot read is a finding."""
        try:
            yield from self._connection.execute(sql, values)
        except (sqlite3.Error, UnicodeDecodeError) as error:  # its messages quote what is damaged
            self._report.add(where, f"SQLite cannot read it: {error}")


def _derived(entry: LogEntry) -> dict[str, object]:
    """What the searchable columns must hold."""
    return {
        "producer": entry.producer,
        "sequence": entry.sequence,
        "event_id": entry.event_id.hex(),
        "action": entry.action,
        "event_time": entry.event_time.ToMicroseconds(),
        "trace_id": entry.trace_id.hex(),
        "actor_pseudonym": entry.actor_pseudonym,
    }
