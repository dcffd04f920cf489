"""The relay delivers each committed event exactly once, in order, whatever fails on the way."""

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from accord.audit.v1 import append_service_pb2 as pb
from accord.audit.v1 import checkpoint_pb2
from sqlalchemy import Connection, func, select

from runtime import acknowledged
from runtime import relay as relay_module
from runtime.call import Call
from runtime.channel import Channel
from runtime.db import Database, Unit, metadata
from runtime.event import Event
from runtime.fault import Fault
from runtime.outbox import outbox_table, publish
from runtime.relay import EventsLostError, Relay
from runtime.server import MAX_MESSAGE, Server
from runtime.settings import GrpcSettings, ServiceSettings
from runtime.testing import NOON, Bench, serving
from sandbox.postgres import PostgresServer

T = TypeVar("T")
META = metadata()
OUTBOX = outbox_table(META)
APPEND = pb.DESCRIPTOR.services_by_name["AppendService"]


class Log:
    """Takes entries as audit does: densely, repeats answered alike; fails when it is told to."""

    def __init__(self) -> None:
        self.entries: list[pb.NewEntry] = []
        self.requests: list[pb.AppendRequest] = []
        self.lose_next_answer = False
        self.away = False
        self.cover_up_to: int | None = None
        self.refuse_once: set[int] = set()  # requests that begin with these numbers
        self.hold_next_answer = False
        self.held, self.go_on = asyncio.Event(), asyncio.Event()
        self.asked = asyncio.Event()

    def gap(self) -> Fault:
        expected = len(self.entries) + 1
        return Fault("SEQUENCE_GAP", "a gap", metadata={"expected": str(expected)})

    def rebuild(self, size: int) -> None:
        """Lose what was not published, as a log does whose database is lost."""
        del self.entries[size:]

    async def append(self, request: pb.AppendRequest, _call: Call) -> pb.AppendResponse:
        if self.away:
            raise Fault("UNAVAILABLE", "away")
        first = request.entries[0].sequence
        if first in self.refuse_once:
            self.refuse_once.remove(first)
            raise self.gap()
        self.requests.append(request)
        self.asked.set()
        for entry in request.entries:
            if entry.sequence > len(self.entries) + 1:
                raise self.gap()
            if entry.sequence == len(self.entries) + 1:
                self.entries.append(entry)
            assert self.entries[entry.sequence - 1] == entry
        if self.lose_next_answer:
            self.lose_next_answer = False
            raise Fault("INTERNAL", "the answer is lost after the entries are kept")
        if self.hold_next_answer:
            self.hold_next_answer = False
            self.held.set()
            await self.go_on.wait()
        size = len(self.entries) if self.cover_up_to is None else self.cover_up_to
        return pb.AppendResponse(
            receipts=[
                pb.Receipt(sequence=e.sequence, index=e.sequence - 1) for e in request.entries
            ],
            checkpoint=checkpoint_pb2.Checkpoint(size=len(self.entries)),
            published_size=size,
        )


class Scene:
    """A producer's database, its relay, and the log it delivers to."""

    def __init__(
        self, db: Database, log: Log, relay: Relay, channel: Channel, bench: Bench
    ) -> None:
        self.db, self.log, self.relay, self.channel, self.bench = db, log, relay, channel, bench

    def another_relay(self) -> Relay:
        return Relay(self.db, OUTBOX, self.channel, self.bench.clock, self.bench.traces)

    async def say(self, *names: str) -> None:
        await self.db.write(lambda tx: publish(tx, OUTBOX, *(event(name) for name in names)))

    async def left(self) -> int:
        return await self.db.read(
            lambda tx: tx.execute(select(func.count()).select_from(OUTBOX)).scalar_one()
        )

    async def deliver_until(self, relay: Relay, told: str) -> None:
        """Deliver until the log was told exactly this, one letter an event."""
        async with asyncio.timeout(20):
            while self.told() != [*told]:
                await relay.deliver()

    def told(self) -> list[str]:
        return [entry.resource for entry in self.log.entries]


def event(name: str) -> Event:
    return Event("sharing:subject:put", "done", NOON, resource=name, fields={"naam": "Jürgen 王"})


@asynccontextmanager
async def scene(url: str, directory: Path) -> AsyncIterator[Scene]:
    bench, log = Bench(directory), Log()
    server = Server(
        bench.settings(GrpcSettings, "audit"),
        "audit",
        clock=bench.clock,
        actor_keys=bench.actor_keys,
        traces=bench.traces,
    ).add(APPEND, log)
    db = Database(url)
    await db.write(META.create_all)
    async with serving(server):
        channel = Channel(
            "audit",
            f"127.0.0.1:{server.port}",
            bench.settings(ServiceSettings, "sharing"),
            [APPEND],
        )
        yield Scene(db, log, Relay(db, OUTBOX, channel, bench.clock, bench.traces), channel, bench)
        await channel.close()
    await db.close()


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


async def test_a_row_stays_until_the_log_has_published_it(
    database_url: str, tmp_path: Path
) -> None:
    async with scene(database_url, tmp_path) as s:
        s.log.cover_up_to = 0
        await s.say("a", "b")
        assert await s.relay.deliver() == 2
        await s.say("c")
        s.log.cover_up_to = 2
        assert await s.relay.deliver() == 1
        assert await s.left() == 1
        assert [len(request.entries) for request in s.log.requests] == [2, 1]  # nothing sent twice
        s.log.cover_up_to = None
        await s.say("d")
        assert await s.relay.deliver() == 1
        assert await s.left() == 0
        assert s.told() == ["a", "b", "c", "d"]


async def test_what_is_published_is_asked_for_when_nothing_new_is_said(
    database_url: str, tmp_path: Path
) -> None:
    async with scene(database_url, tmp_path) as s:
        s.log.cover_up_to = 0
        await s.say("a", "b")
        running = asyncio.create_task(s.relay.run())
        async with asyncio.timeout(20):
            while len(s.log.requests) < 2:  # the second one is the question
                await s.log.asked.wait()
                s.log.asked.clear()
            s.log.cover_up_to = None
            while await s.left():
                s.db.committed.clear()
                await s.db.committed.wait()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert s.told() == ["a", "b"]
        assert [entry.resource for entry in s.log.requests[1].entries] == ["b"]


async def test_a_log_that_was_rebuilt_gets_what_it_had_not_published(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of it: some removed, some acknowledged, some new; and again in the midst."""
    monkeypatch.setattr(relay_module, "_REQUEST", 2)
    async with scene(database_url, tmp_path) as s:
        s.log.cover_up_to = 3
        await s.say(*"abcdefg")
        await s.deliver_until(s.relay, "abcdefg")
        assert await s.left() == 5  # a request whose end is not published stays whole
        s.log.rebuild(3)
        await s.say("h")
        assert await s.relay.deliver() == 0  # refused: the log expects number 4
        await s.deliver_until(s.relay, "abcdefgh")
        s.log.rebuild(5)
        restarted = s.another_relay()
        s.bench.clock.advance(timedelta(seconds=3))
        await s.deliver_until(restarted, "abcdefgh")
        s.log.cover_up_to = None
        await s.say("i")
        await s.deliver_until(restarted, "abcdefghi")
        assert await s.left() == 0
        assert s.told() == [*"abcdefghi"]
        assert [entry.sequence for entry in s.log.entries] == list(range(1, 10))


async def test_a_restarted_relay_repeats_what_is_not_published_and_it_stands_once(
    database_url: str, tmp_path: Path
) -> None:
    async with scene(database_url, tmp_path) as s:
        s.log.cover_up_to = 0
        await s.say("a", "b")
        await s.relay.deliver()
        s.bench.clock.advance(timedelta(seconds=3))
        restarted = s.another_relay()
        assert await restarted.deliver() == 2
        s.log.cover_up_to = None
        await s.say("c")
        assert await restarted.deliver() == 1
        assert await s.left() == 0
        assert s.told() == ["a", "b", "c"]


async def test_a_loss_is_said_and_nothing_goes_on_until_the_log_has_it_again(
    database_url: str, tmp_path: Path
) -> None:
    async with scene(database_url, tmp_path) as s:
        await s.say("a", "b", "c")
        assert await s.relay.deliver() == 3
        lost = s.log.entries[1:]
        s.log.rebuild(1)
        await s.say("d")
        for relay in (s.relay, s.relay, s.another_relay()):
            with pytest.raises(EventsLostError, match=r"expects number 2; .* number 3"):
                await relay.deliver()
            s.bench.clock.advance(timedelta(seconds=3))
        assert await s.left() == 1
        assert s.told() == ["a"]
        s.log.entries += lost
        assert await s.relay.deliver() == 1
        assert s.told() == ["a", "b", "c", "d"]


async def test_memory_of_what_is_not_published_is_bounded(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acknowledged, "_STRETCHES", 4)
    async with scene(database_url, tmp_path) as s:
        s.log.cover_up_to = 0
        names = [f"n{number}" for number in range(12)]
        for name in names:
            await s.say(name)
            assert await s.relay.deliver() == 1
        s.log.rebuild(0)
        await s.say("last")
        assert await s.relay.deliver() == 0
        s.log.cover_up_to = None
        assert await s.relay.deliver() == 13
        assert await s.left() == 0
        assert s.told() == [*names, "last"]


async def test_one_relay_at_a_time_and_a_second_takes_over(
    database_url: str, tmp_path: Path
) -> None:
    async with scene(database_url, tmp_path) as s:
        await s.say("a")
        await s.relay.deliver()
        second = s.another_relay()
        await s.say("b")
        assert await second.deliver() == 0
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
