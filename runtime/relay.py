"""Carries the outbox to the audit log: numbered densely, delivered until covered, in order.

A row's number is the number of the last row that was removed plus the row's rank among those that
have settled. Both change in one transaction alone, which removes the first rows once a signed
checkpoint of the log covers them. So a row has the same number whenever it is looked at: a crash
anywhere repeats a delivery under the same numbers, and audit answers a repeated (producer,
sequence) with the first receipt. Exactly once in the log, and a loss would show as a gap.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from uuid import uuid4

from accord.audit.v1 import append_service_pb2 as pb
from accord.audit.v1.append_service_pb2_grpc import AppendServiceStub
from sqlalchemy import Connection, Select, Table, func, select, tuple_, update

from runtime import logs, outbox
from runtime.channel import Channel, Peer
from runtime.clock import Clock
from runtime.db import Database, insert_missing
from runtime.fault import Fault

log = logs.get(__name__)

_NAME = "audit"
# One turn: as many requests at once as keep the log's writer busy while they travel.
_TURN, _TURN_BYTES = 2048, 3 << 20
_REQUEST, _REQUEST_BYTES = 512, 900 << 10  # within what audit takes
# Short, so that a killed relay is soon replaced; two at once would only repeat each other.
_LEASE = timedelta(seconds=2)
_RENEW = timedelta(seconds=1)
_DELIVERY_S = 10.0
_GATHER_S = 0.1  # after a turn that took everything: rows that come singly travel together
_BLOCKED_S = 0.05
_IDLE_S = 1.0  # at most between two looks, should a wake-up be missed
_FIRST_RETRY_S = 0.1
_LAST_RETRY_S = 5.0


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a row stands in the order of what has settled."""

    xid: int
    id: int


@dataclass(frozen=True, slots=True)
class _Turn:
    """The first rows of the outbox, and what the relay's memory said in the same snapshot."""

    base: int  # number of the last row that was removed
    places: Sequence[_Place]
    rows: Sequence[bytes]
    holder: str
    lease_until: datetime | None

    def requests(self) -> Iterator[pb.AppendRequest]:
        """Make the requests, each within its bounds; the entries are numbered on from the base."""
        request, size = pb.AppendRequest(), 0
        for number, row in enumerate(self.rows, self.base + 1):
            full = len(request.entries) == _REQUEST or size + len(row) > _REQUEST_BYTES
            if full and request.entries:
                yield request
                request, size = pb.AppendRequest(), 0
            entry = request.entries.add()
            entry.MergeFromString(row)
            entry.sequence = number
            size += len(row)
        yield request


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
            elif delivered < _REQUEST:
                await asyncio.sleep(_GATHER_S)

    async def deliver(self) -> int:
        """Deliver the first rows; return how many of them the log now holds for good."""
        turn = await self._db.read(self._first)
        if not turn.rows or not (self._holds(turn) or await self._db.write(self._hold)):
            return 0
        # Should another relay have gone on meanwhile, this only repeats what it has delivered.
        requests = list(turn.requests())
        answers = await asyncio.gather(*map(self._send, requests), return_exceptions=True)
        covered = 0
        for request, answer in zip(requests, answers, strict=True):
            if isinstance(answer, BaseException):
                if covered and isinstance(answer, Fault):
                    break  # the next turn repeats it
                raise answer
            covered += answer
            if answer < len(request.entries):
                break
        if covered:
            await self._db.write(lambda tx: self._forget(tx, turn, covered))
        return covered

    async def _send(self, request: pb.AppendRequest) -> int:
        """Return how many of a request's entries, from its first on, a checkpoint covers."""
        response = await self._audit.call(lambda s: s.Append, request, timeout=_DELIVERY_S)
        size = response.checkpoint.size
        covered = takewhile(
            lambda pair: pair[0].sequence == pair[1].sequence and pair[1].index < size,
            zip(request.entries, response.receipts, strict=False),
        )
        return len(list(covered))

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

    def _holds(self, turn: _Turn) -> bool:
        """Tell whether the lease is ours for as long as a turn usually takes."""
        if turn.holder != self._holder or turn.lease_until is None:
            return False
        left = turn.lease_until - self._clock.now()
        return _RENEW < left <= _LEASE

    def _waiting(self, tx: Connection) -> bool:
        return tx.execute(select(self._outbox.c.id).limit(1)).first() is not None

    def _first(self, tx: Connection) -> _Turn:
        """Read the first rows, as many as one turn takes."""
        memory, rows = self._memory, self._outbox
        mine = tx.execute(select(memory).where(memory.c.name == _NAME)).one_or_none()
        here, order = outbox.settled(tx, rows), (rows.c.xid, rows.c.id)
        sizes = tx.execute(
            select(*order, func.length(rows.c.event)).where(here).order_by(*order).limit(_TURN)
        ).all()
        places = list(_up_to(((_Place(xid, id_), size) for xid, id_, size in sizes), _TURN_BYTES))
        events: Sequence[bytes] = ()
        if places:
            upto = tuple_(*order) <= tuple_(places[-1].xid, places[-1].id)
            events = (
                tx.execute(select(rows.c.event).where(here, upto).order_by(*order)).scalars().all()
            )
        if mine is None:
            return _Turn(0, places, events, "", None)
        return _Turn(mine.last_sequence, places, events, mine.holder, mine.lease_until)

    def _hold(self, tx: Connection) -> bool:
        """Take or renew the lease, unless another relay holds it."""
        now, memory = self._clock.now(), self._memory
        first = {"name": _NAME, "last_sequence": 0, "holder": "", "lease_until": now}
        insert_missing(tx, memory, [first])
        mine = tx.execute(self._locked()).one()
        # A lease that ends later than one that begins now is of a clock that has jumped back since.
        leased = now < mine.lease_until <= now + _LEASE
        if mine.holder not in ("", self._holder) and leased:
            return False
        self._remember(tx, mine.last_sequence)
        return True

    def _forget(self, tx: Connection, turn: _Turn, covered: int) -> None:
        """Remove the rows of a turn that are covered, and with them move the numbers on."""
        mine = tx.execute(self._locked()).one()
        if (mine.holder, mine.last_sequence) != (self._holder, turn.base):
            return  # another relay took over: it repeats these rows, and forgets them itself
        rows, last = self._outbox, turn.places[covered - 1]
        upto = tuple_(rows.c.xid, rows.c.id) <= tuple_(last.xid, last.id)
        removed = tx.execute(rows.delete().where(upto)).rowcount
        if removed != covered:
            raise RuntimeError(f"{removed} rows of the outbox were {covered} when they were sent")
        self._remember(tx, turn.base + covered)

    def _locked(self) -> Select[tuple[str, int, str, datetime]]:
        return select(self._memory).where(self._memory.c.name == _NAME).with_for_update()

    def _remember(self, tx: Connection, last_sequence: int) -> None:
        tx.execute(
            update(self._memory)
            .where(self._memory.c.name == _NAME)
            .values(
                last_sequence=last_sequence,
                holder=self._holder,
                lease_until=self._clock.now() + _LEASE,
            )
        )


def _up_to(sized: Iterable[tuple[_Place, int]], most: int) -> Iterator[_Place]:
    """Cut rows to a size in all; never to nothing."""
    total = 0
    for place, size in sized:
        total += size
        if total > most and total > size:
            return
        yield place
