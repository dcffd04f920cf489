"""Measures the audit service: `bin/bench audit`. JSON lines, one figure each.

For each store, audit runs as a process over mTLS with everything on: each entry de-duplicated,
encrypted, durable, covered by a signed checkpoint before it is acknowledged, and published. One
producer sends events as decisions make them: of 13 fields, about one of 2,000 people, by an app, in
a trace of their own. Client and service share the machine; the requests are made before the clock
starts. The large log is filled as `bench/_fill.py` says, and queried as an auditor does.
"""

import argparse
import asyncio
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from datetime import UTC, datetime
from itertools import count, cycle, islice

import grpc
import uvloop
from accord.audit.v1 import append_service_pb2 as pb
from accord.audit.v1 import read_service_pb2
from accord.audit.v1.event_pb2 import EVENT_NAME_SHARING_DECISION_PERMIT
from accord.audit.v1.read_service_pb2_grpc import ReadServiceStub
from accord_client.note import VerifierKey

from bench._cosigned import cosigned
from bench._fill import fill, trace_of
from bench._load import connect, latencies, percentile, report
from bench._region import NAME, STORES, Region, region
from bench._verify import MILLION, verify, verify_bundle
from runtime.db import Database
from runtime.ids import event_id as new_event_id
from runtime.ids import new_account
from runtime.instants import to_wire
from services.audit.settings import log_origin
from services.audit.store.log_keys import load_log_keys
from services.audit.store.party_keys import StoredKeys

PARTS = ("appends", "verify", "cosigned", "large")
PEOPLE = 2_000
FIELDS = 13
BATCH, IN_PROGRESS = 256, 8  # entries of a request, requests at once
SINGLE_IN_PROGRESS = 48
_COSIGNED_BATCH = 16
_WARM_UP = 10_240  # entries
_DEADLINE_S = 30.0
_LARGE_MB = 4096  # for pages of PostgreSQL: holds the indexes of ten million entries
_QUERIES_PER_S = 20.0
_METHOD = "/accord.audit.v1.AppendService/Append"


class Producer:
    """Sends requests that were made before, and repeats what was refused as the relay does."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._append: Callable[..., Awaitable[bytes]] = channel.unary_unary(_METHOD)
        self.spent: list[float] = []  # seconds of each request until it was acknowledged

    async def send(self, requests: Sequence[bytes], at_once: int) -> float:
        """Send requests in order, so many in progress; return how many were answered per second."""
        self.spent.clear()
        began = time.monotonic()
        flying: deque[asyncio.Task[None]] = deque()
        for request in requests:
            flying.append(asyncio.create_task(self._send(request)))
            if len(flying) == at_once:
                await flying.popleft()
        await asyncio.gather(*flying)
        return len(requests) / (time.monotonic() - began)

    async def _send(self, request: bytes) -> None:
        began = time.monotonic()
        while True:
            try:
                await self._append(request, timeout=_DEADLINE_S)
                break
            except grpc.aio.AioRpcError as refusal:
                # One request of several at once may overtake the one before it.
                if "was expected" not in (refusal.details() or ""):
                    raise
        self.spent.append(time.monotonic() - began)


def decisions(accounts: Sequence[str], first: int = 1) -> Iterator[pb.NewEntry]:
    """Make entries without end, numbered from `first`."""
    for number, account in zip(count(first), cycle(accounts), strict=False):
        event_id = new_event_id()
        entry = pb.NewEntry(
            sequence=number,
            event_id=event_id,
            event=EVENT_NAME_SHARING_DECISION_PERMIT,
            outcome="permit",
            event_time=to_wire(datetime.now(UTC)),
            trace_id=event_id,
            span_id=event_id[16:],
            trace_flags=1,
            account=account,
            actor=f"spiffe://{NAME}.accord.internal/app/mi-store",
            app="app/mi-store",
            recipients=["recipients/dhl"],
            resource=f"decisions/{event_id}",
        )
        for place in range(FIELDS):
            entry.fields.add(name=f"field_{place}", value="contact.name contact.phone"[place:])
        yield entry


def made(entries: Iterator[pb.NewEntry], amount: int, batch: int) -> list[bytes]:
    """Make requests of so many entries in all."""
    return [
        pb.AppendRequest(entries=islice(entries, batch)).SerializeToString()
        for _ in range(amount // batch)
    ]


async def measure(store: str, amount: int, large: int, parts: Collection[str]) -> None:
    """Take the figures of some parts on one store."""
    accounts = [new_account(NAME) for _ in range(PEOPLE)]
    if "appends" in parts:
        with region(store) as here:
            await _appended(here, accounts, amount)
    if "verify" in parts:
        with region(store) as here:
            await _filled(here, accounts, min(large, MILLION))
            verify(here.directory / "tiles", (_pinned(here),), store)
        verify_bundle(store)
    if "cosigned" in parts:
        with region(store) as here:
            await cosigned(here, made(decisions(accounts), amount // 4, _COSIGNED_BATCH))
    if "large" in parts:
        with region(store, memory_mb=_LARGE_MB) as here:
            began = time.monotonic()
            await _filled(here, accounts, large)
            report("fill_s", time.monotonic() - began, "s", store)
            # First: what the appends write is on its way to the disk for minutes.
            port = here.start("audit")
            async with connect(here.directory, port, "audit", "auditor") as channel:
                await _queried(channel, accounts, large, 20 if amount > _WARM_UP else 5, store)
            here.end("audit")
            # In the same minutes: a machine that others use too is not as fast in every one.
            with region(store, memory_mb=_LARGE_MB) as small:
                rate = await _streamed(small, accounts, amount, 1)
            grown = await _streamed(here, accounts, amount, large + 1)
            report("growth_ratio", grown / rate, "", store)


async def _appended(here: Region, accounts: Sequence[str], amount: int) -> None:
    """Measure appends to a log of about 10,000 entries."""
    rate = await _streamed(here, accounts, amount, 1)
    report("append_stream_per_s", rate, "1/s", here.store)
    single = made(decisions(accounts, 1 + _WARM_UP + amount), amount // 8, 1)
    async with connect(here.directory, here.ports["audit"], "audit", "sharing") as channel:
        producer = Producer(channel)
        unary = await producer.send(single, SINGLE_IN_PROGRESS)
    report("append_unary_per_s", unary, "1/s", here.store)
    report("append_unary_p99_ms", percentile(producer.spent, 99) * 1000, "ms", here.store)


async def _streamed(here: Region, accounts: Sequence[str], amount: int, first: int) -> float:
    """Start the service and append to its log; return how many entries it took a second."""
    entries = decisions(accounts, first)
    warm_up, streamed = made(entries, _WARM_UP, BATCH), made(entries, amount, BATCH)
    port = here.start("audit")
    async with connect(here.directory, port, "audit", "sharing") as channel:
        producer = Producer(channel)
        await producer.send(warm_up, IN_PROGRESS)
        return await producer.send(streamed, IN_PROGRESS) * BATCH


async def _filled(here: Region, accounts: Sequence[str], size: int) -> None:
    """Fill a log before its service starts."""
    here.migrate("audit")
    keys = Database(here.url("keys"))
    await fill(
        here.url("audit"),
        StoredKeys(keys, here.directory / "kek"),
        load_log_keys(here.directory / "log" / "log.key", log_origin(NAME)),
        here.directory / "tiles",
        accounts=accounts,
        size=size,
    )
    await keys.close()


async def _queried(
    channel: grpc.aio.Channel, accounts: Sequence[str], large: int, seconds: float, store: str
) -> None:
    """Ask for a page about a person and for the entries of a trace anywhere in the log, in turn."""
    stub = ReadServiceStub(channel)
    asked = count()

    async def ask() -> None:
        trace = trace_of(random.randrange(large)).hex()  # noqa: S311  which one does not matter
        wanted = (
            read_service_pb2.EntryFilter(account=random.choice(accounts))  # noqa: S311  any of them
            if next(asked) % 2
            else read_service_pb2.EntryFilter(trace_id=trace)
        )
        found = await stub.ListEntries(
            read_service_pb2.ListEntriesRequest(purpose="how long it takes", filter=wanted)
        )
        if not found.entries:
            raise RuntimeError("what was filled in is not found")

    # Of a log just filled little is in memory, and its disk is busy for a minute; one in use has
    # its index there, as after a thousand queries.
    await latencies(ask, _QUERIES_PER_S, 3 * seconds)
    spent = await latencies(ask, _QUERIES_PER_S, seconds)
    report("query_p99_ms", percentile(spent, 99) * 1000, "ms", store)


def _pinned(here: Region) -> VerifierKey:
    return VerifierKey.parse((here.directory / "log" / "log.vkey").read_text().strip())


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(prog="bin/bench audit", description=__doc__)
    parser.add_argument("--store", choices=STORES, action="append", help="only this store")
    parser.add_argument("--part", choices=PARTS, action="append", help="only this part")
    parser.add_argument("--small", action="store_true", help="fewer entries, and short rounds")
    chosen = parser.parse_args()
    amount, large = (10_240, 204_800) if chosen.small else (163_840, 10_000_128)
    for store in chosen.store or STORES:
        uvloop.run(measure(store, amount, large, chosen.part or PARTS))


if __name__ == "__main__":
    main()
