"""Measures the audit service: `bin/bench audit`. JSON lines, one figure each.

For each store, audit runs as a process over mTLS with everything on: each entry de-duplicated,
encrypted, durable, and covered by a signed checkpoint before it is acknowledged. One producer sends
events as decisions make them: of 13 fields, about one of 2,000 people, by an app, in a trace of
their own. The client and the service share the machine.
"""

import argparse
import asyncio
import time
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count, cycle, islice
from typing import TYPE_CHECKING

import grpc
import uvloop
from accord.audit.v1 import append_service_pb2 as pb
from accord.audit.v1.append_service_pb2_grpc import AppendServiceStub
from accord.audit.v1.event_pb2 import EVENT_NAME_SHARING_DECISION_PERMIT

from bench._load import connect, percentile, report
from bench._region import NAME, STORES, region
from runtime.ids import event_id as new_event_id
from runtime.ids import new_account
from runtime.instants import to_wire

if TYPE_CHECKING:  # a name of the stubs' types alone
    from accord.audit.v1.append_service_pb2_grpc import AppendServiceAsyncStub

PEOPLE = 2_000
FIELDS = 13
BATCH, IN_PROGRESS = 256, 8  # entries of a request, requests at once
SINGLE_IN_PROGRESS = 64
WARM_UP_S = 2.0
_DEADLINE_S = 30.0


class Producer:
    """Sends entries under dense numbers, and repeats what was refused as the relay does."""

    def __init__(self, stub: "AppendServiceAsyncStub") -> None:
        self._stub = stub
        self._entries = decisions()
        self.spent: list[float] = []  # seconds of each request until it was acknowledged

    async def send(self, batch: int, at_once: int, seconds: float) -> float:
        """Keep `at_once` requests of `batch` entries in progress; return entries per second."""
        self.spent.clear()
        began = time.monotonic()
        flying: deque[asyncio.Task[None]] = deque()
        sent = 0
        while time.monotonic() - began < seconds:
            request = pb.AppendRequest(entries=islice(self._entries, batch))
            flying.append(asyncio.create_task(self._append(request)))
            sent += batch
            if len(flying) == at_once:
                await flying.popleft()
        await asyncio.gather(*flying)
        return sent / (time.monotonic() - began)

    async def _append(self, request: pb.AppendRequest) -> None:
        began = time.monotonic()
        while True:
            try:
                await self._stub.Append(request, timeout=_DEADLINE_S)
                break
            except grpc.aio.AioRpcError as refusal:
                # One request of several at once may overtake the one before it.
                if "was expected" not in (refusal.details() or ""):
                    raise
        self.spent.append(time.monotonic() - began)


def decisions() -> Iterator[pb.NewEntry]:
    """Make entries without end, numbered from 1."""
    accounts = cycle([new_account(NAME) for _ in range(PEOPLE)])
    for number, account in zip(count(1), accounts, strict=False):
        event_id = new_event_id()
        entry = pb.NewEntry(
            sequence=number,
            event_id=event_id,
            event=EVENT_NAME_SHARING_DECISION_PERMIT,
            outcome="permit",
            event_time=to_wire(datetime.now(UTC)),
            trace_id=event_id,
            span_id=event_id[:16],
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


async def measure(store: str, seconds: float) -> None:
    """Take every figure on one store."""
    with region(store) as here:
        port = here.start("audit")
        async with connect(here.directory, port, "audit", "sharing") as channel:
            producer = Producer(AppendServiceStub(channel))
            await producer.send(BATCH, IN_PROGRESS, WARM_UP_S)
            streamed = await producer.send(BATCH, IN_PROGRESS, seconds)
            report("append_stream_per_s", streamed, "1/s", store)
            unary = await producer.send(1, SINGLE_IN_PROGRESS, seconds)
            report("append_unary_per_s", unary, "1/s", store)
            report("append_unary_p99_ms", percentile(producer.spent, 99) * 1000, "ms", store)


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(prog="bin/bench audit", description=__doc__)
    parser.add_argument("--store", choices=STORES, action="append", help="only this store")
    parser.add_argument("--small", action="store_true", help="short rounds")
    chosen = parser.parse_args()
    for store in chosen.store or STORES:
        uvloop.run(measure(store, 3.0 if chosen.small else 20.0))


if __name__ == "__main__":
    main()
