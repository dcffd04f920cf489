"""The relay delivers each committed event exactly once, in order, whatever fails on the way."""

import asyncio
import threading
from collections.abc import Coroutine
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import Connection

from runtime import relay as relay_module
from runtime.db import Database, Unit
from runtime.fault import Fault
from runtime.outbox import publish
from runtime.relay import Relay
from runtime.server import MAX_MESSAGE
from sandbox.postgres import PostgresServer
from tests.contract.runtime.relaying import OUTBOX, event, scene

T = TypeVar("T")


async def test_events_arrive_in_commit_order_and_leave_the_outbox(
    database_url: str, tmp_path: Path
) -> None:
    async with scene(database_url, tmp_path) as s:
        await s.say("a")
        await s.say("b", "c")
        assert await s.relay.deliver() == 3
        assert s.told() == ["a", "b", "c"]
        assert s.log.entries[0].fields[0].value == "Jürgen 王"
        assert await s.left() == 0
        assert await s.relay.deliver() == 0


async def test_a_rolled_back_unit_says_nothing(database_url: str, tmp_path: Path) -> None:
    def broken(tx: Connection) -> None:
        publish(tx, OUTBOX, event("never"))
        raise ValueError

    async with scene(database_url, tmp_path) as s:
        await s.say("a")
        with pytest.raises(ValueError, match=r"^$"):
            await s.db.write(broken)
        await s.say("b")
        await s.relay.deliver()
        assert s.told() == ["a", "b"]


async def test_a_lost_answer_is_repeated_and_told_once(database_url: str, tmp_path: Path) -> None:
    async with scene(database_url, tmp_path) as s:
        await s.say("a", "b")
        s.log.lose_next_answer = True
        with pytest.raises(Fault, match="INTERNAL"):
            await s.relay.deliver()
        assert await s.left() == 2
        await s.say("c")
        while await s.left():
            await s.relay.deliver()
        assert s.told() == ["a", "b", "c"]


async def test_one_relay_at_a_time_and_a_second_takes_over(
    database_url: str, tmp_path: Path
) -> None:
    async with scene(database_url, tmp_path) as s:
        await s.say("a")
        await s.relay.deliver()
        second = s.another_relay()
        await s.say("b")
        assert await second.deliver() == 0
        assert not (await s.db.read(second._next)).rows  # nor does it read what the other sends
        s.bench.clock.advance(timedelta(seconds=11))
        assert await second.deliver() == 1
        await s.say("c")
        assert await s.relay.deliver() == 0
        assert s.told() == ["a", "b"]


async def test_a_clock_that_jumps_back_stops_no_delivery(database_url: str, tmp_path: Path) -> None:
    async with scene(database_url, tmp_path) as s:
        await s.say("a")
        await s.relay.deliver()
        s.bench.clock.advance(-timedelta(hours=1))
        await s.say("b")
        assert await s.another_relay().deliver() == 1
        assert s.told() == ["a", "b"]


async def test_a_slow_transaction_is_not_overtaken(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    """PostgreSQL hands out ids before it commits: what is still open must come first."""
    written, go_on = threading.Event(), threading.Event()

    def slow(tx: Connection) -> None:
        publish(tx, OUTBOX, event("slow"))
        written.set()
        go_on.wait(10)

    async with scene(postgres.url(postgres.create_database()), tmp_path) as s:
        slowly = asyncio.create_task(s.db.write(slow))
        await asyncio.to_thread(written.wait, 10)
        await s.say("quick")
        assert await s.relay.deliver() == 0
        go_on.set()
        await slowly
        assert await s.relay.deliver() == 2
        assert s.told() == ["slow", "quick"]


async def test_a_number_follows_from_an_order_that_nothing_changes(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    """An older transaction that writes last comes first, and does so again when it is repeated."""
    written, go_on = threading.Event(), threading.Event()

    def slow(tx: Connection) -> None:
        publish(tx, OUTBOX, event("slow 1"))
        written.set()
        go_on.wait(10)
        publish(tx, OUTBOX, event("slow 2"))

    async with scene(postgres.url(postgres.create_database()), tmp_path) as s:
        await s.say("before")
        slowly = asyncio.create_task(s.db.write(slow))
        await asyncio.to_thread(written.wait, 10)
        await s.say("quick")
        s.log.lose_next_answer = True
        with pytest.raises(Fault, match="INTERNAL"):
            await s.relay.deliver()
        go_on.set()
        await slowly
        s.log.lose_next_answer = True
        with pytest.raises(Fault, match="INTERNAL"):
            await s.relay.deliver()
        await s.say("after")
        while await s.left():
            await s.another_relay().deliver()
            s.bench.clock.advance(timedelta(seconds=3))
        assert s.told() == ["before", "slow 1", "slow 2", "quick", "after"]


class CrashError(Exception):
    """The process ends here."""


class CrashingDatabase(Database):
    """A database whose process ends before or after one of its steps."""

    def __init__(self, url: str, before: int, after: int) -> None:
        super().__init__(url)
        self._steps, self._before, self._after = 0, before, after

    async def read(self, query: Unit[T], *, urgent: bool = False) -> T:
        return await self._step(super().read(query, urgent=urgent))

    async def write(self, unit: Unit[T]) -> T:
        return await self._step(super().write(unit))

    async def _step(self, what: Coroutine[None, None, T]) -> T:
        self._steps += 1
        if self._steps == self._before:
            what.close()
            raise CrashError
        value = await what
        if self._steps == self._after:
            raise CrashError
        return value


async def test_a_crash_between_any_two_steps_loses_and_repeats_nothing(
    database_url: str, tmp_path: Path
) -> None:
    async with scene(database_url, tmp_path) as s:
        said: list[str] = []
        crashes = 0
        for before, after in [(n, 0) for n in range(1, 8)] + [(0, n) for n in range(1, 8)]:
            names = [f"{before} {after} {n}" for n in range(3)]
            await s.say(*names)
            said += names
            db = CrashingDatabase(database_url, before, after)
            dying = Relay(db, OUTBOX, s.channel, s.bench.clock, s.bench.traces)
            try:
                while await dying.deliver():
                    pass
            except CrashError:
                crashes += 1
            await db.close()
            await s.say(f"{before} {after} later")
            said.append(f"{before} {after} later")
            s.bench.clock.advance(timedelta(seconds=3))
            while await s.left():
                await s.another_relay().deliver()
                s.bench.clock.advance(timedelta(seconds=3))
            assert s.told() == said
        assert crashes == 8  # four steps: look, hold the lease, forget, look again


async def test_a_relay_that_was_replaced_forgets_nothing_of_what_came_after(
    database_url: str, tmp_path: Path
) -> None:
    async with scene(database_url, tmp_path) as s:
        await s.say("a", "b")
        s.log.hold_next_answer = True
        replaced = asyncio.create_task(s.relay.deliver())
        await s.log.held.wait()
        s.bench.clock.advance(timedelta(seconds=3))
        second = s.another_relay()
        assert await second.deliver() == 2
        await s.say("c", "d", "e")  # on SQLite under the very ids that were removed
        s.log.go_on.set()
        assert await replaced == 2
        assert await s.left() == 3
        assert await second.deliver() == 3
        assert s.told() == ["a", "b", "c", "d", "e"]


async def test_a_turn_is_divided_and_its_first_part_counts_alone(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "_REQUEST", 2)
    monkeypatch.setattr(relay_module, "_TURN", 7)
    async with scene(database_url, tmp_path) as s:
        await s.say(*"abcdefghi")
        s.log.refuse_once = {3}
        assert await s.relay.deliver() == 2
        assert await s.left() == 7
        assert await s.relay.deliver() == 7
        assert s.told() == [*"abcdefghi"]


@pytest.fixture
def turns_of_four(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two requests of two rows each."""
    monkeypatch.setattr(relay_module, "_REQUEST", 2)
    monkeypatch.setattr(relay_module, "_TURN", 4)


@pytest.mark.usefixtures("turns_of_four")
async def test_the_next_turn_is_sent_while_one_is_at_the_log(
    database_url: str, tmp_path: Path
) -> None:
    async with scene(database_url, tmp_path) as s:
        await s.say(*"abcdefghij")
        s.log.hold_next_answer = True
        delivering = asyncio.create_task(s.relay.deliver())
        async with asyncio.timeout(5):
            while {5, 7} - {request.entries[0].sequence for request in s.log.requests}:
                await s.log.asked.wait()
                s.log.asked.clear()
        assert await s.left() == 10
        assert not delivering.done()
        s.log.go_on.set()
        await delivering  # of requests sent at once, one may have overtaken another
        await s.deliver_until(s.relay, "abcdefghij")
        assert await s.left() == 0


@pytest.mark.usefixtures("turns_of_four")
async def test_a_turn_that_overtook_the_one_before_it_is_sent_again(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the log expected then is removed by now: nothing is lost for all that."""
    async with scene(database_url, tmp_path) as s:
        await s.say("z")
        assert await s.relay.deliver() == 1
        await s.say(*"abcdefgh")
        too_early = Fault("SEQUENCE_GAP", "a gap", metadata={"expected": "2"})
        with monkeypatch.context() as overtaken:
            overtaken.setattr(s.log, "gap", lambda: too_early)
            s.log.refuse_once = {6}
            assert await s.relay.deliver() == 4
        assert await s.left() == 4
        await s.deliver_until(s.relay, "zabcdefgh")
        assert await s.left() == 0


@pytest.mark.usefixtures("turns_of_four")
@pytest.mark.parametrize("end", ["refused", "cancelled"])
async def test_a_turn_that_fails_takes_the_next_one_with_it(
    database_url: str, tmp_path: Path, end: str
) -> None:
    async with scene(database_url, tmp_path) as s:
        await s.say(*"abcdefghij")
        s.log.hold_next_answer = True
        s.log.refuse_once = {3} if end == "refused" else set()
        delivering = asyncio.create_task(s.relay.deliver())
        await s.log.held.wait()
        if end == "cancelled":
            delivering.cancel()
        s.log.go_on.set()
        outcome = (await asyncio.gather(delivering, return_exceptions=True))[0]
        assert outcome == 2 if end == "refused" else isinstance(outcome, asyncio.CancelledError)
        ours = [task for task in asyncio.all_tasks() if "_send" in str(task.get_coro())]
        assert ours == []
        await s.deliver_until(s.relay, "abcdefghij")
        while await s.left():
            await s.relay.deliver()


async def test_large_events_go_in_requests_that_the_log_takes(
    database_url: str, tmp_path: Path
) -> None:
    async with scene(database_url, tmp_path) as s:
        large = [
            replace(event(f"n{number}"), fields={"text": "x" * 60_000}) for number in range(80)
        ]
        await s.db.write(lambda tx: publish(tx, OUTBOX, *large))
        while await s.left():
            await s.relay.deliver()
        assert s.told() == [each.resource for each in large]
        assert max(request.ByteSize() for request in s.log.requests) < MAX_MESSAGE


async def test_concurrent_writers_and_a_failing_log_lose_nothing(
    database_url: str, tmp_path: Path
) -> None:
    async with scene(database_url, tmp_path) as s:
        running = asyncio.create_task(s.relay.run())
        names = [f"n{number}" for number in range(120)]
        s.log.away = True
        await asyncio.gather(*(s.say(name) for name in names[:60]))
        s.log.away = False
        s.log.lose_next_answer = True
        await asyncio.gather(*(s.say(name) for name in names[60:]))
        async with asyncio.timeout(20):
            while await s.left():
                s.db.committed.clear()
                await s.db.committed.wait()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert sorted(s.told()) == sorted(names)
        assert [entry.sequence for entry in s.log.entries] == list(range(1, 121))
