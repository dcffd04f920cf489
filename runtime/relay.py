"""Carries the outbox to the audit log: numbered densely, delivered until covered, in order.

Life of a row: a case commits it unnumbered; the relay, one at a time by lease, gives it the next
number; audit acknowledges with a signed checkpoint that covers it; only then is the row removed. A
crash anywhere repeats a delivery, and audit answers a repeated (producer, sequence) with the first
receipt: exactly once in the log, and a loss would show as a gap.
"""

import asyncio
from datetime import timedelta
from uuid import uuid4

from accord.audit.v1 import append_service_pb2 as pb
from accord.audit.v1.append_service_pb2_grpc import AppendServiceStub
from sqlalchemy import Connection, Table, bindparam, select, update

from runtime import logs, outbox
from runtime.channel import Channel, Peer
from runtime.clock import Clock
from runtime.db import Database, insert_missing
from runtime.fault import Fault

log = logs.get(__name__)

_NAME = "audit"
_BATCH = 256  # rows in one delivery, as audit bounds it
_BATCH_BYTES = 512 << 10
# Short, so that a killed relay is soon replaced; two at once would only repeat each other.
_LEASE = timedelta(seconds=2)
_DELIVERY_S = 5.0
_BLOCKED_S = 0.05
_IDLE_S = 1.0  # at most between two looks, should a wake-up be missed
_FIRST_RETRY_S = 0.1
_LAST_RETRY_S = 5.0


class Relay:
    """The relay of one service; run it beside the server with `Server.also`."""

    def __init__(self, db: Database, table: Table, audit: Channel, clock: Clock) -> None:
        self._db = db
        self._outbox = table
        self._memory = table.metadata.tables["outbox_relay"]
        self._audit = Peer(AppendServiceStub, audit)
        self._clock = clock
        self._holder = uuid4().hex

    async def run(self) -> None:
        """Deliver for ever; failures are retried with growing pauses and never end it."""
        pause = _FIRST_RETRY_S
        while True:
            try:
                delivered = await self.deliver()
                pause = _FIRST_RETRY_S
            except Fault as fault:
                log.warning("delivery to audit failed", reason=fault.reason)
                delivered = 0
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LAST_RETRY_S)
            if not delivered:
                await self._something_new()

    async def deliver(self) -> int:
        """Deliver one batch; return how many rows the log now holds for good."""
        if not await self._db.read(self._waiting):
            return 0
        rows = await self._db.write(self._take)
        if not rows:
            return 0
        request = pb.AppendRequest(entries=[_entry(sequence, row) for sequence, row in rows])
        response = await self._audit.call(lambda s: s.Append, request, timeout=_DELIVERY_S)
        covered = {
            receipt.sequence
            for receipt in response.receipts
            if receipt.index < response.checkpoint.size
        }
        await self._db.write(lambda tx: self._forget(tx, covered))
        return len(covered)

    async def _something_new(self) -> None:
        self._db.committed.clear()
        if await self._db.read(self._waiting):
            # Another relay holds the lease, or an older transaction is still open.
            await asyncio.sleep(_BLOCKED_S)
            return
        try:
            async with asyncio.timeout(_IDLE_S):
                await self._db.committed.wait()
        except TimeoutError:
            return

    def _waiting(self, tx: Connection) -> bool:
        return tx.execute(select(self._outbox.c.id).limit(1)).first() is not None

    def _take(self, tx: Connection) -> list[tuple[int, bytes]]:
        """Hold the lease, number what has settled, and return the first batch to deliver."""
        now = self._clock.now()
        memory, rows = self._memory, self._outbox
        insert_missing(
            tx,
            memory,
            [{"name": _NAME, "last_sequence": 0, "holder": "", "lease_until": now}],
        )
        mine = tx.execute(select(memory).where(memory.c.name == _NAME).with_for_update()).one()
        # A lease that ends later than one that begins now is of a clock that has jumped back since.
        leased = now < mine.lease_until <= now + _LEASE
        if mine.holder not in ("", self._holder) and leased:
            return []
        fresh = tx.execute(
            select(rows.c.id)
            .where(rows.c.sequence.is_(None), outbox.settled(tx, rows))
            .order_by(rows.c.id)
            .limit(_BATCH)
        ).all()
        if fresh:
            tx.execute(
                update(rows)
                .where(rows.c.id == bindparam("row"))
                .values(sequence=bindparam("number")),
                [
                    {"row": row.id, "number": mine.last_sequence + place}
                    for place, row in enumerate(fresh, start=1)
                ],
            )
        tx.execute(
            update(memory)
            .where(memory.c.name == _NAME)
            .values(
                last_sequence=mine.last_sequence + len(fresh),
                holder=self._holder,
                lease_until=now + _LEASE,
            )
        )
        batch = tx.execute(
            select(rows.c.sequence, rows.c.event)
            .where(rows.c.sequence.is_not(None))
            .order_by(rows.c.sequence)
            .limit(_BATCH)
        ).all()
        return _up_to([(row.sequence, row.event) for row in batch], _BATCH_BYTES)

    def _forget(self, tx: Connection, covered: set[int]) -> None:
        rows = self._outbox
        tx.execute(
            rows.delete().where(rows.c.sequence == bindparam("number")),
            [{"number": number} for number in sorted(covered)],
        )


def _up_to(batch: list[tuple[int, bytes]], most: int) -> list[tuple[int, bytes]]:
    """Cut a batch to a size; never to nothing."""
    total = 0
    for place, (_, event) in enumerate(batch):
        total += len(event)
        if total > most and place:
            return batch[:place]
    return batch


def _entry(sequence: int, row: bytes) -> pb.NewEntry:
    entry = pb.NewEntry.FromString(row)
    entry.sequence = sequence
    return entry
