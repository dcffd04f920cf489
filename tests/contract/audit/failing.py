"""A log's store that fails, or waits, when it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from runtime.clock import SettableClock
from runtime.fault import Fault
from runtime.testing import NOON
from services.audit.api.envelope import LogEntryEnvelope
from services.audit.domain.checkpoint import Checkpoint
from services.audit.domain.log_keys import LogKeys
from services.audit.domain.ports import Growth
from services.audit.store.log import StoredLog
from services.audit.store.party_keys import Find, StoredKeys
from tests.contract.audit.log import Log

T = TypeVar("T")


class FailingLog(StoredLog):
    """The store of a bad day: a growth fails before, or after, it is durable."""

    when = ""

    def __init__(self, log: Log) -> None:
        super().__init__(log.database, LogEntryEnvelope(), SettableClock(NOON))
        self.growing, self.go_on = asyncio.Event(), asyncio.Event()
        self.go_on.set()
        self.looked_up = asyncio.Event()  # since the last growth began

    async def grow(self, growth: Growth, signer: LogKeys) -> Checkpoint:
        self.looked_up.clear()
        self.growing.set()
        await self.go_on.wait()
        when, self.when = self.when, ""
        if when == "before":
            raise Fault("UNAVAILABLE", "disk full")
        checkpoint = await super().grow(growth, signer)
        if when == "after":
            raise Fault("UNAVAILABLE", "connection lost during commit")
        return checkpoint


class WatchedKeys(StoredKeys):
    """The keys of a log, which tell a store when a group is about to be sealed with them."""

    def __init__(self, log: Log, store: FailingLog) -> None:
        super().__init__(log.key_database, log.directory)
        self._store = store

    async def use(self, work: Callable[[Find], T]) -> T:
        self._store.looked_up.set()
        return await super().use(work)
