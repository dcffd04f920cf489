"""Carries the outbox to the audit log: numbered densely, delivered in order, kept until published.

A row's number is the number of the last row that was removed plus the row's rank among those that
have settled. Both change in one transaction alone, which removes the first rows once the log has
published them. So a row has the same number whenever it is looked at: a crash anywhere repeats a
delivery under the same numbers, and audit answers a repeated (producer, sequence) with the first
receipt. Exactly once in the log, and a loss would show as a gap.

What was acknowledged is not published yet, and a log that is rebuilt from what it published forgets
it. So the rows stay, and the relay's memory says up to where they were acknowledged. When the log
expects a number from before that place, it was rebuilt: the relay goes back and sends again. Should
it expect a number whose row is gone, events are lost: that is said as loudly as can be, and nothing
more is delivered until the log has them again.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import uuid4

from accord.audit.v1 import append_service_pb2 as pb
from accord.audit.v1.append_service_pb2_grpc import AppendServiceStub
from sqlalchemy import ColumnElement, Connection, Select, Table, func, select, true, tuple_, update

from runtime import logs, outbox
from runtime.acknowledged import Acknowledged, Place, Stretch
from runtime.channel import Channel, Peer
from runtime.clock import Clock
from runtime.db import Database, insert_missing
from runtime.fault import Fault
from runtime.telemetry import Telemetry

log = logs.get(__name__)

_NAME = "audit"
_REQUEST, _REQUEST_BYTES = 512, 900 << 10  # within what audit takes
# One turn. While one is at the log the next is read and sent, so that its writer never waits.
_TURN, _TURN_BYTES = 2 * _REQUEST, 2 * _REQUEST_BYTES
# Short, so that a killed relay is soon replaced; two at once would only repeat each other.
_LEASE = timedelta(seconds=2)
_RENEW = timedelta(seconds=1)
_DELIVERY_S = 10.0
_GATHER_S = 0.1  # after a turn that took everything: rows that come singly travel together
_BLOCKED_S = 0.05
_IDLE_S = 1.0  # at most between two looks, should a wake-up be missed
_FIRST_ASK_S, _LAST_ASK_S = 0.15, 2.0  # a log publishes each 0.4 s, if it can
_ASK_LATER = 1.25  # so that what is published is not heard of as late again as it took
_FIRST_RETRY_S = 0.1
_LAST_RETRY_S = 5.0


Opened = Callable[[Connection, Sequence[bytes]], Sequence[bytes]]  # of rows that are encrypted


class EventsLostError(Exception):
    """The log lacks events that it had published: their rows are gone."""


@dataclass(frozen=True, slots=True)
class _Turn:
    """Rows that were not sent yet, and what the relay's memory said in the same snapshot."""

    base: int  # number of the last row that was removed
    ours: bool  # nobody but this relay has moved anything since its last turn
    holder: str
    lease_until: datetime | None
    places: Sequence[Place]
    rows: Sequence[bytes]
    full: bool = False  # more rows wait than one turn takes

    def requests(self, number: int) -> Iterator[pb.AppendRequest]:
        """Make the requests, each within its bounds; the entries are numbered from `number` on."""
        request, size = pb.AppendRequest(), 0
        for sequence, row in enumerate(self.rows, number):
            full = len(request.entries) == _REQUEST or size + len(row) > _REQUEST_BYTES
            if full and request.entries:
                yield request
                request, size = pb.AppendRequest(), 0
            entry = request.entries.add()
            entry.MergeFromString(row)
            entry.sequence = sequence
            size += len(row)
        if request.entries:
            yield request


@dataclass(frozen=True, slots=True)
class _Sent:
    """A turn that is at the log."""

    turn: _Turn
    acknowledged: int  # number of the last row that was, when it was sent
    last: int  # number of its last row
    requests: Sequence[pb.AppendRequest]
    sending: "asyncio.Future[list[pb.AppendResponse | BaseException]]"

    async def end(self) -> None:
        """Stop what still travels, and wait until it has stopped; the log may have taken it."""
        self.sending.cancel()
        await asyncio.gather(self.sending, return_exceptions=True)


class Relay:
    """The relay of one service; run it beside the server with `Server.also`."""

    def __init__(
        self,
        db: Database,
        table: Table,
        audit: Channel,
        clock: Clock,
        traces: Telemetry,
        *,
        opened: Opened = lambda _, rows: rows,
    ) -> None:
        self._db = db
        self._outbox = table
        self._memory = table.metadata.tables["outbox_relay"]
        self._audit = Peer(AppendServiceStub, audit)
        self._clock = clock
        self._traces = traces
        self._opened = opened
        self._holder = uuid4().hex
        self._known = Acknowledged(0)
        self._newest: pb.NewEntry | None = None  # of the acknowledged rows
        self._ask_at = 0.0  # on the loop's clock: when to ask what is published, if nothing is sent
        self._patience = _FIRST_ASK_S

    async def run(self) -> None:
        """Deliver for ever; failures are retried with growing pauses and never end it."""
        pause = _FIRST_RETRY_S
        while True:
            delivered = 0
            try:
                delivered = await self.deliver()
                pause = _FIRST_RETRY_S
            except EventsLostError as lost:
                log.error("events are lost", reason=str(lost))  # noqa: TRY400  the text is all
                self._traces.alarm("events_lost")
                await asyncio.sleep(_LAST_RETRY_S)
            except Fault as fault:
                log.warning("delivery to audit failed", reason=fault.reason)
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LAST_RETRY_S)
            if not delivered:
                await self._something_new()
            elif delivered < _REQUEST:
                await asyncio.sleep(_GATHER_S)

    async def deliver(self) -> int:
        """Deliver the rows that come next, while turns are full; return how many were acknowledged.

        Removes what the log has published meanwhile. EventsLostError when the log lacks what was
        removed: nothing is delivered then.
        """
        delivered = 0
        sent = await self._begin(None)
        try:
            while sent is not None:
                this, sent = sent, None
                try:
                    sent = await self._begin(this) if this.turn.full else None
                    acknowledged = await self._settle(this)
                finally:
                    await this.end()
                delivered += acknowledged
                if acknowledged < len(this.turn.rows):
                    break  # the next turn repeats what is left, and all that was sent behind it
        except Fault:
            if not delivered:
                raise
        finally:
            if sent is not None:
                await sent.end()
        return delivered

    async def _begin(self, before: "_Sent | None") -> "_Sent | None":
        """Read a turn and send it; the first, or the one that follows what was sent before.

        None when there is nothing to send, or another relay holds the lease.
        """
        after = before.turn.places[-1] if before else None
        turn = await self._db.read(partial(self._next, after=after))
        if not turn.ours:
            if before:
                return None
            self._known, self._newest = Acknowledged(turn.base), None
        number = before.last if before else self._known.number
        requests = list(turn.requests(number + 1))
        if not requests and not before and (question := self._question()):
            requests = [question]
        if not requests or not (self._holds(turn) or await self._db.write(self._hold)):
            return None
        sending = asyncio.gather(*map(self._send, requests), return_exceptions=True)
        return _Sent(turn, self._known.number, number + len(turn.rows), requests, sending)

    async def _settle(self, sent: "_Sent") -> int:
        """Take the answers to a turn, and remove what they say is published.

        Should another relay have gone on meanwhile, the turn only repeats what that delivered.
        """
        answers = await sent.sending
        delivered = published = 0
        for request, answer in zip(sent.requests, answers, strict=True):
            if isinstance(answer, BaseException):
                if not self._gone_back(answer, sent.acknowledged) and not (
                    delivered and isinstance(answer, Fault)
                ):
                    raise answer
                break
            published = max(published, answer.published_size)
            if sent.turn.rows:
                delivered += len(request.entries)
                last = answer.receipts[-1]
                place = sent.turn.places[delivered - 1]
                self._known.add(Stretch(last.sequence, place, last.index))
                self._newest = request.entries[-1]
        await self._remove(published, some=bool(delivered))
        return delivered

    async def _send(self, request: pb.AppendRequest) -> pb.AppendResponse:
        response = await self._audit.call(lambda s: s.Append, request, timeout=_DELIVERY_S)
        if [r.sequence for r in response.receipts] != [e.sequence for e in request.entries]:
            raise Fault("INTERNAL", "the log acknowledged other entries than it was sent")
        return response

    def _question(self) -> pb.AppendRequest | None:
        """Repeat the newest acknowledged row, when it is time: so we hear what is published.

        We hear, too, when the log was rebuilt and has lost it.
        """
        if not self._known or self._newest is None:
            return None
        if asyncio.get_running_loop().time() < self._ask_at:
            return None
        return pb.AppendRequest(entries=[self._newest])

    def _gone_back(self, refusal: BaseException, before: int) -> bool:
        """Go back to where the log expects us, if it was rebuilt and lacks what it acknowledged.

        `before` is the last number that it had acknowledged when what it refuses was sent.
        """
        if not isinstance(refusal, Fault) or refusal.reason != "SEQUENCE_GAP":
            return False
        expected = int(refusal.metadata.get("expected") or 0)
        if expected > before:
            return False  # of requests sent at once, a later one arrived first
        if expected <= self._known.base:
            raise EventsLostError(
                f"the log expects number {expected}; what it had published, up to number "
                f"{self._known.base}, is no longer here"
            )
        log.warning("the log was rebuilt: sending again", count=before - expected + 1)
        self._known.back_to(expected)
        self._newest = None
        return True

    async def _remove(self, published: int, *, some: bool) -> None:
        """Remove the rows that the log has published; see when to ask again."""
        upto = self._known.published(published)
        later = min(self._patience * _ASK_LATER, _LAST_ASK_S)
        self._patience = _FIRST_ASK_S if upto or some else later
        self._ask_at = asyncio.get_running_loop().time() + self._patience
        if upto is not None and await self._db.write(partial(self._forget, upto=upto)):
            self._known.removed(upto)

    async def _something_new(self) -> None:
        self._db.committed.clear()
        if await self._db.read(self._waiting):
            # Another relay holds the lease, or an older transaction is still open.
            await asyncio.sleep(_BLOCKED_S)
            return
        idle = _IDLE_S
        if self._known:
            idle = min(idle, max(0.0, self._ask_at - asyncio.get_running_loop().time()))
        try:
            async with asyncio.timeout(idle):
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
        return (
            tx.execute(select(self._outbox.c.id).where(self._beyond(None)).limit(1)).first()
            is not None
        )

    def _beyond(self, after: Place | None) -> ColumnElement[bool]:
        """Return the condition of rows behind a place, or of those that were not acknowledged."""
        place = after or self._known.place
        if place is None:
            return true()
        return tuple_(self._outbox.c.xid, self._outbox.c.id) > tuple_(place.xid, place.id)

    def _next(self, tx: Connection, *, after: Place | None = None) -> _Turn:
        """Read the rows that come next, or behind a place, as many as one turn takes."""
        memory, rows = self._memory, self._outbox
        mine = tx.execute(select(memory).where(memory.c.name == _NAME)).one_or_none()
        base, holder = (mine.last_sequence, mine.holder) if mine else (0, "")
        ours = (holder, base) == (self._holder, self._known.base)
        if mine and self._elsewhere(holder, mine.lease_until):
            # What we read now, the other will have sent by our turn.
            return _Turn(base, ours, holder, mine.lease_until, (), ())
        here, order = outbox.settled(tx, rows), (rows.c.xid, rows.c.id)
        if ours:
            here &= self._beyond(after)
        sizes = tx.execute(
            select(*order, func.length(rows.c.event)).where(here).order_by(*order).limit(_TURN)
        ).all()
        places = list(_up_to(((Place(xid, id_), size) for xid, id_, size in sizes), _TURN_BYTES))
        events: Sequence[bytes] = ()
        if places:
            upto = tuple_(*order) <= tuple_(places[-1].xid, places[-1].id)
            found = tx.execute(select(rows.c.event).where(here, upto).order_by(*order))
            events = self._opened(tx, found.scalars().all())
        until = mine.lease_until if mine else None
        full = len(sizes) == _TURN or len(places) < len(sizes)
        return _Turn(base, ours, holder, until, places, events, full)

    def _hold(self, tx: Connection) -> bool:
        """Take or renew the lease, unless another relay holds it."""
        now, memory = self._clock.now(), self._memory
        first = {"name": _NAME, "last_sequence": 0, "holder": "", "lease_until": now}
        insert_missing(tx, memory, [first])
        mine = tx.execute(self._locked()).one()
        if self._elsewhere(mine.holder, mine.lease_until):
            return False
        self._remember(tx, mine.last_sequence)
        return True

    def _forget(self, tx: Connection, *, upto: Stretch) -> bool:
        """Remove the rows up to the end of a stretch, and with them move the numbers on."""
        mine = tx.execute(self._locked()).one()
        if (mine.holder, mine.last_sequence) != (self._holder, self._known.base):
            return False  # another relay took over: it repeats these rows, and forgets them itself
        rows = self._outbox
        these = tuple_(rows.c.xid, rows.c.id) <= tuple_(upto.place.xid, upto.place.id)
        removed = tx.execute(rows.delete().where(these)).rowcount
        expected = upto.number - mine.last_sequence
        if removed != expected:
            raise RuntimeError(f"{removed} rows of the outbox were {expected} when they were sent")
        self._remember(tx, upto.number)
        return True

    def _elsewhere(self, holder: str, until: datetime) -> bool:
        """Tell whether another relay holds the lease.

        A lease that ends later than one that begins now is of a clock that has jumped back since.
        """
        now = self._clock.now()
        return now < until <= now + _LEASE and holder not in ("", self._holder)

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


def _up_to(sized: Iterable[tuple[Place, int]], most: int) -> Iterator[Place]:
    """Cut rows to a size in all; never to nothing."""
    total = 0
    for place, size in sized:
        total += size
        if total > most and total > size:
            return
        yield place
