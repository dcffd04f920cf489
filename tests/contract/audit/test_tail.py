"""Reading along: every entry once, in order, wherever it is read, and on record."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import pytest
from accord.audit.v1.append_service_pb2 import NewEntry

from runtime.call import Way
from runtime.fault import Fault
from services.audit.cases.reading import OnRecord, Reader
from services.audit.cases.record import Record
from services.audit.cases.tail import Growth, News, Tail
from services.audit.cases.tree import Tree
from services.audit.domain.checkpoint import Checkpoint
from services.audit.domain.faults import log_unavailable
from services.audit.domain.ports import Keys
from services.audit.domain.wanted import Wanted
from services.audit.store.own_events import StoredOwnEvents
from services.audit.store.tables import outbox
from tests.contract.audit.log import OFFICER, PERSON, Log, event, said

INES = Reader("spiffe://nl.accord.internal/staff/auditor/ines", "incident 12", Way())
LONG = 3600.0
NOBODY = "accounts/nl-nobody"


def on_record(log: Log, keys: Keys | None = None) -> OnRecord:
    return OnRecord(
        Record(StoredOwnEvents(log.key_database, log.keys)), keys or log.keys, log.clock
    )


async def recorded(log: Log) -> list[NewEntry]:
    """What audit has put into its own outbox."""
    return await said(log.key_database, log.directory)


def fields(entry: NewEntry) -> dict[str, str]:
    return {field.name: field.value for field in entry.fields}


@contextlib.asynccontextmanager
async def running(growth: Growth) -> AsyncIterator[Growth]:
    task = asyncio.create_task(growth.run())
    try:
        yield growth
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def growth(log: Log) -> AsyncIterator[Growth]:
    async with running(Growth(Tree(log.store, log.signer))) as growth:
        yield growth


@pytest.fixture
def tail(log: Log, growth: Growth) -> Tail:
    return Tail(log.entries, growth, on_record(log))


def follow(
    tail: Tail, begin: int | None = None, wanted: Wanted | None = None, seconds: float = LONG
) -> AsyncGenerator[News]:
    return tail.follow(INES, wanted or Wanted(), begin, time.monotonic() + seconds)


async def taken(told: AsyncGenerator[News], count: int) -> list[int]:
    """The next `count` entries of a stream, in the order in which they came."""
    indexes: list[int] = []
    while len(indexes) < count:
        news = await anext(told)
        indexes += [entry.stored.index for entry in news.entries]
        assert news.next_index <= news.size
    return indexes


async def test_what_is_there_and_what_comes_is_told_once_in_order(log: Log, tail: Tail) -> None:
    await log.append(1, [event(n) for n in range(1, 251)])
    async with aclosing(follow(tail, 3)) as told:
        assert await taken(told, 247) == list(range(3, 250))
        await log.append(251, [event(n) for n in range(251, 254)])
        assert await taken(told, 3) == [250, 251, 252]


async def test_from_now_on_is_from_now_on_and_silence_is_told(log: Log, tail: Tail) -> None:
    await log.append(1, [event(1)])
    async with aclosing(follow(tail)) as told:
        began = time.monotonic()
        resting = await anext(told)
        assert (resting.entries, resting.next_index, resting.size) == ((), 1, 1)
        assert time.monotonic() - began < 1
        await log.append(2, [event(2)])
        assert await taken(told, 1) == [1]


async def test_a_stream_is_taken_up_where_it_ended_on_another_replica(log: Log, tail: Tail) -> None:
    await log.append(1, [event(n) for n in range(1, 6)])
    async with aclosing(follow(tail, 0)) as told:
        news = await anext(told)
    elsewhere = Log.at(log.url, log.directory)
    try:
        async with running(Growth(Tree(elsewhere.store, elsewhere.signer))) as growth:
            other = Tail(elsewhere.entries, growth, on_record(elsewhere))
            async with aclosing(follow(other, news.next_index)) as told:
                await anext(told)
                await log.append(6, [event(n) for n in range(6, 9)])  # committed by another process
                assert await taken(told, 3) == [5, 6, 7]
    finally:
        await elsewhere.close()


async def test_filters_leave_out_and_go_on(log: Log, tail: Tail) -> None:
    wanted = Wanted(account=PERSON, action_prefix="account:link:")
    async with aclosing(follow(tail, 0, wanted)) as told:
        await log.append(
            1,
            [
                event(1, account="", actor=OFFICER, action="account:staff:invite"),
                event(2),
                event(3, action="account:session:begin"),
                event(4, action="account:link:remove"),
            ],
        )
        assert await taken(told, 2) == [1, 3]
    async with aclosing(follow(tail, 0, Wanted(account=NOBODY))) as told:
        news = await anext(told)
        assert (news.entries, news.next_index) == ((), 4)


async def test_what_is_committed_here_is_told_without_a_look(log: Log, tail: Tail) -> None:
    growth = Growth(Tree(log.store, log.signer))  # not running: nothing looks
    told = Tail(log.entries, growth, on_record(log)).follow(
        INES, Wanted(), None, time.monotonic() + LONG
    )
    async with aclosing(told):
        first = asyncio.ensure_future(taken(told, 1))
        await asyncio.sleep(0)
        appended = await log.append(1, [event(1)])
        growth.grown(appended.checkpoint.size)
        assert await first == [0]
    assert tail


async def test_a_stream_is_on_record_when_it_begins_and_when_it_ends(log: Log, tail: Tail) -> None:
    await log.append(1, [event(n) for n in range(1, 4)])
    told = follow(tail, 0, Wanted(account=PERSON, trace_id="ab" * 16))
    await anext(told)
    (begun,) = await recorded(log)
    assert begun.actor == INES.who
    assert fields(begun) == {
        "purpose": "incident 12",
        "entries": "0",
        "trace_id": "ab" * 16,
        "step": "begin",
    }
    # Whom it was searched for is sealed as theirs.
    (section,) = begun.sections
    assert section.account == PERSON
    assert {f.name: f.value for f in section.fields} == {
        "asked": "account",
        "purpose": "incident 12",
    }
    await told.aclose()
    assert len(await recorded(log)) == 1  # nothing was given: nothing more to say
    async with aclosing(follow(tail, 0)) as told:
        assert await taken(told, 3) == [0, 1, 2]
    *_, last = await recorded(log)
    assert (fields(last)["step"], fields(last)["entries"]) == ("end", "3")


async def test_a_reader_who_goes_away_is_on_record_too(log: Log, tail: Tail) -> None:
    await log.append(1, [event(n) for n in range(1, 4)])
    given = asyncio.Event()

    async def read() -> None:
        async with aclosing(follow(tail, 0)) as told:
            async for news in told:
                if news.entries:
                    given.set()

    reading = asyncio.create_task(read())
    await given.wait()
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    *_, last = await recorded(log)
    assert (fields(last)["step"], fields(last)["entries"]) == ("end", "3")


async def test_before_more_than_a_thousand_entries_there_is_another_record(
    log: Log, tail: Tail
) -> None:
    for first in range(1, 1202, 200):
        await log.append(first, [event(n) for n in range(first, first + 200)])
    async with aclosing(follow(tail, 0)) as told:
        assert len(await taken(told, 1000)) == 1000
        assert [fields(each)["step"] for each in await recorded(log)] == ["begin"]
        assert len(await taken(told, 400)) == 400
    steps = [(fields(e)["step"], fields(e)["entries"]) for e in await recorded(log)]
    assert steps == [("begin", "0"), ("go on", "1000"), ("end", "400")]


async def test_what_cannot_be_recorded_is_not_told(log: Log, growth: Growth) -> None:
    await log.append(1, [event(1)])
    tail = Tail(log.entries, growth, on_record(log))
    async with aclosing(follow(tail, 0)) as told:
        await log.key_database.write(outbox.drop)
        with pytest.raises(Fault, match="UNAVAILABLE"):
            await anext(told)


async def test_streams_end_when_the_server_goes_down_and_before_the_deadline(
    log: Log, tail: Tail, growth: Growth
) -> None:
    async with aclosing(follow(tail, None, seconds=1.0)) as told:
        assert [news async for news in told]  # and then it ends
    async with aclosing(follow(tail)) as told:
        await anext(told)
        growth.drain()
        with pytest.raises(Fault, match="DRAINING"):
            await anext(told)
    assert log


async def test_a_start_beyond_the_end_and_too_many_streams_are_refused(
    log: Log, tail: Tail
) -> None:
    await log.append(1, [event(1)])
    with pytest.raises(Fault, match="INVALID_FIELD"):
        await anext(follow(tail, 2))
    open_ones = [follow(tail) for _ in range(8)]
    try:
        for told in open_ones:
            await anext(told)
        with pytest.raises(Fault, match="OVERLOADED"):
            await anext(follow(tail))
    finally:
        for told in open_ones:
            await told.aclose()
    async with aclosing(follow(tail)) as told:
        await anext(told)


async def test_a_stream_that_cannot_begin_takes_no_place(log: Log) -> None:
    class Failing(Tree):
        failing = True

        async def newest_checkpoint(self) -> Checkpoint:
            if self.failing:
                raise log_unavailable()
            return await super().newest_checkpoint()

    await log.append(1, [event(1)])
    tree = Failing(log.store, log.signer)
    tail = Tail(log.entries, Growth(tree), on_record(log))
    for _ in range(9):
        with pytest.raises(Fault, match="UNAVAILABLE"):
            await anext(follow(tail, 0))
    tree.failing = False
    async with aclosing(follow(tail, 0)) as told:
        assert await taken(told, 1) == [0]


async def test_names_that_the_log_does_not_know_are_not_written_down(log: Log) -> None:
    wanted = Wanted(account=NOBODY, actor=OFFICER)
    await on_record(log).search("audit:log:read", INES, wanted, 0)
    (read,) = await recorded(log)
    assert NOBODY not in str(read)
    assert OFFICER not in str(read)
    assert fields(read)["account"] == fields(read)["actor"] == "unknown here"
    assert await log.keys.find([NOBODY, OFFICER]) == {}
