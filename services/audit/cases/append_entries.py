"""Appends: the log's single writer, which many callers wait for and commit with together.

Requests queue up while one group is being committed; the next group takes all that wait. A group
is one transaction of entries, tiles and the checkpoint over them, so whoever is acknowledged is
durable and covered by a signature at once.
"""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from runtime import logs
from runtime.event import Event
from runtime.fault import Fault
from services.audit.cases.group import Group, Known, Receipt
from services.audit.cases.open_log import open_log
from services.audit.domain.checkpoint import Checkpoint
from services.audit.domain.entry import Submission
from services.audit.domain.faults import (
    LogDamagedError,
    StaleWriterError,
    log_unavailable,
    queue_full,
)
from services.audit.domain.note import Signer
from services.audit.domain.ports import Envelope, Keys, LogStore
from services.audit.domain.sealing import open_entry, parties
from services.audit.domain.tiles import Edge

log = logs.get(__name__)

_MAX_WAITING = 8192  # entries in the queue before callers are refused
_MAX_WEIGHT = 32 << 20  # bytes that their texts take in memory
_MAX_GROUP = 1024  # entries in one transaction: bounds how long the others wait


@dataclass(frozen=True, slots=True)
class Appended:
    """Receipts in the order asked for, and a checkpoint that covers them."""

    receipts: Sequence[Receipt]
    checkpoint: Checkpoint


@dataclass(slots=True)
class _Request:
    producer: str
    submissions: Sequence[Submission]
    weight: int
    done: "asyncio.Future[Appended]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def settle(self, outcome: Appended | Fault) -> None:
        if self.done.done():  # its caller has gone
            return
        if isinstance(outcome, Fault):
            self.done.set_exception(outcome)
        else:
            self.done.set_result(outcome)


@dataclass(frozen=True, slots=True)
class _State:
    """The stored log as the writer knows it: as it was last verified or committed."""

    edge: Edge
    checkpoint: Checkpoint
    last: dict[str, int]  # highest number of each producer seen since


class AppendEntries:
    """The writer. `run` must be running for `append` to be answered."""

    def __init__(self, log: LogStore, keys: Keys, envelope: Envelope, signer: Signer) -> None:
        self._log = log
        self._keys = keys
        self._envelope = envelope
        self._signer = signer
        self._state: _State | None = None
        self._queue: deque[_Request] = deque()
        self._waiting = 0
        self._weight = 0
        self._stopped = False
        self._wake = asyncio.Event()

    async def append(self, producer: str, submissions: Sequence[Submission]) -> Appended:
        """Append a producer's entries, consecutive numbers; return when they are durable."""
        if self._stopped:
            raise log_unavailable()
        weight = sum(submission.weight for submission in submissions)
        # Alone in the queue it is taken whatever its weight: refused, it would come for ever.
        heavy = self._waiting and self._weight + weight > _MAX_WEIGHT
        if heavy or self._waiting + len(submissions) > _MAX_WAITING:
            raise queue_full()
        request = _Request(producer, submissions, weight)
        self._queue.append(request)
        self._waiting += len(submissions)
        self._weight += weight
        self._wake.set()
        return await request.done

    async def open(self) -> None:
        """Verify what is stored; LogDamagedError when the log must not go on."""
        edge, checkpoint = await open_log(self._log, self._signer)
        self._state = _State(edge, checkpoint, {})

    async def run(self) -> None:
        """Commit groups until cancelled; ends with LogDamagedError when the log must not go on."""
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while group := self._next_group():
                    await self._commit(group)
        except LogDamagedError as damage:
            log.exception("the log stops", reason=str(damage))
            raise
        finally:
            self._stopped = True
            for request in self._queue:
                request.settle(log_unavailable())

    def _next_group(self) -> list[_Request]:
        group: list[_Request] = []
        entries = 0
        while self._queue and (not group or entries + self._next_size() <= _MAX_GROUP):
            request = self._queue.popleft()
            self._waiting -= len(request.submissions)
            self._weight -= request.weight
            if not request.done.done():  # a caller that has gone will repeat its request
                group.append(request)
                entries += len(request.submissions)
        return group

    def _next_size(self) -> int:
        return len(self._queue[0].submissions)

    async def _commit(self, requests: Sequence[_Request]) -> None:
        """Commit one group and settle each of its requests."""
        try:
            outcomes = await self._attempt(requests)
        except BaseException as error:
            # Stored or not: only the store knows. It is looked at before anything else is written.
            self._state = None
            for request in requests:
                request.settle(log_unavailable())
            if isinstance(error, LogDamagedError) or not isinstance(error, Exception):
                raise
            if isinstance(error, Fault | StaleWriterError):
                log.warning("group not committed", count=len(requests), reason=str(error))
            else:
                log.exception("group not committed: a bug", count=len(requests), exc_info=error)
            return
        for request, outcome in zip(requests, outcomes, strict=True):
            request.settle(outcome)

    async def _attempt(self, requests: Sequence[_Request]) -> Sequence[Appended | Fault]:
        if self._state is None:
            await self.open()
        state = self._state
        assert state is not None  # noqa: S101  open has set it, or raised
        known, fresh = await self._look_up(requests, state.last)
        keys = await self._keys.ensure({party for event in fresh for party in parties(event)})
        group = Group(self._signer.key.name, self._envelope, keys, state.edge, known)
        # Sealing a full group takes tens of milliseconds: not on the loop that answers others.
        outcomes = await asyncio.to_thread(_take_all, group, requests)
        growth = group.growth()
        checkpoint = state.checkpoint
        if growth.entries:
            checkpoint = await self._log.grow(growth, self._signer)
        self._state = _State(group.edge, checkpoint, group.last)
        return [
            outcome if isinstance(outcome, Fault) else Appended(outcome, checkpoint)
            for outcome in outcomes
        ]

    async def _look_up(
        self, requests: Sequence[_Request], seen: Mapping[str, int]
    ) -> tuple[Known, list[Event]]:
        """Read what the log holds of the requests; return it, and the events that are new."""
        last = dict(seen)
        repeated: dict[str, set[int]] = {}
        fresh = []
        for request in requests:
            producer = request.producer
            if producer not in last:
                last[producer] = await self._log.last_sequence(producer)
            for submission in request.submissions:
                if submission.sequence <= last[producer]:
                    repeated.setdefault(producer, set()).add(submission.sequence)
                else:
                    fresh.append(submission.event)
        stored = []
        for producer, numbers in repeated.items():
            stored += await self._log.by_sequence(producer, numbers)
        keys = await self._keys.of({s.pseudonym for e in stored for s in e.sealed.sections})
        taken = await self._log.by_event_id({event.event_id for event in fresh})
        known = Known(
            last,
            {
                (entry.sealed.producer, entry.sealed.sequence): open_entry(
                    self._signer.key.name, entry, keys
                )
                for entry in stored
            },
            frozenset(entry.sealed.event_id for entry in taken),
        )
        return known, fresh


def _take_all(group: Group, requests: Sequence[_Request]) -> list[list[Receipt] | Fault]:
    outcomes: list[list[Receipt] | Fault] = []
    for request in requests:
        try:
            outcomes.append(group.take(request.producer, request.submissions))
        except Fault as fault:
            outcomes.append(fault)
    return outcomes
