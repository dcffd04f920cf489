"""Appends: the log's single writer, which many callers wait for and commit with together.

Requests queue up while a group is being sealed; the next group takes all that wait. A group is one
transaction of entries, tiles and the checkpoint over them, so whoever is acknowledged is durable
and covered by a signature at once. While one group is written the next is sealed on top of it, and
sealed anew should that write fail.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from runtime import logs
from runtime.fault import Fault
from services.audit.cases.gaps import Gaps
from services.audit.cases.group import Group, Known, Receipt
from services.audit.cases.open_log import open_log
from services.audit.cases.waiting import Appended, Request, Waiting
from services.audit.domain.checkpoint import Checkpoint
from services.audit.domain.entry import Batch, Leaf, OpenedEntry
from services.audit.domain.faults import (
    EventsKnownError,
    LogDamagedError,
    StaleWriterError,
    log_unavailable,
)
from services.audit.domain.log_keys import LogKeys
from services.audit.domain.ports import Job, Keys, LogStore, Sealing
from services.audit.domain.sealing import open_entry
from services.audit.domain.tiles import Edge

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class _State:
    """The log as the writer knows it: verified or committed, or with one group still being so."""

    edge: Edge
    last: dict[str, int]  # highest number of each producer seen since
    storing: Group | None = None  # the newest group, while it is not stored yet


@dataclass(frozen=True, slots=True)
class _Sealed:
    """A group that waits for the one before it to be stored."""

    requests: Sequence[Request]
    outcomes: Sequence[list[Receipt] | Fault]
    group: Group


class AppendEntries:
    """The writer. `run` must be running for `append` to be answered."""

    def __init__(
        self, log: LogStore, keys: Keys, sealing: Sealing, signer: LogKeys, gaps: Gaps
    ) -> None:
        self._log = log
        self._keys = keys
        self._sealing = sealing
        self._signer = signer
        self._gaps = gaps
        self._state: _State | None = None
        self._checkpoint: Checkpoint | None = None  # the newest that is stored
        self._waiting = Waiting()
        self._again: Sequence[Request] = ()  # of a group that held events which the log has
        self._known_events: frozenset[str] = frozenset()  # these events
        self._stopped = False
        self._wake = asyncio.Event()

    async def append(self, batch: Batch) -> Appended:
        """Append a producer's entries; return when they are durable."""
        if self._stopped:
            raise log_unavailable()
        request = self._waiting.add(batch)
        self._wake.set()
        return await request.done

    async def open(self) -> None:
        """Verify what is stored; LogDamagedError when the log must not go on."""
        edge, self._checkpoint = await open_log(self._log, self._signer)
        self._state = _State(edge, {})

    async def run(self) -> None:
        """Commit groups until cancelled; ends with LogDamagedError when the log must not go on."""
        storing = asyncio.create_task(_nothing())
        requests: Sequence[Request] = ()
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._waiting or self._again:
                    await self._waiting.gathered(storing)
                    requests = self._waiting.take()
                    sealed = await self._seal(requests)
                    await storing
                    if self._again or (sealed is not None and self._state is None):
                        requests, self._again = [*self._again, *requests], ()
                        sealed = await self._seal(requests)
                    if sealed is not None:
                        group = sealed.group
                        self._state = _State(group.edge, group.last, group)
                        storing = asyncio.create_task(self._store(sealed))
                        storing.add_done_callback(lambda _: self._wake.set())
                if storing.done():
                    await storing  # a damage ends the log also when nobody writes any more
        except LogDamagedError as damage:
            log.exception("the log stops", reason=str(damage))
            raise
        finally:
            self._stopped = True
            storing.cancel()
            await asyncio.gather(storing, return_exceptions=True)
            for request in (*self._again, *requests):
                request.settle(log_unavailable())
            self._waiting.settle(log_unavailable())

    async def _seal(self, requests: Sequence[Request]) -> _Sealed | None:
        """Seal a group on top of the newest; None when that cannot be, and everyone is told so."""
        if not requests:
            return None
        try:
            if self._state is None:
                await self.open()
            state = self._state
            assert state is not None  # noqa: S101  open has set it, or raised
            known = await self._look_up(requests, state)
            jobs = [_job(request.batch, known) for request in requests]
            # What the log holds as a whole is only compared.
            sealed = iter(await self._sealing([job for job in jobs if job]))
            group = Group(state.edge, known)
            # Off the loop: a relay that starts again repeats whole groups, which are compared.
            outcomes = await asyncio.to_thread(
                lambda: [
                    _outcome(group, request.batch, next(sealed) if job else ())
                    for request, job in zip(requests, jobs, strict=True)
                ]
            )
        except BaseException as error:  # noqa: BLE001  what must end the log is raised again
            self._give_up(requests, error)
            return None
        return _Sealed(requests, outcomes, group)

    async def _store(self, sealed: _Sealed) -> None:
        """Store a sealed group and settle each of its requests."""
        group = sealed.group
        growth = group.growth()
        try:
            if growth.leaves:
                self._checkpoint = await self._log.grow(growth, self._signer)
        except EventsKnownError as known:
            # Rare, so that nobody looks for each event beforehand: sealed anew they are refused.
            self._state, self._again = None, sealed.requests
            self._known_events = known.event_ids
            return
        except BaseException as error:  # noqa: BLE001  what must end the log is raised again
            # Stored or not: only the store knows. It is looked at before anything else is written.
            self._state = None
            self._give_up(sealed.requests, error)
            return
        self._state = _State(group.edge, group.last)
        self._known_events = frozenset()
        checkpoint = self._checkpoint
        assert checkpoint is not None  # noqa: S101  of this growth, or of the log that was opened
        for request, outcome in zip(sealed.requests, sealed.outcomes, strict=True):
            settled = outcome if isinstance(outcome, Fault) else Appended(outcome, checkpoint)
            request.settle(settled)
        for request, outcome in zip(sealed.requests, sealed.outcomes, strict=True):
            if isinstance(outcome, Fault) and outcome.reason == "SEQUENCE_GAP":
                await self._gaps.refused(request.batch.producer, int(outcome.metadata["expected"]))

    @staticmethod
    def _give_up(requests: Sequence[Request], error: BaseException) -> None:
        """Tell everyone to come again; raise the error again when the log must not go on."""
        for request in requests:
            request.settle(log_unavailable())
        if isinstance(error, LogDamagedError) or not isinstance(error, Exception):
            raise error
        if isinstance(error, Fault | StaleWriterError):
            log.warning("group not committed", count=len(requests), reason=str(error))
        else:
            log.error("group not committed: a bug", count=len(requests), exc_info=error)

    async def _look_up(self, requests: Sequence[Request], state: _State) -> Known:
        """Read what the log holds of the requests."""
        last = dict(state.last)
        newest = state.storing
        taken = newest.taken if newest else {}
        repeated: dict[str, set[int]] = {}
        for request in requests:
            batch = request.batch
            producer = batch.producer
            if producer not in last:
                last[producer] = await self._log.last_sequence(producer)
            # Their numbers are consecutive: those that are repetitions come first.
            numbers = range(batch.first, min(batch.first + batch.count, last[producer] + 1))
            if others := {number for number in numbers if (producer, number) not in taken}:
                repeated.setdefault(producer, set()).update(others)
        entries = await self._opened(repeated) if repeated else {}
        known = self._known_events | newest.event_ids if newest else self._known_events
        return Known(last, entries, taken, known)

    async def _opened(
        self, repeated: Mapping[str, Collection[int]]
    ) -> dict[tuple[str, int], OpenedEntry]:
        """Read what the log holds under producers' numbers."""
        stored = []
        for producer, numbers in repeated.items():
            stored += await self._log.by_sequence(producer, numbers)
        keys = await self._keys.of({s.pseudonym for e in stored for s in e.sealed.sections})
        opened = (open_entry(self._signer.key.name, entry, keys) for entry in stored)
        return await asyncio.to_thread(
            lambda: {(e.stored.sealed.producer, e.stored.sealed.sequence): e for e in opened}
        )


async def _nothing() -> None:
    """Stand for the group before the first."""


def _job(batch: Batch, known: Known) -> Job | None:
    """Say what of a batch is to be sealed; None when the log has all of it."""
    repeated = max(0, known.last[batch.producer] + 1 - batch.first)
    if repeated >= batch.count:
        return None
    return Job(batch.producer, batch.wire, repeated, batch.count - repeated)


def _outcome(group: Group, batch: Batch, sealed: Sequence[Leaf] | Fault) -> list[Receipt] | Fault:
    try:
        return group.take(batch, sealed)
    except Fault as fault:
        return fault
