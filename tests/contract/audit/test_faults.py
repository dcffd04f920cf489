"""What a bad day does to the log: it repairs itself, or it refuses and says why.

A killed sequencer and two of them are tried in test_takeover.py and test_sequencer.py, a full disk
below the tiles in test_tiles.py.
"""

from __future__ import annotations

import os
import resource
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection

from runtime.clock import SettableClock
from runtime.fault import Fault
from runtime.process import NotReadyError
from runtime.testing import NOON
from services.audit.api.envelope import LogEntryEnvelope
from services.audit.store.log import StoredLog
from tests.contract.audit.log import Log, event, run_writer, running
from tests.contract.audit.published import Published
from tests.contract.audit.recovering import Region, content, published_log
from tests.contract.audit.test_takeover import calling, one_history, two

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def fill(log: Log, there: int) -> int:
    """Appends until the log refuses; returns how many entries were acknowledged."""
    while there < 100_000:
        try:
            await log.append(there + 1, [event(n) for n in range(there + 1, there + 51)])
        except Fault as fault:
            assert fault.reason == "UNAVAILABLE"  # noqa: PT017  any other must fail the test
            return there
        there += 50
    raise AssertionError("it never became full")


@SQLITE
async def test_a_full_database_refuses_loses_nothing_and_goes_on_when_there_is_room(
    log: Log,
) -> None:
    async def allow(more: int) -> None:
        def unit(tx: Connection) -> None:
            pages = tx.exec_driver_sql("PRAGMA page_count").scalar_one()
            tx.exec_driver_sql(f"PRAGMA max_page_count = {pages + more}")

        await log.database.write(unit)

    await allow(60)
    there = await fill(log, 0)
    assert there > 0
    assert await log.check(every=17) == there
    assert await fill(log, there) == there  # as often as it is tried
    await allow(100_000)
    await log.append(there + 1, [event(there + 1)])
    assert await log.check(every=17) == there + 1


@SQLITE
@pytest.mark.timeout(180)
async def test_a_process_whose_disk_is_full_goes_on_when_there_is_room(region: Region) -> None:
    """The write-ahead log may grow no further: what the kernel refuses in the midst of a write."""
    await Log.create(region.url, region.directory).close()
    with two(region) as (replica, _):
        await replica.start()

        def allow(size: int) -> None:
            limits = (size, resource.RLIM_INFINITY)
            resource.prlimit(replica.process.pid, resource.RLIMIT_FSIZE, limits)

        async with calling(region, replica) as append:
            there = 0
            while there < 500:
                await append(there + 1, 50)
                there += 50
            allow((region.directory / "store.db-wal").stat().st_size + 60_000)
            while True:
                try:
                    await append(there + 1, 50)
                except Fault as fault:
                    assert fault.reason == "UNAVAILABLE"  # noqa: PT017  any other fails the test
                    break
                there += 50
            allow(resource.RLIM_INFINITY)
            receipts = await append(there + 1, 50)  # the same content, whatever became of it
            assert [receipt.index for receipt in receipts] == list(range(there, there + 50))
    assert await one_history(region) == there + 50


def crash(region: Region, to: str) -> Path:
    """Copies the database file and its write-ahead log as a power cut would leave them."""
    copy = region.directory / to
    for suffix in ("", "-wal"):
        shutil.copyfile(region.directory / f"store.db{suffix}", f"{copy}{suffix}")
    return copy


def _add_garbage(file: Path) -> None:
    """What a write leaves behind that was never finished."""
    file.write_bytes(file.read_bytes() + os.urandom(3000))


@SQLITE
async def test_a_torn_write_ahead_log_never_becomes_a_second_history(region: Region) -> None:
    await Log.create(region.url, region.directory).close()
    async with region.running() as there:
        for size in (5, 10, 15):
            await there.grow(5)
            await there.publish()
            assert there.appended == size
        wal = (region.directory / "store.db-wal").stat().st_size
        copies = [crash(region, f"torn-{cut}.db") for cut in range(12)]
        garbage = crash(region, "garbage.db")
    _add_garbage(Path(f"{garbage}-wal"))
    region.url = f"sqlite:///{garbage}"
    async with region.running() as there:
        assert await there.log.check() == 15
    for number, copy in enumerate(copies):
        os.truncate(f"{copy}-wal", wal * number // 12)
        torn = Log.at(f"sqlite:///{copy}", region.directory)
        there = Published(torn, region.tiles)
        try:
            with pytest.raises(Exception, match=r"rebuild|no such table"):
                await there.publisher.open()
        finally:
            await torn.close()
    region.url = region.fresh()
    assert (await region.rebuild(region.settings())).size == 15


async def test_a_torn_file_of_the_log_is_named_and_made_anew(region: Region) -> None:
    await published_log(region, 300, 700)
    settings = region.settings()
    files = ("tile/entries/001", "tile/0/001", "tile/entries/002.p/188", "tile/0/002.p/188")
    for name in files:
        file = region.tiles / name
        whole = file.read_bytes()
        file.chmod(0o644)
        os.truncate(file, len(whole) // 2)
        with pytest.raises(NotReadyError, match=name):
            await region.back_up(settings)
        file.unlink()
        async with region.running() as there:
            assert (await there.read()).size == 700
        assert file.read_bytes() == whole
    history = region.tiles / "checkpoints.jsonl"
    whole = history.read_bytes()
    os.truncate(history, len(whole) - 20)
    async with region.running() as there:
        assert there.history() == [300, 700]
    assert (await region.back_up(settings)).size == 700


async def test_a_clock_that_jumps_back_changes_nothing(database_url: str, tmp_path: Path) -> None:
    clock = SettableClock(NOON)
    seen = []
    async with running(Log.create(database_url, tmp_path)) as log:
        store = StoredLog(log.database, LogEntryEnvelope(), clock)
        log.writer = log.writer_on(store)
        await log.writer.open()
        async with run_writer(log.writer):
            for number in range(1, 6):
                await log.append(number, [event(number)])
                clock.advance(-timedelta(days=400))
        seen = log.seen
    async with running(Log.at(database_url, tmp_path)) as log:
        log.seen = seen
        there = Published(log, tmp_path / "tiles", 5)
        await there.publisher.open()
        await there.publish()
        await there.grow(5)
        await there.publish()
        assert await log.check() == 10
        assert (await there.read()).size == 10
        assert await content(database_url, 10)
