"""Two real processes of one log: the sequencer is killed under load, and the other goes on."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime

import grpc
import pytest
from accord.audit.v1 import append_service_pb2 as pb
from accord.audit.v1.append_service_pb2_grpc import AppendServiceStub
from grpc_health.v1 import health_pb2, health_pb2_grpc
from sqlalchemy import func, select

from runtime.channel import Channel, Peer
from runtime.clock import SystemClock
from runtime.db import Database, metadata
from runtime.event import Event
from runtime.fault import Fault
from runtime.outbox import encoded, outbox_table, publish
from runtime.relay import Relay
from runtime.settings import ServiceSettings
from sandbox.mesh import Ports
from sandbox.process import Process, serving
from services.audit.domain.checkpoint import Checkpoint
from services.audit.domain.merkle import leaf_hash
from services.audit.domain.tiles import Edge
from services.audit.store.tables import checkpoints, entries
from tests.contract.audit.log import PERSON, Log
from tests.contract.audit.recovering import Region, rows

Append = Callable[[int, int], Awaitable[Sequence[pb.Receipt]]]
META = metadata()
OUTBOX = outbox_table(META)
APPEND = pb.DESCRIPTOR.services_by_name["AppendService"]
START_S = 60.0


class Replica:
    """One audit process."""

    def __init__(self, region: Region, name: str) -> None:
        free = Ports.free()
        self.port, self.health = free.services["audit"], free.health["audit"]
        settings = region.settings()
        set_ = settings.model_dump(exclude_defaults=True)
        told = {key: str(value) for key, value in set_.items()}
        told |= {
            "listen": f"127.0.0.1:{self.port}",
            "health_listen": f"127.0.0.1:{self.health}",
            "audit_address": f"127.0.0.1:{self.port}",
        }
        environment = {f"ACCORD_{key.upper()}": value for key, value in told.items()}
        environment |= {"PATH": os.environ["PATH"], "PYTHONPATH": ".:gen:sdk"}
        self.process = Process(
            name,
            ["-m", "services.audit", "serve"],
            environment,
            region.directory / f"{name}.log",
            serving(f"127.0.0.1:{self.health}"),
        )

    async def start(self) -> None:
        self.process.start()
        await asyncio.to_thread(self.process.wait_ready, time.monotonic() + START_S)

    async def sequences(self) -> bool:
        """What its health says of the AppendService."""
        async with grpc.aio.insecure_channel(f"127.0.0.1:{self.health}") as channel:
            request = health_pb2.HealthCheckRequest(service=APPEND.full_name)
            answer = await health_pb2_grpc.HealthStub(channel).Check(request, timeout=5)
            return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


@contextmanager
def two(region: Region) -> Iterator[tuple[Replica, Replica]]:
    both = Replica(region, "first"), Replica(region, "second")
    try:
        yield both
    finally:
        for replica in both:
            replica.process.kill()


@asynccontextmanager
async def producer(region: Region, *replicas: Replica) -> AsyncIterator[tuple[Database, Channel]]:
    """The account service's outbox and its relay, which knows the replicas' addresses."""
    database = Database(f"sqlite:///{region.directory / 'producer.db'}")
    await database.write(META.create_all)
    target = "ipv4:" + ",".join(f"127.0.0.1:{replica.port}" for replica in replicas)
    settings = region.bench.settings(ServiceSettings, "account")
    channel = Channel("audit", target, settings, [APPEND], served_by_one=True)
    relay = Relay(database, OUTBOX, channel, SystemClock(), region.bench.traces)
    running = asyncio.create_task(relay.run())
    try:
        yield database, channel
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await channel.close()
        await database.close()


def happened(number: int) -> Event:
    fields = {"number": str(number)}
    return Event("account:link:add", "ok", datetime.now(UTC), account=PERSON, fields=fields)


async def say(database: Database, first: int, count: int) -> None:
    events = [happened(number) for number in range(first, first + count)]
    await database.write(lambda tx: publish(tx, OUTBOX, *events))


async def until_left(database: Database, most: int) -> None:
    """Return when at most so many events wait to be published."""
    query = select(func.count()).select_from(OUTBOX)
    async with asyncio.timeout(60):
        while True:
            database.committed.clear()
            if await database.read(lambda tx: tx.execute(query).scalar_one()) <= most:
                return
            await database.committed.wait()


async def one_history(region: Region) -> int:
    """Hold every checkpoint that was ever signed to the entries that are there; return the size."""
    log = Log.at(region.url, region.directory)
    await log.close()
    signed = {
        checkpoint.size: checkpoint.root
        for (note,) in await rows(region.url, select(checkpoints.c.note))
        for checkpoint in [Checkpoint.read(note, log.signer)]
    }
    edge = Edge()
    assert signed.pop(0, edge.root()) == edge.root()
    for (leaf,) in await rows(region.url, select(entries.c.leaf).order_by(entries.c.log_index)):
        edge.append(leaf_hash(leaf))
        assert signed.pop(edge.size, edge.root()) == edge.root()
    assert not signed
    return edge.size


@pytest.mark.timeout(180)
async def test_a_killed_sequencer_is_replaced_and_nothing_acknowledged_is_lost(
    region: Region,
) -> None:
    await Log.create(region.url, region.directory).close()
    with two(region) as (first, second):
        await first.start()
        await second.start()
        assert [await first.sequences(), await second.sequences()] == [True, False]
        async with producer(region, first, second) as (outbox, _):
            for batch in range(10):
                await say(outbox, batch * 100, 100)
            await until_left(outbox, 900)
            first.process.kill()
            for batch in range(10, 20):
                await say(outbox, batch * 100, 100)
            await until_left(outbox, 0)
        assert await second.sequences()
        second.process.kill()
    sequences = await rows(region.url, select(entries.c.sequence).order_by(entries.c.log_index))
    assert [sequence for (sequence,) in sequences] == list(range(1, 2001))
    assert await one_history(region) == 2000


@asynccontextmanager
async def calling(region: Region, replica: Replica) -> AsyncIterator[Append]:
    """Calls of one replica's Append as the account service; events are the same for a number."""
    settings = region.bench.settings(ServiceSettings, "account")
    channel = Channel("audit", f"127.0.0.1:{replica.port}", settings, [])
    peer = Peer(AppendServiceStub, channel)
    said: dict[int, pb.NewEntry] = {}

    async def append(first: int, count: int) -> Sequence[pb.Receipt]:
        for number in range(first, first + count):
            if number not in said:
                said[number] = pb.NewEntry.FromString(encoded(happened(number)))
                said[number].sequence = number
        entries = [said[number] for number in range(first, first + count)]
        request = pb.AppendRequest(entries=entries)
        return (await peer.call(lambda s: s.Append, request, timeout=20)).receipts

    try:
        yield append
    finally:
        await channel.close()


@pytest.mark.timeout(180)
async def test_a_standby_refuses_with_a_reason_and_serves_everything_else(region: Region) -> None:
    await Log.create(region.url, region.directory).close()
    with two(region) as (first, second):
        await first.start()
        await second.start()
        async with calling(region, second) as append:
            with pytest.raises(Fault, match="NOT_SEQUENCER") as refused:
                await append(1, 1)
        assert refused.value.retry_after is not None
        first.process.terminate()
        assert await asyncio.to_thread(first.process.wait_stopped, time.monotonic() + START_S)
        async with producer(region, first, second) as (outbox, _):
            await say(outbox, 0, 10)
            await until_left(outbox, 0)
    assert await one_history(region) == 10
