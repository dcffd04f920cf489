"""The published log: what is in the directory, at every step, whatever stops in between."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import stat
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from services.audit.cases import publish
from services.audit.domain.faults import LogDamagedError, PutBackError
from services.audit.domain.layout import ENTRIES, TilePath
from services.audit.domain.ports import Cosigned, Prove
from services.audit.domain.verification import consistent
from services.audit.store import KEY_MIGRATIONS, LOG_MIGRATIONS
from services.audit.store.key_encryption import create_key
from services.audit.store.published import StoredPublications
from services.audit.store.tile_directory import TileDirectory
from tests.contract.audit.log import Log, event, running
from tests.contract.audit.published import Published
from tests.contract.audit.stranger import place
from tests.migrated import migrated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from services.audit.domain.checkpoint import Checkpoint


async def test_an_empty_log_is_a_checkpoint_of_nothing(made: Published) -> None:
    assert (await made.read()).size == 0
    assert made.files() == {"checkpoint", "checkpoints.jsonl"}


async def test_a_stranger_reads_every_size(made: Published) -> None:
    for count in (1, 1, 253, 1, 1, 300, 2000):
        await made.grow(count)
        await made.publish()
        head = await made.read()
        assert (head.origin, head.size) == (made.log.signer.origin, made.appended)
    assert made.history() == [0, 1, 2, 255, 256, 257, 557, 2557]
    assert [size for size, _ in await made.rows()] == made.history()
    assert [note for _, note in await made.rows()][-1] == (made.path / "checkpoint").read_text()


async def test_files_are_exactly_those_that_the_newest_checkpoint_needs(made: Published) -> None:
    for count in (10, 240, 10, 300):  # 10, 250, 260, 560
        await made.grow(count)
        await made.publish()
    assert made.files() == {
        "checkpoint",
        "checkpoints.jsonl",
        *(place(level, number) for level in ("0", "entries") for number in (0, 1)),
        place("0", 2, 48),
        place("entries", 2, 48),
        place("1", 0, 1),  # of sizes published before: kept until their full tile is there
        place("1", 0, 2),
    }


async def test_files_are_for_reading_alone(made: Published) -> None:
    await made.grow(300)
    await made.publish()
    for file in made.files() - {"checkpoints.jsonl"}:
        assert stat.S_IMODE((made.path / file).stat().st_mode) == 0o444, file


async def test_a_partial_tile_that_was_removed_is_the_beginning_of_the_full_one(
    made: Published,
) -> None:
    await made.grow(100)
    await made.publish()
    kept = {
        level: (made.path / str(TilePath(level, 0, 100))).read_bytes() for level in (0, ENTRIES)
    }
    await made.grow(200)
    await made.publish()
    for level, content in kept.items():
        path = TilePath(level, 0, 100)
        assert not (made.path / str(path)).exists()
        assert await TileDirectory(made.path).read(path) == content
    assert await TileDirectory(made.path).read(TilePath(0, 7)) is None
    assert await TileDirectory(made.path).read(TilePath(0, 7, 3)) is None


async def test_a_start_goes_on_where_the_last_one_stopped(made: Published) -> None:
    await made.grow(700)
    await made.publish()
    before = made.files()
    await made.again().open()
    assert made.publisher.size == 700
    assert made.files() == before
    await made.grow(100)
    await made.publish()
    assert (await made.read()).size == 800


# --- where directory and database differ -------------------------------------------------------


async def test_a_directory_that_was_lost_is_made_anew_with_every_checkpoint(
    made: Published,
) -> None:
    for _ in range(3):
        await made.grow(300)
        await made.publish()
    notes = list(TileDirectory(made.path).history())
    shutil.rmtree(made.path)
    await made.again().open()
    assert (await made.read()).size == 900
    assert list(TileDirectory(made.path).history()) == notes


@pytest.mark.parametrize(
    "what", ["tile/0/001", "tile/entries/000", "tile/entries/002.p/88", "tile"]
)
async def test_tiles_that_are_missing_are_made_anew(made: Published, what: str) -> None:
    await made.grow(600)
    await made.publish()
    whole = made.path / what
    shutil.rmtree(whole) if whole.is_dir() else whole.unlink()
    await made.again().open()
    assert (await made.read()).size == 600


async def test_a_directory_put_back_from_a_backup_catches_up(
    made: Published, tmp_path: Path
) -> None:
    await made.grow(300)
    await made.publish()
    shutil.copytree(made.path, tmp_path / "backup")
    await made.grow(300)
    await made.publish()
    shutil.rmtree(made.path)
    shutil.copytree(tmp_path / "backup", made.path)
    await made.again().open()
    assert (await made.read()).size == 600
    assert made.history() == [0, 300, 600]


def reborn(log: Log, directory: Path) -> Log:
    """A log of the same key and empty databases."""
    directory.mkdir()
    for file in log.directory.glob("log.*key"):
        shutil.copy(file, directory)
    create_key(directory, "2026-06")
    url = f"sqlite:///{directory / 'reborn.db'}"
    migrated(url, LOG_MIGRATIONS)
    migrated(f"sqlite:///{directory / 'keys.db'}", KEY_MIGRATIONS)
    return Log.at(url, directory)


async def test_a_database_behind_the_directory_is_refused_and_the_way_out_named(
    made: Published, tmp_path: Path
) -> None:
    """The database was lost: to go on with a new one would be a second history."""
    await made.grow(10)
    await made.publish()
    before = {file: (made.path / file).read_bytes() for file in made.files()}
    async with running(reborn(made.log, tmp_path / "reborn")) as log:
        with pytest.raises(
            LogDamagedError, match=r"10 entries were published .* holds 0: .*rebuild"
        ):
            await Published(log, made.path).publisher.open()
    assert {file: (made.path / file).read_bytes() for file in made.files()} == before


async def test_a_database_of_another_history_is_refused(made: Published, tmp_path: Path) -> None:
    await made.grow(10)
    await made.publish()
    async with running(reborn(made.log, tmp_path / "reborn")) as log:
        await log.append(1, [event(n) for n in range(20)])
        with pytest.raises(LogDamagedError, match=r"the first 10 entries .* another history"):
            await Published(log, made.path).publisher.open()


@pytest.mark.parametrize("file", ["checkpoint", "checkpoints.jsonl"])
async def test_a_checkpoint_that_the_log_did_not_sign_is_refused(
    made: Published, file: str
) -> None:
    await made.grow(10)
    await made.publish()
    text = (made.path / file).read_text()
    (made.path / file).chmod(0o644)
    (made.path / file).write_text(text.replace("10", "11"))
    with pytest.raises(LogDamagedError, match="cannot be trusted: the signature"):
        await made.again().open()


async def test_what_a_stop_left_out_of_the_table_is_added(made: Published) -> None:
    """A stop came after `checkpoint` got its name, before the row."""
    await made.grow(10)
    await made.publish()
    await made.grow(10)
    tiles = TileDirectory(made.path)
    note = await made.log.store.newest_note()
    assert note is not None
    await tiles.remember([note])
    await made.again().open()
    assert [size for size, _ in await made.rows()] == [0, 10, 20]
    assert (await made.read()).size == 20


async def test_a_torn_line_of_the_history_is_cut_off(made: Published) -> None:
    for _ in range(3):
        await made.grow(10)
        await made.publish()
    whole = (made.path / "checkpoints.jsonl").read_bytes()
    for tail in (b'"nl.accord', b'"nl.accord.internal/audit\\n40\\n', b"\0" * 100 + b"\n", b"40\n"):
        (made.path / "checkpoints.jsonl").write_bytes(whole + tail)
        await made.again().open()
        assert (made.path / "checkpoints.jsonl").read_bytes() == whole
        assert made.history() == [0, 10, 20, 30]


async def test_a_torn_line_of_a_checkpoint_that_was_named_is_written_again(
    made: Published,
) -> None:
    await made.grow(10)
    await made.publish()
    whole = (made.path / "checkpoints.jsonl").read_bytes()
    (made.path / "checkpoints.jsonl").write_bytes(whole[:-40])
    await made.again().open()
    assert (made.path / "checkpoints.jsonl").read_bytes() == whole


async def test_damage_within_the_history_is_refused_and_named(made: Published) -> None:
    for _ in range(3):
        await made.grow(10)
        await made.publish()
    lines = (made.path / "checkpoints.jsonl").read_bytes().splitlines(keepends=True)
    lines[1] = lines[1][:50] + b"\n"
    (made.path / "checkpoints.jsonl").write_bytes(b"".join(lines))
    with pytest.raises(LogDamagedError, match=r"checkpoints\.jsonl"):
        await made.again().open()
    with pytest.raises(LogDamagedError, match=r"checkpoints\.jsonl:2"):
        made.history()


async def test_entries_that_do_not_hash_to_what_was_signed_are_not_published(
    made: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bit flipped between signing and publishing: `checkpoint` stays what it was."""
    await made.grow(300)
    await made.publish()
    await made.grow(300)
    leaves = StoredPublications.leaves

    async def flipped(self: StoredPublications, start: int, end: int) -> list[bytes]:
        found = await leaves(self, start, end)
        found[100] = bytes([found[100][0] ^ 1]) + found[100][1:]
        return found

    monkeypatch.setattr(StoredPublications, "leaves", flipped)
    with pytest.raises(LogDamagedError, match="600 entries stored do not hash"):
        await made.publisher.publish()
    assert (await made.read()).size == 300


# --- stops and failures at every step ----------------------------------------------------------


class StopError(BaseException):
    """The process ends here: nothing that would tidy up runs."""


@contextmanager
def ending_at(step: int, error: Callable[[], BaseException]) -> Iterator[list[int]]:
    """Lets the file operation of this number, and all after it, fail; yields how many."""
    count = [0]
    doors: list[tuple[object, str]] = [
        (os, "fsync"),
        (os, "open"),
        (os, "ftruncate"),
        (Path, "mkdir"),
        (Path, "replace"),
        (Path, "unlink"),
        (Path, "open"),
        (shutil, "rmtree"),
    ]

    def counted(whole: Callable[..., object]) -> Callable[..., object]:
        def operation(*arguments: object, **named: object) -> object:
            count[0] += 1
            if count[0] > step:
                raise error()
            return whole(*arguments, **named)

        return operation

    with pytest.MonkeyPatch.context() as patches:
        for owner, name in doors:
            patches.setattr(owner, name, counted(getattr(owner, name)))
        yield count


async def test_a_stop_at_any_step_leaves_a_log_that_strangers_read(made: Published) -> None:
    before, step = 0, 0
    while True:
        await made.grow(100)  # across the border of a bundle now and then
        with ending_at(step, StopError) as count, suppress(StopError):
            await made.publisher.publish()
        size = (await made.read()).size
        assert size in {before, made.appended}
        await made.again().open()
        await made.publish()
        assert (await made.read()).size == made.appended
        assert [s for s, _ in await made.rows()][-1] == made.history()[-1] == made.appended
        assert not list((made.path / ".new").iterdir())
        if count[0] <= step:
            break
        before, step = made.appended, step + 1
    assert step > 20
    stale = [
        f
        for f in made.files()
        if ".p/" in f and (made.path / f).parents[0].with_suffix("").exists()
    ]
    assert stale == []


async def test_a_stop_at_any_step_of_a_start_is_made_good_by_the_next(
    made: Published, tmp_path: Path
) -> None:
    await made.grow(300)
    await made.publish()
    await made.grow(300)
    shutil.copytree(made.path, tmp_path / "old")
    await made.publish()
    for lost in (False, True):
        step = 0
        while True:
            shutil.rmtree(made.path)
            if not lost:
                shutil.copytree(tmp_path / "old", made.path)
            with ending_at(step, StopError) as count, suppress(StopError):
                await made.again().open()
            await made.again().open()
            assert (await made.read()).size == 600
            assert made.history() == [0, 300, 600]
            if count[0] <= step:
                break
            step += 1
        assert step > 10


async def test_a_full_disk_at_any_step_is_waited_for(made: Published) -> None:
    """The same process goes on when there is room again."""
    step = 0
    while True:
        await made.grow(100)
        with ending_at(step, lambda: OSError(errno.ENOSPC, "No space left on device")) as count:
            try:
                await made.publisher.publish()
            except OSError as error:
                assert error.errno == errno.ENOSPC  # noqa: PT017  what else it may raise ends the test
        await made.publish()
        assert (await made.read()).size == made.appended
        sizes = made.history()
        assert sizes == sorted(sizes)
        assert [s for s, _ in await made.rows()][-1] == sizes[-1] == made.appended
        if count[0] <= step:
            break
        step += 1
    assert step > 20


# --- witnesses, and the task -------------------------------------------------------------------


class Witness:
    """Someone whose word is asked for, and given or not; checks what it is shown."""

    def __init__(self, made: Published) -> None:
        self.made = made
        self.willing = True
        self.refused = asyncio.Event()
        self.seen: Checkpoint | None = None

    async def cosign(self, checkpoint: Checkpoint, prove: Prove) -> Cosigned:
        if self.seen and self.seen.size:
            proof = await prove(self.seen.size, checkpoint.size)
            assert consistent(
                self.seen.size, checkpoint.size, self.seen.root, checkpoint.root, proof
            )
        if self.willing:
            self.seen = checkpoint
        else:
            self.refused.set()
        signature = "— example.com/witness AAAAAAAAAAAAAAAAAAAA\n"
        return Cosigned(checkpoint.note + signature * self.willing, self.willing)


async def test_nothing_is_published_that_the_policy_does_not_allow(made: Published) -> None:
    witness = Witness(made)
    await made.again(witness).open()
    await made.grow(10)
    await made.publish()
    assert "example.com/witness" in (made.path / "checkpoint").read_text()
    files = made.files()
    witness.willing = False
    for _ in range(3):
        await made.grow(300)
        assert "cosignatures" in await made.publisher.publish()
    assert (await made.read()).size == made.publisher.size == 10
    assert (made.publisher.published, made.publisher.waiting) == (10, 900)
    assert made.files() == files  # also no disk is used while a quorum is away
    witness.willing = True
    await made.publish()
    assert (await made.read()).size == 910
    assert [size for size, _ in await made.rows()] == [0, 10, 910]
    assert all("example.com" in note for size, note in await made.rows() if size)


class Seen(TileDirectory):
    """A directory that tells when something is published."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.published = asyncio.Event()

    async def publish(self, note: str) -> None:
        await super().publish(note)
        self.published.set()


async def test_the_task_publishes_what_is_appended_and_waits_out_a_failure(
    made: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish, "_AGAIN_S", 0.01)
    tiles, witness = Seen(made.path), Witness(made)
    publisher = made.again(witness, tiles)
    await publisher.open()
    running_task = asyncio.create_task(publisher.run())
    try:
        for size in (10, 300):
            tiles.published.clear()
            await made.grow(size - made.appended)
            await asyncio.wait_for(tiles.published.wait(), 10)
            assert (await made.read()).size == size
        witness.refused.clear()
        witness.willing = False
        tiles.published.clear()
        await made.grow(10)
        await asyncio.wait_for(witness.refused.wait(), 10)
        assert (await made.read()).size == 300
        witness.refused.clear()
        await asyncio.wait_for(witness.refused.wait(), 10)  # again, and told once
        assert made.alarms == ["log_not_published"]
        witness.willing = True
        await asyncio.wait_for(tiles.published.wait(), 10)
        assert (await made.read()).size == 310
        assert not running_task.done()
    finally:
        running_task.cancel()
        await asyncio.gather(running_task, return_exceptions=True)


class Ahead:
    """A witness that holds a checkpoint of ours."""

    def __init__(self, size: int) -> None:
        self._size = size

    async def cosign(self, checkpoint: Checkpoint, _prove: Prove) -> Cosigned:
        raise PutBackError(self._size, f"put back: {self._size} beyond {checkpoint.size}")


async def test_a_log_that_was_put_back_neither_begins_nor_goes_on(made: Published) -> None:
    await made.grow(3)
    for step in (made.again(Ahead(4)).open, made.again(Ahead(4)).publish):
        with pytest.raises(PutBackError, match="4 beyond 3"):
            await step()
    # What another sequencer has signed meanwhile is here, and nobody has put anything back.
    await made.again(Ahead(3)).open()
    assert await made.publisher.publish()
    assert made.publisher.size == 0
