"""The batch writer of decisions: records that wait share one transaction and few statements."""

import asyncio
import time
from collections import deque
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from sqlalchemy import Connection

from runtime import outbox
from runtime.db import Database
from runtime.fault import Fault
from services.sharing.domain.decision import Record
from services.sharing.domain.ports import DecisionCodec
from services.sharing.store import tables
from services.sharing.store.decisions import StoredDecisions

_MOST_WAITING = 8192  # decisions that may wait before callers are refused
_GROUP = 2048  # decisions in one transaction at most, unless a single record has more
# At most so long is a group gathered while the loop brings ever more: a commit costs about the same
# for one as for fifty, and each of its statements wins the interpreter back from a busy loop.
_GATHER_S = 0.01
_RETRY_AFTER = timedelta(milliseconds=200)


@dataclass(slots=True)
class _Waiting:
    record: Record
    events: list[bytes]
    done: "asyncio.Future[None]"


class Register:
    """Puts decisions on record; one of a process."""

    def __init__(self, database: Database, codec: DecisionCodec) -> None:
        self._database = database
        self._codec = codec
        self._queue: deque[_Waiting] = deque()
        self._decisions = 0  # that wait
        self._writing: asyncio.Task[None] | None = None

    async def keep(self, record: Record) -> None:
        """Return when the record is durable and its events are in the outbox.

        OVERLOADED when too many wait, UNAVAILABLE when the store does not answer; ValueError for
        an event that the log would refuse.
        """
        if self._decisions >= _MOST_WAITING:
            raise Fault("OVERLOADED", "too many decisions wait", retry_after=_RETRY_AFTER)
        events = [outbox.encoded(event) for event in record.events]
        done = asyncio.get_running_loop().create_future()
        self._queue.append(_Waiting(record, events, done))
        self._decisions += len(record.decided)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())
        await done

    async def _write(self) -> None:
        while self._queue:
            await self._gather()
            group = self._group()
            try:
                await self._database.write(partial(self._insert, group))
            except Exception as error:  # noqa: BLE001  it belongs to those who wait
                for each in group:
                    if not each.done.done():
                        each.done.set_exception(error)
            else:
                for each in group:
                    if not each.done.done():
                        each.done.set_result(None)

    async def _gather(self) -> None:
        """Wait until a turn of the loop brings no more: then it is idle, and nobody is kept."""
        end, before = time.monotonic() + _GATHER_S, 0
        while before < len(self._queue) and time.monotonic() < end:
            before = len(self._queue)
            await asyncio.sleep(0)

    def _group(self) -> list[_Waiting]:
        group: list[_Waiting] = []
        taken = 0
        while self._queue and (not group or taken < _GROUP):
            group.append(self._queue.popleft())
            taken += len(group[-1].record.decided)
        self._decisions -= taken
        return group

    def _insert(self, group: list[_Waiting], tx: Connection) -> None:
        StoredDecisions(tx, self._codec).add([each.record for each in group])
        outbox.append(tx, tables.outbox, [event for each in group for event in each.events])
