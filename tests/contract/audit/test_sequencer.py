"""One sequencer at a time: a second stands by, takes over, and never works against the first."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from runtime.fault import Fault
from services.audit.cases.sequence import Sequencer
from services.audit.cases.waiting import Appended
from services.audit.domain.ports import SequencerLock
from services.audit.store.sequencer_lock import sequencer_lock
from tests.contract.audit.log import Log, batch, event


async def test_one_holds_the_lock_and_it_ends_with_its_holder(
    database_url: str, tmp_path: Path
) -> None:
    Log.create(database_url, tmp_path)
    first, second = sequencer_lock(database_url), sequencer_lock(database_url)
    assert await first.take()
    assert not await second.take()
    assert not await second.take()
    lost = asyncio.ensure_future(first.lost())
    await asyncio.sleep(0)
    assert not lost.done()
    lost.cancel()
    await asyncio.gather(lost, return_exceptions=True)
    await first.leave()
    assert await second.take()
    await second.leave()
    assert await first.take()
    await first.leave()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_session_that_ends_is_noticed_at_once(database_url: str) -> None:
    first, second = sequencer_lock(database_url), sequencer_lock(database_url)
    assert await first.take()
    lost = asyncio.ensure_future(first.lost())
    url = make_url(database_url).set(drivername="postgresql")
    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'accord-audit-sequencer'"
        )
    async with asyncio.timeout(1):
        await lost
        while not await second.take():  # the server ends the session a moment after saying so
            pass
    await first.leave()
    assert not await first.take()
    await second.leave()
    await first.leave()


async def test_a_database_that_is_away_leaves_the_lock_unknown(tmp_path: Path) -> None:
    away = f"sqlite:///{tmp_path / 'nowhere' / 'log.db'}"
    for url in (away, "postgresql+psycopg://nobody@127.0.0.1:1/nothing"):
        with pytest.raises(Fault, match="UNAVAILABLE"):
            await sequencer_lock(url).take()


class Bypassed:
    """A lock that everyone holds: what a broken one would be."""

    async def take(self) -> bool:
        return True

    async def lost(self) -> None:
        await asyncio.get_running_loop().create_future()

    async def leave(self) -> None:
        return


class Process:
    """What one audit process does about appending, with databases of its own."""

    def __init__(self, url: str, directory: Path, lock: SequencerLock) -> None:
        self.log = Log.at(url, directory)
        self.sequencing = asyncio.Event()
        self.standing_by = asyncio.Event()
        self.sequencer = Sequencer(
            lock,
            lambda: self.log.writer_on(self.log.store),
            changed=lambda here: (self.sequencing if here else self.standing_by).set(),
        )
        self.run: asyncio.Task[None] = asyncio.create_task(self._run())

    async def append(self, number: int) -> Appended:
        appended = await self.sequencer.append(batch(number, [event(number)]))
        self.log.seen.append(appended.checkpoint)
        return appended

    async def end(self) -> None:
        self.run.cancel()
        await asyncio.gather(self.run, return_exceptions=True)
        await self.log.close()

    async def _run(self) -> None:
        await self.sequencer.begin()
        await self.sequencer.run()


Start = Callable[[SequencerLock], Process]


@pytest.fixture
async def start(database_url: str, tmp_path: Path) -> AsyncIterator[Start]:
    """Starts processes of one log; ends them all."""
    await Log.create(database_url, tmp_path).close()
    async with contextlib.AsyncExitStack() as stack:

        def one(lock: SequencerLock) -> Process:
            process = Process(database_url, tmp_path, lock)
            stack.push_async_callback(process.end)
            return process

        yield one


async def test_a_second_process_refuses_until_it_takes_over(
    start: Start, database_url: str
) -> None:
    first = start(sequencer_lock(database_url))
    await first.sequencing.wait()
    second = start(sequencer_lock(database_url))
    await second.standing_by.wait()
    await first.append(1)
    with pytest.raises(Fault, match="NOT_SEQUENCER") as refused:
        await second.append(2)
    assert refused.value.retry_after is not None
    assert await second.log.check() == 1  # it reads all the same
    first.run.cancel()
    async with asyncio.timeout(1):
        await second.sequencing.wait()
    with pytest.raises(Fault, match="NOT_SEQUENCER"):
        await first.append(2)
    assert (await second.append(1)).receipts[0].index == 0  # the first receipt, from the log
    await second.append(2)
    second.log.seen += first.log.seen
    assert await second.log.check() == 2


async def test_two_sequencers_in_spite_of_the_lock_are_fenced_by_the_store(start: Start) -> None:
    """Both believe to be the only one, and write as fast as they can."""
    both = [start(Bypassed()), start(Bypassed())]
    for process in both:
        await process.sequencing.wait()

    async def insist(process: Process, number: int) -> None:
        while True:
            try:
                await process.append(number)
            except Fault as fault:
                assert fault.reason == "UNAVAILABLE"  # noqa: PT017  any other must fail the test
            else:
                return

    for number in range(1, 11):
        await asyncio.gather(*(insist(process, number) for process in both))
    both[0].log.seen += both[1].log.seen
    assert await both[0].log.check() == 10
