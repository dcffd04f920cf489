"""Follows the log as it grows: what one process tells to whoever reads along."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from runtime import logs
from runtime.fault import Fault, invalid
from services.audit.cases.read_entries import ReadEntries
from services.audit.cases.reading import OnRecord, Reader
from services.audit.cases.tree import Tree
from services.audit.domain.entry import OpenedEntry
from services.audit.domain.faults import log_unavailable
from services.audit.domain.wanted import Wanted

log = logs.get(__name__)

_POLL_S = 0.1  # between two looks, while anybody follows
_LOOK_S = 5.0  # a look that takes longer has failed
_REST_S = 0.5  # without news, this often the size is told
_FRESH_S = 1.0  # a size older than this is not told
_LAST_S = 0.25  # kept of the call's time, so that the stream ends well
_BATCH = 200  # entries in one message
_RECORDED = 1000  # entries that one record lets be given
_MOST_STREAMS = 64  # of one process; each takes one of its calls in progress
_MOST_OF_ONE = 8  # of one reader in one process
_RETRY_AFTER = timedelta(seconds=1)
_ACTION = "audit:log:tail"


@dataclass(frozen=True, slots=True)
class News:
    """Entries that were committed, where to go on from, and how long the log is."""

    entries: Sequence[OpenedEntry]
    next_index: int
    size: int


class Growth:
    """How long the log is, as this process knows it; run it beside the server.

    One look serves all who follow, and there is none while nobody does. What this process commits
    itself it is told of at once.
    """

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._size = 0
        self._confirmed = float("-inf")
        self._changed = asyncio.Event()
        self._followers = 0
        self._followed = asyncio.Event()
        self.draining = False

    def grown(self, size: int) -> None:
        """Note that the log has been committed up to `size`."""
        if size > self._size:
            self._size = size
            self._tell()
        self._confirmed = time.monotonic()

    def drain(self) -> None:
        """Let every stream end."""
        self.draining = True
        self._tell()

    async def run(self) -> None:
        """Look for ever, while anybody follows; a failure is said once and ends nothing."""
        failing = False
        while True:
            await self._followed.wait()
            try:
                async with asyncio.timeout(_LOOK_S):
                    self.grown((await self._tree.newest_checkpoint()).size)
                failing = False
            except (Fault, TimeoutError) as error:
                if not failing:
                    log.warning("the log cannot be looked at", reason=type(error).__name__)
                failing = True
            await asyncio.sleep(_POLL_S)

    async def begin(self) -> int:
        """Return the size as of now, and count a follower until `end`."""
        self.grown((await self._tree.newest_checkpoint()).size)
        self._followers += 1
        self._followed.set()
        return self._size

    def end(self) -> None:
        """Count a follower off."""
        self._followers -= 1
        if not self._followers:
            self._followed.clear()

    async def beyond(self, size: int, seconds: float) -> int:
        """Return the size once it is more than `size`, or after so many seconds.

        UNAVAILABLE when it could not be looked up for too long.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._size <= size and not self.draining:
                    await self._changed.wait()
        if time.monotonic() - self._confirmed > _FRESH_S:
            raise log_unavailable()
        return self._size

    def _tell(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


class Tail:
    """Streams of entries. None has a buffer: each reads on when what it gave was taken."""

    def __init__(self, entries: ReadEntries, growth: Growth, on_record: OnRecord) -> None:
        self._entries = entries
        self._growth = growth
        self._on_record = on_record
        self._streams: Counter[str] = Counter()  # by reader
        self._ends: set[asyncio.Task[None]] = set()

    async def follow(
        self, reader: Reader, wanted: Wanted, begin: int | None, deadline: float
    ) -> AsyncGenerator[News]:
        """Yield what matches from index `begin` on, or from now on; end before `deadline`."""
        who = reader.who
        if self._streams.total() >= _MOST_STREAMS or self._streams[who] >= _MOST_OF_ONE:
            raise Fault("OVERLOADED", "there are enough streams here", retry_after=_RETRY_AFTER)
        self._streams[who] += 1
        given, followed = 0, False  # given since the last record
        try:
            size = await self._growth.begin()
            followed = True
            at = size if begin is None else begin
            if at > size:
                raise invalid("from_index", f"must be at most {size}, the size of the log")
            await self._on_record.search(_ACTION, reader, wanted, 0, step="begin")
            while deadline - time.monotonic() > _LAST_S:
                if self._growth.draining:
                    raise Fault("DRAINING", "this server is going down")
                if at < size:
                    # What is read now may reach beyond `size`, never short of it.
                    page = await self._entries.matching(
                        wanted, after=at - 1, newest_first=False, size=_BATCH
                    )
                    if given + len(page.entries) > _RECORDED:
                        await self._on_record.search(_ACTION, reader, wanted, given, step="go on")
                        given = 0
                    given += len(page.entries)
                    last = page.entries[-1].stored.index + 1 if page.entries else 0
                    at = max(size, last) if page.cursor is None else page.cursor + 1
                    yield News(page.entries, at, max(size, at))
                    size = max(size, at)
                else:
                    size = await self._growth.beyond(at, _REST_S)
                    if at >= size:
                        yield News((), at, size)
        finally:
            if followed:
                self._growth.end()
            self._streams[who] -= 1
            if given:
                await self._end(reader, wanted, given)

    async def _end(self, reader: Reader, wanted: Wanted, given: int) -> None:
        """Record how much was given; also when the reader has gone and takes this call along.

        Should the process die first, the record before lets it be at most `_RECORDED` entries.
        """

        async def write() -> None:
            try:
                await self._on_record.search(_ACTION, reader, wanted, given, step="end")
            except Fault as fault:
                log.warning("the end of a stream is not on record", reason=fault.reason)

        task = asyncio.create_task(write())
        self._ends.add(task)
        task.add_done_callback(self._ends.discard)
        await asyncio.shield(task)
