"""Reading a log's files: what the signature covers, and the name of what it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.audit.cases.published_log import PublishedLog
from services.audit.domain.checkpoint import Checkpoint
from services.audit.domain.faults import LogDamagedError
from services.audit.domain.layout import ENTRIES, TilePath, lay_out
from services.audit.domain.log_keys import LogKeys
from services.audit.domain.merkle import EMPTY_ROOT
from services.audit.domain.tiles import Edge
from services.audit.store.log_keys import create_log_key, load_log_keys
from services.audit.store.tile_directory import TileDirectory
from tests.contract.audit.log import ORIGIN

SIZE = 256 * 256 + 300
LEAVES = [b"entry %d" % number for number in range(SIZE)]


async def published(directory: Path, *sizes: int) -> LogKeys:
    """A directory in which a log was published at these sizes."""
    create_log_key(directory / "log.key", ORIGIN)
    keys = load_log_keys(directory / "log.key", ORIGIN)
    tiles = TileDirectory(directory / "tiles")
    await tiles.open()
    for size in sizes:
        layout = lay_out(Edge(), LEAVES[:size])
        await tiles.write(layout.full | layout.partial)
        note = Checkpoint.sign(keys, size, layout.root).note
        await tiles.remember([note])
        await tiles.publish(note)
    return keys


async def read(directory: Path, keys: LogKeys, size: int | None = None) -> list[bytes]:
    """All entries up to a checkpoint, the newest unless it is said."""
    log = PublishedLog(TileDirectory(directory / "tiles"), keys)
    newest = await log.newest()
    assert newest is not None
    wanted = next(c for c in log.stated(newest) if c.size == size) if size else newest
    return [leaf async for bundle in log.bundles(wanted) for leaf in bundle]


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 700, 256 * 256, SIZE])
async def test_the_entries_are_those_that_were_signed(tmp_path: Path, size: int) -> None:
    keys = await published(tmp_path, 0, size) if size else await published(tmp_path, 0)
    assert await read(tmp_path, keys) == LEAVES[:size]


async def test_an_older_checkpoint_is_read_from_the_files_of_a_newer(tmp_path: Path) -> None:
    keys = await published(tmp_path, 5, 300, 700)
    assert await read(tmp_path, keys, 300) == LEAVES[:300]


async def test_each_damaged_file_is_named(tmp_path: Path) -> None:
    keys = await published(tmp_path, SIZE)
    for path in (
        TilePath(ENTRIES, 7),
        TilePath(0, 7),
        TilePath(1, 0),
        TilePath(ENTRIES, 257, 44),
        TilePath(0, 257, 44),
        TilePath(1, 1, 1),
        TilePath(2, 0, 1),
    ):
        file = tmp_path / "tiles" / str(path)
        whole = file.read_bytes()
        file.chmod(0o644)
        middle = len(whole) // 2
        flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
        for damaged in (flipped, whole[:-1], whole + b"\0", b""):
            file.write_bytes(damaged)
            with pytest.raises(LogDamagedError, match=str(path)):
                await read(tmp_path, keys)
        file.unlink()
        with pytest.raises(LogDamagedError, match=f"{path}.*is missing"):
            await read(tmp_path, keys)
        file.write_bytes(whole)
    assert await read(tmp_path, keys) == LEAVES


async def test_a_kept_checkpoint_is_held_to_the_same_history(tmp_path: Path) -> None:
    keys = await published(tmp_path, 700)
    log = PublishedLog(TileDirectory(tmp_path / "tiles"), keys)
    newest = await log.newest()
    assert newest is not None
    for size in (0, 1, 255, 256, 257, 512, 699, 700):
        seen = Checkpoint.sign(keys, size, lay_out(Edge(), LEAVES[:size]).root)
        await log.require(seen, newest)
    for size in (1, 256, 700):
        with pytest.raises(LogDamagedError, match="different histories"):
            await log.require(Checkpoint.sign(keys, size, EMPTY_ROOT), newest)
