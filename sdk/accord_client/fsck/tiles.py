"""The check of a log that is published as files (c2sp.org/tlog-tiles), from a copy or over HTTPS.

What is checked, and how a finding is named:

1. **Checkpoints.** ``checkpoint`` and every line of ``checkpoints.jsonl`` is signed by a pinned key
   and spelled in the one way; sizes only grow; each states the root of the entries before it.
2. **Entries.** Every bundle is there and holds its entries, which hash to the tile of level 0.
3. **Tiles.** Every tile is there, and each of its hashes is that of the tile below.
4. **Producers.** Each producer's sequence runs 1, 2, 3 … in the order of the log.
5. **Foreign files.** What lies in a directory besides is named; an old partial tile must be the
   beginning of the tile that it grew to.

Cosignatures are verified by the keys of a policy. Those of other keys, and all without a policy,
are noted as not verified, with their lines. Not to be seen: a line of the history that was left
out, as what it states follows from the later ones.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from accord.audit.v1.log_entry_pb2 import LogEntry

from accord_client.failure import VerificationError
from accord_client.fsck.bundles import WIDTH, Stored
from accord_client.fsck.pool import checked
from accord_client.fsck.report import NoLogError, Progress, Report, UnreachableError
from accord_client.fsck.signatures import Signatures
from accord_client.fsck.statements import Statements
from accord_client.fsck.tree import TreeCheck
from accord_client.merkle import HASH_SIZE
from accord_client.note import MAX_NOTE_BYTES
from accord_client.trust import Attested, Trust

CHECKPOINT, HISTORY = "checkpoint", "checkpoints.jsonl"
MAX_FILE = WIDTH * (2 + 0xFFFF)  # a bundle of the largest entries
_MAX_LINE = 2 * MAX_NOTE_BYTES
_BEING_WRITTEN = ".new"
_ENTRIES = -1
_PATH = re.compile(
    r"tile/(?P<level>entries|[0-9]|[1-5][0-9]|6[0-3])"
    r"/(?P<number>(?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?",
    re.ASCII,
)


class Source(Protocol):
    """Where files are read from. Handed to several processes."""

    def read(self, path: str) -> bytes | None:
        """A file, None if it is not there; raises OSError if it cannot be told."""
        ...

    def lines(self, path: str, most: int) -> Iterator[bytes] | None:
        """The lines of a file, no longer than ``most``; None if it is not there."""
        ...

    def names(self) -> Iterator[str] | None:
        """The paths of all files, None if the source cannot list them."""
        ...


class Directory:
    """A log's directory, or a copy of it."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, path: str) -> bytes | None:
        """A file; one that is larger than any of a log is cut, and does not fit then."""
        try:
            with (self._root / path).open("rb") as file:
                return file.read(MAX_FILE + 1)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def lines(self, path: str, most: int) -> Iterator[bytes] | None:
        """The lines of a file."""
        try:
            file = (self._root / path).open("rb")
        except FileNotFoundError:
            return None

        def each() -> Iterator[bytes]:
            with file:
                while line := file.readline(most + 1):
                    yield line

        return each()

    def names(self) -> Iterator[str]:
        """The paths of all files but those that are being written."""
        for path in self._root.rglob("*"):
            name = path.relative_to(self._root).as_posix()
            if not path.is_dir() and not name.startswith(f"{_BEING_WRITTEN}/"):
                yield name


def tile_path(level: int, number: int, width: int = WIDTH) -> str:
    """The path of a tile, or with level -1 of a bundle of entries."""
    groups, rest = [f"{number % 1000:03}"], number // 1000
    while rest:
        groups.append(f"x{rest % 1000:03}")
        rest //= 1000
    partial = f".p/{width}" if width < WIDTH else ""
    kind = "entries" if level == _ENTRIES else level
    return f"tile/{kind}/{'/'.join(reversed(groups))}{partial}"


class TileStore:
    """The entries and leaf hashes of a published log."""

    def __init__(self, source: Source, size: int) -> None:
        self._source = source
        self._size = size

    def bundle(self, number: int, width: int) -> Stored:
        """The entries and the tile of level 0."""
        stored = Stored()
        data, path = self.find(_ENTRIES, number, width, stored.faults)
        if data is not None:
            try:
                stored.leaves = split_bundle(
                    data, width, exact=path == tile_path(_ENTRIES, number, width)
                )
            except ValueError as error:
                stored.faults.append((path, str(error)))
        tile, path = self.find(0, number, width, stored.faults)
        if tile is not None:
            stored.hashes = tile
        return stored

    def find(
        self, level: int, number: int, width: int, faults: list[tuple[str, str]]
    ) -> tuple[bytes | None, str]:
        """A tile as wide as asked for, or wider, and its path; what is missing is a fault."""
        path = tile_path(level, number, width)
        try:
            data = self._source.read(path)
            if data is None and width < WIDTH:
                whole = self._source.read(tile_path(level, number))
                if whole is not None:
                    path, data = tile_path(level, number), whole
        except OSError as error:
            faults.append((path, f"cannot be read: {error}"))
            return None, path
        if data is None:
            faults.append((path, "is missing"))
            return None, path
        if level != _ENTRIES:
            expected = (WIDTH if path == tile_path(level, number) else width) * HASH_SIZE
            if len(data) != expected:
                faults.append((path, f"is {len(data)} bytes long, not {expected}"))
                return None, path
            data = data[: width * HASH_SIZE]
        return data, path

    def name_entry(self, index: int) -> str:
        """The file and the place of an entry."""
        return f"{self._path(_ENTRIES, index)}, entry {index}"

    def name_hash(self, index: int) -> str:
        """The file and the place of a leaf hash."""
        return f"{self._path(0, index)}, hash {index % WIDTH}"

    def look(self, _index: int, _entry: LogEntry, _faults: list[tuple[str, str]]) -> int:
        """Nothing else is said of an entry."""
        return 0

    def _path(self, level: int, index: int) -> str:
        number = index // WIDTH
        return tile_path(level, number, min(WIDTH, self._size - number * WIDTH))


def split_bundle(data: bytes, width: int, *, exact: bool = True) -> list[bytes]:
    """The entries of a bundle, each with its length in front; ValueError if they do not fit."""
    leaves, at, end = [], 0, len(data)
    for place in range(width):
        start = at + 2
        at = start + int.from_bytes(data[start - 2 : start])
        if start > end or at > end:
            raise ValueError(f"ends within entry {place} of the {width} that it holds")
        leaves.append(data[start:at])
    if exact and at != end:
        raise ValueError(f"goes on behind its {width} entries")
    return leaves


def check_tiles(
    source: Source, trust: Trust, progress: Progress = lambda *_: None, processes: int = 0
) -> Report:
    """Checks a published log. Raises nothing for a bad log: what is wrong is in the report."""
    report = Report()
    with contextlib.closing(Statements()) as statements:
        size = _History(source, trust, report, statements).size
        if size is not None:
            store = TileStore(source, size)
            for done in _check_tree(store, size, statements, report, processes):
                progress(done, size)
            _check_names(source, store, size, report)
    return report


def _check_tree(
    store: TileStore, size: int, statements: Statements, report: Report, processes: int
) -> Iterator[int]:
    """1. to 4.; yields how many entries are done."""

    def read_tile(level: int, number: int, width: int) -> bytes | None:
        faults: list[tuple[str, str]] = []
        data, _ = store.find(level, number, width, faults)
        for where, what in faults:
            report.add(where, what)
        return data

    def name_tile(level: int, number: int) -> str:
        return tile_path(level, number, min(WIDTH, (size >> 8 * level) - number * WIDTH))

    tree = TreeCheck(store, report, statements, read_tile, name_tile)
    for bundle in checked(store, size, statements, report, processes):
        tree.add(bundle)
        report.tiles += 1
        yield min(size, (bundle.number + 1) * WIDTH)
    tree.end()
    report.covered = size


class _History:
    """Every checkpoint that was published; ``size`` is that of the newest, None without one."""

    def __init__(
        self, source: Source, trust: Trust, report: Report, statements: Statements
    ) -> None:
        self._statements = statements
        self.size: int | None = None
        self._trust = trust
        self._report = report
        self._signatures = Signatures(trust, report)
        self._unwitnessed = 0
        try:
            note = source.read(CHECKPOINT)
        except OSError as error:
            raise UnreachableError(f"{CHECKPOINT} cannot be read: {error}") from error
        newest = self._open(note, CHECKPOINT) if note is not None else None
        if note is None:
            report.add(CHECKPOINT, "is missing: this is not all of a published log")
        if newest is not None:
            report.checkpoints += 1
            self.size = newest.checkpoint.size
            self._state(newest, CHECKPOINT)
            try:
                newest.require_quorum()
            except VerificationError as error:
                report.add(CHECKPOINT, str(error))
        if not self._read_lines(source, note) and note is None:
            raise NoLogError(f"neither {CHECKPOINT} nor {HISTORY} is there")
        if self._unwitnessed:
            report.notes.append(
                f"{self._unwitnessed} older checkpoints are not cosigned as the policy asks today"
            )
        if trust.policy is None:
            report.notes.append("not verified: no policy was given")
        self._signatures.tell()

    def _read_lines(self, source: Source, newest: bytes | None) -> bool:
        """Returns whether there is a history."""
        try:
            lines = source.lines(HISTORY, _MAX_LINE)
        except OSError as error:
            self._report.add(HISTORY, f"cannot be read: {error}")
            return True
        if lines is None:
            self._report.notes.append(
                f"{HISTORY}, the history of checkpoints, is not here: only the newest was checked"
            )
            return False
        last, found = -1, False
        for number, line in enumerate(lines, 1):
            where = f"{HISTORY}, line {number}"
            note = _read_line(line)
            if note is None:
                self._report.add(where, "is not a checkpoint as the log writes one")
                continue
            attested = self._open(note, where)
            if attested is None:
                continue
            self._report.checkpoints += note != newest  # which is counted
            size = attested.checkpoint.size
            if size <= last:
                self._report.add(where, f"states {size} entries after one that states {last}")
            last = max(size, last)
            found |= note == newest
            if self.size is None or size <= self.size:
                self._state(attested, where)
            if attested.standing is not None and not attested.standing.satisfied:
                self._unwitnessed += 1
        if newest is not None and not found:
            self._report.add(CHECKPOINT, f"is not among those of {HISTORY}")
        return True

    def _open(self, note: bytes, where: str) -> Attested | None:
        try:
            attested = self._trust.open(note)
        except VerificationError as error:
            self._report.add(where, str(error))
            return None
        self._signatures.look(note, where, verified=True)
        return attested

    def _state(self, attested: Attested, where: str) -> None:
        checkpoint = attested.checkpoint
        if self._statements.add(checkpoint.size, checkpoint.root, where):
            self._report.add(
                where, f"states another root of {checkpoint.size} entries than was signed elsewhere"
            )


def _read_line(line: bytes) -> bytes | None:
    """The note of a line, if it is spelled as the log spells it."""
    try:
        note = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(note, str) or json.dumps(note).encode() + b"\n" != line:
        return None
    try:
        return note.encode()
    except UnicodeEncodeError:
        return None


def _check_names(source: Source, store: TileStore, size: int, report: Report) -> None:
    """5. Foreign files, where files can be listed."""
    names = source.names()
    if names is None:
        return
    beyond = 0
    for name in names:
        if name in (CHECKPOINT, HISTORY):
            continue
        match = _PATH.fullmatch(name)
        if match is None:
            report.add(name, "is no file of a log")
            continue
        level = _ENTRIES if match["level"] == "entries" else int(match["level"])
        number, width = int(re.sub(r"[x/]", "", match["number"])), int(match["width"] or WIDTH)
        if width > WIDTH or tile_path(level, number, width) != name:
            report.add(name, "is a second name of a file")
            continue
        there = min(WIDTH, (size >> 8 * max(level, 0)) - number * WIDTH)
        if width > there:
            beyond += 1
        elif width < there:
            _check_partial(source, store, (level, number, width, there), report)
    if beyond:
        report.notes.append(f"{beyond} files lie beyond the newest checkpoint, which covers none")


def _check_partial(
    source: Source, store: TileStore, tile: tuple[int, int, int, int], report: Report
) -> None:
    """An old partial tile, against the one that it grew to."""
    level, number, width, there = tile
    path = tile_path(level, number, width)
    grown, _ = store.find(level, number, there, [])
    if grown is None:
        return  # named already
    data = source.read(path)
    if level == _ENTRIES:
        try:
            length = sum(2 + len(leaf) for leaf in split_bundle(grown, width, exact=False))
        except ValueError:
            return
    else:
        length = width * HASH_SIZE
    if data != grown[:length]:
        report.add(path, "is not the beginning of what it grew to")
