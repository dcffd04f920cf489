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
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import ParamSpec, TypeVar

from services.audit.domain.faults import LogDamagedError
from services.audit.domain.layout import ENTRIES, TilePath, bundle_prefix, partial_paths
from services.audit.domain.merkle import HASH_SIZE
from services.audit.domain.tiles import TILE_HEIGHT, TILE_WIDTH

_MODE = 0o444  # nobody has a reason to write to a file that is there,
_GROWING = 0o644  # but for the history
_TAIL = 1 << 20  # bytes; holds many notes, whatever the number of their cosignatures

P = ParamSpec("P")
T = TypeVar("T")


class TileDirectory:
    """One directory. One process writes it, the one that grows the log; any number may read."""

    def __init__(self, path: Path) -> None:
        self._root = path
        self._new = path / ".new"
        self._history = path / "checkpoints.jsonl"
        self._checkpoint = path / "checkpoint"

    def __str__(self) -> str:
        return str(self._root)

    async def open(self) -> list[str]:
        """Clear away what a stop left unfinished; return the notes of the newest checkpoints.

        Oldest first; none of an empty directory. LogDamagedError when the history is no history.
        """
        return await _finished(self._open)

    async def write(self, files: Mapping[TilePath, bytes]) -> None:
        """Write files, durable on return; one that is there is replaced by the same bytes."""
        await _finished(self._write, files)

    async def remember(self, notes: Sequence[str]) -> None:
        """Add checkpoints to the history, durable on return, all of them or none."""
        await _finished(self._remember, notes)

    async def publish(self, note: str) -> None:
        """Make a checkpoint the one that readers begin with, durable on return."""
        await _finished(self._publish, note.encode())

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

    def history(self) -> Iterator[str]:
        """Return the notes of all published checkpoints, oldest first.

        A line that a stop cut off at the end is passed over; LogDamagedError for any other.
        """
        with contextlib.suppress(FileNotFoundError), self._history.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                note = _note(line)
                if note is None:
                    if next(lines, None) is None:
                        return
                    raise LogDamagedError(f"{self._history}:{number}: is no checkpoint")
                yield note

    # --- in a thread of its own ----------------------------------------------------------------

    def _open(self) -> list[str]:
        self._root.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self._new, ignore_errors=True)
        self._new.mkdir()
        _sync(self._root)
        return self._cut_history()

    def _cut_history(self) -> list[str]:
        """Cut off a line that a stop tore; return the notes at the end."""
        try:
            descriptor = os.open(self._history, os.O_RDWR)
        except FileNotFoundError:
            return []
        with os.fdopen(descriptor, "r+b") as file:
            size = file.seek(0, os.SEEK_END)
            start = file.seek(max(0, size - _TAIL))
            lines = file.read().splitlines(keepends=True)[1 if start else 0 :]
            notes = [_note(line) for line in lines]
            if notes and notes[-1] is None:
                file.truncate(size - len(lines[-1]))
                file.flush()
                os.fsync(descriptor)
                del notes[-1]
        if None in notes or (start and not notes):
            raise LogDamagedError(f"{self._history}: holds what is no checkpoint")
        return [note for note in notes if note is not None]

    def _write(self, files: Mapping[TilePath, bytes]) -> None:
        self._place({self._root / str(path): content for path, content in files.items()})

    def _publish(self, note: bytes) -> None:
        self._place({self._checkpoint: note})

    def _place(self, files: Mapping[Path, bytes], mode: int = _MODE) -> None:
        """Give files their names once their bytes are durable, and make the names durable."""
        written = [
            (self._fresh(str(number), content, mode), target)
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

    def _fresh(self, name: str, content: bytes, mode: int) -> Path:
        path = self._new / name
        path.unlink(missing_ok=True)  # of an attempt that failed, on a full disk perhaps
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
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

    def _remember(self, notes: Sequence[str]) -> None:
        lines = "".join(json.dumps(note) + "\n" for note in notes).encode()
        if len(notes) > 1 or not self._history.exists():
            # A stop can tear the last line; many are added by a new file that gets the name.
            self._place({self._history: (_content(self._history) or b"") + lines}, _GROWING)
            return
        with self._history.open("ab") as file:
            end = file.tell()
            try:
                file.write(lines)
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                # A full disk takes part of a line: the next one must not be written behind it.
                os.ftruncate(file.fileno(), end)
                raise

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
