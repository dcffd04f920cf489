"""One sequencer at a time: of a log's processes one appends, the others stand by to take over."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from runtime import logs
from runtime.fault import Fault
from services.audit.cases.append_entries import AppendEntries
from services.audit.cases.waiting import Appended
from services.audit.domain.entry import Batch
from services.audit.domain.faults import StaleWriterError, not_sequencer
from services.audit.domain.ports import SequencerLock

log = logs.get(__name__)

_LOOK_S = 0.2  # between two attempts to take over


class Beside(Protocol):
    """What the sequencer alone does, beside appending."""

    async def open(self) -> None:
        """Look at what is there; LogDamagedError when nothing may be appended to it."""
        ...

    async def run(self) -> None:
        """Work until cancelled."""
        ...


class Sequencer:
    """Appends while this process holds the lock, and refuses while another one does.

    Each term has a writer of its own, which begins with what is stored: what the one before knew
    may be what never became durable. `beside` runs in the sequencer alone, and ends with its term.
    `committed` is told the size of the log after each append.
    """

    def __init__(
        self,
        lock: SequencerLock,
        writer: Callable[[], AppendEntries],
        *,
        beside: Sequence[Beside] = (),
        changed: Callable[[bool], None],
        committed: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._lock = lock
        self._make = writer
        self._beside = beside
        self._changed = changed
        self._committed = committed
        self._writer: AppendEntries | None = None

    async def append(self, batch: Batch) -> Appended:
        """Append a producer's entries; NOT_SEQUENCER when another process does that now."""
        if self._writer is None:
            raise not_sequencer()
        appended = await self._writer.append(batch)
        self._committed(appended.checkpoint.size)
        return appended

    async def begin(self) -> bool:
        """Become the sequencer if nobody is; LogDamagedError when the log must not go on."""
        if not await self._lock.take():
            return False
        writer = self._make()
        try:
            # Before the writer, which signs the first checkpoint of a log that looks new.
            for each in self._beside:
                await each.open()
            await writer.open()
        except StaleWriterError as error:  # another wrote in spite of the lock: look again
            log.warning("the log grew while it was opened", reason=str(error))
            await self._lock.leave()
            return False
        except BaseException:
            await self._lock.leave()
            raise
        self._writer = writer
        return True

    async def run(self) -> None:
        """Serve terms until cancelled; ends with LogDamagedError when the log must not go on."""
        while True:
            if self._writer is None:
                self._changed(False)
                await self._take_over()
            self._changed(True)
            log.info("sequencing")
            await self._serve()
            log.warning("sequencing no longer: the lock is lost")

    async def _take_over(self) -> None:
        log.info("standing by")
        reason = ""
        while True:
            try:
                if await self.begin():
                    return
            except (Fault, OSError) as error:
                if reason != str(error):  # an outage is told once, not five times a second
                    reason = str(error)
                    log.warning("cannot take over", reason=reason)
            await asyncio.sleep(_LOOK_S)

    async def _serve(self) -> None:
        """Run a term; return when the lock is lost, raise what must end the process."""
        assert self._writer is not None  # noqa: S101  begin has set it
        lost = asyncio.ensure_future(self._lock.lost())
        work = [self._writer.run, *(each.run for each in self._beside)]
        tasks = [lost, *(asyncio.ensure_future(task()) for task in work)]
        try:
            ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            # First nobody is answered any more, then another may begin.
            self._writer = None
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._lock.leave()
        for task in ended:
            task.result()
