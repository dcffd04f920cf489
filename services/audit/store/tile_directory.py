"""The log as a directory of files that any reader of c2sp.org/tlog-tiles reads (`file://`).

    checkpoint                              the newest published checkpoint
    tile/<level>/<number>[.p/<width>]       hashes
    tile/entries/<number>[.p/<width>]       entries
    checkpoints.jsonl                       every published checkpoint, a JSON string a line
    .new/                                   what is being written; emptied at each start

A file gets its name when its bytes are durable, and `checkpoint` gets its name last. So a stop at
any moment leaves the log as it was published before, or as it is published now; what is written
without being published is written again.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import BinaryIO, ParamSpec, TypeVar, cast

from services.audit.domain.checkpoint import read_text
from services.audit.domain.faults import LogDamagedError, StaleWriterError
from services.audit.domain.layout import ENTRIES, TilePath, bundle_prefix, partial_paths
from services.audit.domain.merkle import HASH_SIZE
from services.audit.domain.note import MalformedNoteError, split_note
from services.audit.domain.tiles import TILE_HEIGHT, TILE_WIDTH

_MODE = 0o444  # nobody has a reason to write to a file that is there,
_GROWING = 0o644  # but for the history
_AT_ONCE = 1000  # checkpoints added at once
_TAIL = 1 << 20  # bytes; holds many notes, whatever the number of their cosignatures

P = ParamSpec("P")
T = TypeVar("T")


class TileDirectory:
    """One directory. One process writes it, the one that grows the log; any number may read.

    That a process wrote which does not know yet that it no longer grows the log would do no harm:
    tiles get the bytes that they have, and a checkpoint is refused behind a larger one.
    """

    def __init__(self, path: Path) -> None:
        self._root = path
        self._new = path / ".new"
        self._history = path / "checkpoints.jsonl"
        self._checkpoint = path / "checkpoint"
        self._mine = secrets.token_hex(8)  # names of unfinished files that no other process uses

    def __str__(self) -> str:
        return str(self._root)

    async def open(self) -> list[str]:
        """Clear away what a stop left unfinished; return the last two notes of the history.

        Oldest first; none of an empty directory. LogDamagedError when the history does not end as
        one does.
        """
        return await _finished(self._open)

    async def write(self, files: Mapping[TilePath, bytes]) -> None:
        """Write files, durable on return; one that is there is replaced by the same bytes."""
        await _finished(self._write, files)

    async def remember(self, notes: Iterable[str]) -> None:
        """Add checkpoints to the history, durable on return; a stop may leave the first of them.

        The one that is the last already is passed over. StaleWriterError when the history ends
        with one of more entries: another process publishes.
        """
        await _finished(self._remember, notes)

    async def publish(self, note: str) -> None:
        """Make a checkpoint the one that readers begin with, durable on return.

        StaleWriterError when one of more entries is.
        """
        await _finished(self._publish, note)

    async def prune(self, before: int, size: int) -> None:
        """Remove the partial tiles that became full between two published sizes.

        Readers of the newest checkpoint need none of them: their full tiles are there.
        """
        await _finished(self._prune, before, size)

    async def gap(self, size: int) -> int | None:
        """Return the first entry of `size` that no full bundle or full tile of level 0 holds.

        None without one. Tells by name alone, so that it costs a listing for each 1,000 files.
        """
        return await asyncio.to_thread(self._gap, size)

    async def newest(self) -> str | None:
        """Return the note of the published checkpoint."""
        return await asyncio.to_thread(self._newest)

    async def read(self, path: TilePath) -> bytes | None:
        """Return a tile or bundle; a partial one also from the full one that it became."""
        return await asyncio.to_thread(self._read, path)

    def last(self) -> str | None:
        """Return the last note of the history, by its end alone."""
        with contextlib.suppress(FileNotFoundError), self._history.open("rb") as file:
            return self._last(file)
        return None

    def history(self, after: int = -1) -> Iterator[str]:
        """Return the notes of the published checkpoints of more than `after` entries, oldest first.

        One at a time. A line that a stop cut off at the end is passed over; LogDamagedError for any
        other.
        """
        with contextlib.suppress(FileNotFoundError), self._history.open("rb") as lines:
            start = self._beyond(lines, after) if after >= 0 else 0
            lines.seek(start)
            for number, line in enumerate(lines, 1):
                note = _note(line)
                if note is None:
                    if next(lines, None) is None:
                        return
                    where = f"byte {start}, line {number} from there" if start else str(number)
                    raise LogDamagedError(f"{self._history}:{where}: is no checkpoint")
                yield note

    def _beyond(self, file: BinaryIO, size: int) -> int:
        """Return where the lines of checkpoints beyond a size begin: sizes only grow."""
        low, high = 0, file.seek(0, os.SEEK_END)
        while low < high:
            middle = (low + high) // 2
            note = _note(_line_from(file, middle)[1])
            if note is None or self._stated(note)[0] > size:
                high = middle
            else:
                low = middle + 1
        return _line_from(file, low)[0]

    # --- in a thread of its own ----------------------------------------------------------------

    def _open(self) -> list[str]:
        self._root.mkdir(parents=True, exist_ok=True)
        self._new.mkdir(exist_ok=True)
        for unfinished in self._new.iterdir():
            # Were it of a process that still writes, that fails there, and tries again.
            unfinished.unlink(missing_ok=True)
        _sync(self._root)
        if not self._history.exists():
            return []
        with self._locked() as file:
            notes = [_note(line) for line in _whole_lines(file)]
        if None in notes:
            raise LogDamagedError(f"{self._history}: holds what is no checkpoint")
        return [note for note in notes[-2:] if note is not None]

    def _last(self, file: BinaryIO) -> str | None:
        notes = [note for line in _tail(file)[-2:] if (note := _note(line)) is not None]
        return notes[-1] if notes else None

    @contextlib.contextmanager
    def _locked(self) -> Iterator[BinaryIO]:
        """Open the history for adding to it, while no other process does, nor on another machine.

        It ends with its holder; OSError while another has it, who needs it for a moment alone.
        """
        new = not self._history.exists()
        descriptor = os.open(self._history, os.O_RDWR | os.O_APPEND | os.O_CREAT, _GROWING)
        with os.fdopen(descriptor, "r+b", buffering=0) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise OSError(
                    error.errno, "another process is publishing", str(self._root)
                ) from error
            if new:
                _sync(self._root)
            yield cast("BinaryIO", file)

    def _write(self, files: Mapping[TilePath, bytes]) -> None:
        self._place({self._root / str(path): content for path, content in files.items()})

    def _publish(self, note: str) -> None:
        with self._locked() as file:
            stated = self._stated(note)
            for there in (self._last(file), self._newest()):
                # Of what was tried before the history has the note, with other cosignatures.
                if there is not None and not self._follows(self._stated(there), stated):
                    note = there
                    break
            self._place({self._checkpoint: note.encode()})

    def _place(self, files: Mapping[Path, bytes]) -> None:
        """Give files their names once their bytes are durable, and make the names durable."""
        written = [
            (self._fresh(f"{self._mine}-{number}", content), target)
            for number, (target, content) in enumerate(files.items())
        ]
        changed: set[Path] = set()
        for temporary, target in written:
            changed |= self._make(target.parent)
            temporary.replace(target)
            changed.add(target.parent)
        # From the root down: a name is worth nothing before that of its directory.
        for directory in sorted(changed):
            _sync(directory)

    def _fresh(self, name: str, content: bytes) -> Path:
        path = self._new / name
        path.unlink(missing_ok=True)  # of an attempt that failed, on a full disk perhaps
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        return path

    def _make(self, directory: Path) -> set[Path]:
        """Make a directory with its parents; return those that got a new name."""
        missing = []
        while not directory.is_dir():
            missing.append(directory)
            directory = directory.parent
        for each in reversed(missing):
            each.mkdir(exist_ok=True)
        return {each.parent for each in missing}

    def _remember(self, notes: Iterable[str]) -> None:
        with self._locked() as file:
            lines = _whole_lines(file)
            last = self._stated(_note(lines[-1])) if lines else None
            end = file.seek(0, os.SEEK_END)
            try:
                rest = iter(notes)
                while some := list(islice(rest, _AT_ONCE)):
                    added = []
                    for note in some:
                        stated = self._stated(note)
                        if last is None or self._follows(last, stated):
                            added.append(json.dumps(note) + "\n")
                            last = stated
                    _write_all(file, "".join(added).encode())
                os.fsync(file.fileno())
            except OSError:
                # A full disk takes part of a line: the next one must not be written behind it.
                os.ftruncate(file.fileno(), end)
                raise

    def _follows(self, last: tuple[int, bytes], stated: tuple[int, bytes]) -> bool:
        """Tell whether a checkpoint goes on where the last ends; False when it is the last again.

        A process that was away for longer than its lock held comes with what is older.
        """
        if stated[0] < last[0]:
            raise StaleWriterError(
                f"{last[0]} entries are published in {self._root}, {stated[0]} were to be: "
                "another process publishes"
            )
        if stated[0] == last[0] and stated != last:
            raise LogDamagedError(
                f"{self._root}: another checkpoint of {last[0]} entries is published: it is of "
                "another history"
            )
        return stated[0] > last[0]

    def _stated(self, note: str | None) -> tuple[int, bytes]:
        try:
            return read_text(split_note(note or "")[0])[1:]
        except MalformedNoteError as error:
            raise LogDamagedError(f"{self._root}: holds what is no checkpoint: {error}") from error

    def _prune(self, before: int, size: int) -> None:
        level = 0
        while size >> TILE_HEIGHT * (level + 1):
            first, end = (each >> TILE_HEIGHT * (level + 1) for each in (before, size))
            for number in range(first, end):
                for of in (ENTRIES, 0) if level == 0 else (level,):
                    partials = (self._root / str(TilePath(of, number, 1))).parent
                    shutil.rmtree(partials, ignore_errors=True)
            level += 1

    def _gap(self, size: int) -> int | None:
        needed = size >> TILE_HEIGHT
        for thousand in range(0, needed, 1000):
            numbers = range(thousand, min(thousand + 1000, needed))
            for level in (ENTRIES, 0):
                folder = (self._root / str(TilePath(level, thousand))).parent
                names = {each.name for each in folder.iterdir()} if folder.is_dir() else set()
                for number in numbers:
                    if f"{number % 1000:03}" not in names:
                        return number * TILE_WIDTH
        missing = (path for path in partial_paths(size) if not (self._root / str(path)).exists())
        return needed * TILE_WIDTH if next(missing, None) else None

    def _newest(self) -> str | None:
        content = _content(self._checkpoint)
        return None if content is None else content.decode()

    def _read(self, path: TilePath) -> bytes | None:
        content = _content(self._root / str(path))
        if content is not None or path.full == path:
            return content
        full = _content(self._root / str(path.full))
        if full is None:
            return None
        if path.level == ENTRIES:
            return bundle_prefix(full, path.width)
        return full[: path.width * HASH_SIZE]


async def _finished(work: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
    """Do work in a thread, to its end also when its caller is cancelled.

    Else a writer that lets go of the log could change files that the next one has begun with.
    """
    working = asyncio.ensure_future(asyncio.to_thread(work, *args, **named))
    try:
        return await asyncio.shield(working)
    finally:
        await asyncio.wait([working])


def _line_from(file: BinaryIO, at: int) -> tuple[int, bytes]:
    """Return where the first line that begins at a place or behind it does, and the line."""
    file.seek(max(0, at - 1))
    if at:
        file.readline()
    return file.tell(), file.readline()


def _tail(file: BinaryIO) -> list[bytes]:
    """Return the lines at the end of a file, whole but for the last perhaps."""
    start = file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
    return file.read().splitlines(keepends=True)[1 if start else 0 :]


def _whole_lines(file: BinaryIO) -> list[bytes]:
    """Return the lines at the end of the history, of which one that a stop tore is cut off."""
    lines = _tail(file)
    if lines and _note(lines[-1]) is None:
        if len(lines) == 1 and file.tell() > _TAIL:
            raise LogDamagedError(f"{file.name}: holds what is no checkpoint")
        os.ftruncate(file.fileno(), file.seek(0, os.SEEK_END) - len(lines[-1]))
        os.fsync(file.fileno())
        del lines[-1]
    return lines


def _write_all(file: BinaryIO, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest) :]


def _note(line: bytes) -> str | None:
    """Return the note of a line of the history; None when it is not whole."""
    if not line.endswith(b"\n"):
        return None
    try:
        note = json.loads(line)
    except ValueError:
        return None
    return note if isinstance(note, str) else None


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
