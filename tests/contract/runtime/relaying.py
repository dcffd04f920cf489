"""A producer with its outbox and relay, and a log that it delivers to and that can misbehave."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from accord.audit.v1 import append_service_pb2 as pb
from accord.audit.v1 import checkpoint_pb2
from sqlalchemy import func, select

from runtime.call import Call
from runtime.channel import Channel
from runtime.db import Database, metadata
from runtime.event import Event
from runtime.fault import Fault
from runtime.outbox import outbox_table, publish
from runtime.relay import Relay
from runtime.server import Server
from runtime.settings import GrpcSettings, ServiceSettings
from runtime.testing import NOON, Bench, serving

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
