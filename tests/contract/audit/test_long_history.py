"""A history of very many checkpoints: read as a stream, and by its end alone where that will do."""

from __future__ import annotations

import json
import shutil
import tracemalloc
from base64 import b64encode
from typing import TYPE_CHECKING

import pytest

from services.audit.cases.copy_log import CopyLog
from services.audit.cases.published_log import PublishedLog
from services.audit.domain.checkpoint import Checkpoint
from services.audit.domain.faults import LogDamagedError, StaleWriterError
from services.audit.domain.layout import lay_out
from services.audit.domain.merkle import Frontier, leaf_hash
from services.audit.domain.tiles import Edge
from services.audit.store.log_keys import create_log_key, load_log_keys
from services.audit.store.tile_directory import TileDirectory
from tests.contract.audit.log import ORIGIN

if TYPE_CHECKING:
    from pathlib import Path

    from services.audit.domain.log_keys import LogKeys

LEAVES = [b"entry %d" % number for number in range(15_000)]
MOST = 8 << 20  # bytes of memory


def keys_of(directory: Path) -> LogKeys:
    create_log_key(directory / "log.key", ORIGIN)
    return load_log_keys(directory / "log.key", ORIGIN)


def unsigned(size: int, root: bytes) -> str:
    """A checkpoint, and zeros in the place of its signature."""
    signature = b64encode(bytes(68)).decode()
    return f"{ORIGIN}\n{size}\n{b64encode(root).decode()}\n\n— {ORIGIN} {signature}\n"


async def published(tiles: TileDirectory, keys: LogKeys, leaves: list[bytes]) -> Checkpoint:
    """Publishes a checkpoint after each entry; of many only the newest is signed: that is slow."""
    layout, tree = lay_out(Edge(), leaves), Frontier()
    await tiles.open()
    await tiles.write(layout.full | layout.partial)
    notes = []
    for leaf in leaves:
        tree.append(leaf_hash(leaf))
        if len(leaves) < 1000:
            notes.append(Checkpoint.sign(keys, tree.size, tree.root()).note)
        else:
            notes.append(unsigned(tree.size, tree.root()))
    newest = Checkpoint.sign(keys, tree.size, layout.root)
    await tiles.remember([*notes[:-1], newest.note])
    await tiles.publish(newest.note)
    return newest


def told(_done: int, _of: int) -> None:
    """Nobody listens."""


async def test_copying_takes_no_more_memory_for_a_longer_history(tmp_path: Path) -> None:
    keys = keys_of(tmp_path)
    source, target = TileDirectory(tmp_path / "tiles"), TileDirectory(tmp_path / "copy")
    newest = await published(source, keys, LEAVES)
    tracemalloc.start()
    try:
        assert await CopyLog(keys, source, target)(told) == newest
        assert tracemalloc.get_traced_memory()[1] < MOST
    finally:
        tracemalloc.stop()
    for name in ("checkpoint", "checkpoints.jsonl"):
        assert (tmp_path / "copy" / name).read_bytes() == (tmp_path / "tiles" / name).read_bytes()


async def test_a_hundred_thousand_checkpoints_are_a_stream(tmp_path: Path) -> None:
    keys = keys_of(tmp_path)
    tiles = TileDirectory(tmp_path / "tiles")
    newest = Checkpoint.sign(keys, 100_000, bytes(32))
    await tiles.open()
    await tiles.remember(unsigned(size, bytes(32)) for size in range(100_000))
    await tiles.remember([newest.note])
    log = PublishedLog(tiles, keys)
    tracemalloc.start()
    try:
        assert await log.newest() == newest
        assert (await tiles.open())[-1] == newest.note
        assert sum(1 for _ in tiles.history()) == 100_001
        assert sum(1 for _ in log.stated(newest, after=99_000)) == 1_000
        assert tracemalloc.get_traced_memory()[1] < MOST
    finally:
        tracemalloc.stop()


async def test_the_history_is_entered_at_any_size(tmp_path: Path) -> None:
    keys = keys_of(tmp_path)
    tiles = TileDirectory(tmp_path / "tiles")
    await published(tiles, keys, LEAVES[:400])
    notes = list(tiles.history())
    for after in (0, 1, 9, 10, 99, 255, 398, 399, 400, 10**6):
        assert list(tiles.history(after)) == notes[after:]
    assert tiles.last() == notes[-1]


async def test_a_checkpoint_that_the_tree_does_not_have_is_not_copied(tmp_path: Path) -> None:
    keys = keys_of(tmp_path)
    source, target = TileDirectory(tmp_path / "tiles"), TileDirectory(tmp_path / "copy")
    await published(source, keys, LEAVES[:300])
    file = tmp_path / "tiles" / "checkpoints.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    lines[7] = json.dumps(Checkpoint.sign(keys, 8, b"\7" * 32).note) + "\n"
    file.write_text("".join(lines))
    with pytest.raises(LogDamagedError, match="checkpoint of 8 entries is of another history"):
        await CopyLog(keys, source, target)(told)
    assert await target.newest() is None


async def test_a_copy_that_stopped_within_its_history_is_completed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = keys_of(tmp_path)
    source, target = TileDirectory(tmp_path / "tiles"), TileDirectory(tmp_path / "copy")
    newest = await published(source, keys, LEAVES[:700])
    with monkeypatch.context() as patch:

        async def stops(_self: TileDirectory, _notes: object) -> None:
            raise OSError(28, "No space left on device")

        patch.setattr(TileDirectory, "remember", stops)
        with pytest.raises(OSError, match="No space"):
            await CopyLog(keys, source, target)(told)
    assert await PublishedLog(target, keys).newest() == newest
    await target.remember(list(source.history())[:600])
    await CopyLog(keys, source, target)(told)
    assert list(target.history()) == list(source.history())


async def test_a_process_that_comes_late_puts_nothing_back(tmp_path: Path) -> None:
    """It slept while another took its place, and goes on with what it had in hand."""
    keys = keys_of(tmp_path)
    late, tiles = TileDirectory(tmp_path / "tiles"), TileDirectory(tmp_path / "tiles")
    await published(late, keys, LEAVES[:10])
    older, newer = (
        Checkpoint.sign(keys, size, lay_out(Edge(), LEAVES[:size]).root) for size in (20, 30)
    )
    await tiles.open()
    await tiles.remember([newer.note])
    history = (tmp_path / "tiles" / "checkpoints.jsonl").read_bytes()
    for act in (late.remember([older.note]), late.publish(older.note)):
        with pytest.raises(StaleWriterError, match="30 entries are published"):
            await act
    await tiles.publish(newer.note)
    with pytest.raises(StaleWriterError):
        await late.publish(older.note)
    await late.remember([newer.note])  # the same again, as after an outcome that is not known
    with pytest.raises(LogDamagedError, match="another history"):
        await late.remember([Checkpoint.sign(keys, 30, b"\7" * 32).note])
    assert (tmp_path / "tiles" / "checkpoints.jsonl").read_bytes() == history
    assert await late.newest() == newer.note


async def test_two_processes_do_not_touch_each_others_unfinished_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One begins, and clears away, while the other has written bytes that have no name yet."""
    keys = keys_of(tmp_path)
    one, other = TileDirectory(tmp_path / "tiles"), TileDirectory(tmp_path / "tiles")
    await published(one, keys, LEAVES[:10])
    ten, twenty = lay_out(Edge(), LEAVES[:10]), lay_out(Edge(), LEAVES[:20])
    fresh = TileDirectory._fresh

    def interrupted(self: TileDirectory, name: str, content: bytes) -> Path:
        path = fresh(self, name, content)
        monkeypatch.setattr(TileDirectory, "_fresh", fresh)
        other._open()
        other._write(ten.partial)
        return path

    monkeypatch.setattr(TileDirectory, "_fresh", interrupted)
    with pytest.raises(FileNotFoundError):
        await one.write(twenty.partial)
    shutil.rmtree(tmp_path / "tiles" / "tile")
    await one.write(twenty.partial)
    for path, content in twenty.partial.items():
        assert await one.read(path) == content
