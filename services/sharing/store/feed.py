"""Tails the list of changes: how this process learns what it and others have altered.

It looks ten times a second. Whoever needs to know at once, as the answer to each write does, waits
for a look that began after they asked; those who ask together share one.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from datetime import timedelta

from runtime import logs
from runtime.clock import Clock
from runtime.db import Database
from runtime.fault import Fault
from services.sharing.domain.freshness import Freshness, Mode, News, Position, invalid_token
from services.sharing.domain.freshness import position as read_token
from services.sharing.store.changes import Reading, StoredChanges

log = logs.get(__name__)

POLL_S = 0.1
FRESH_S = 0.8  # older than this nobody decides on it: an answer leaves within a second of its facts
_LOOK_S = 5.0  # a look that takes longer has failed
_WAIT_S = 1.0  # for a look, when the caller wants an answer soon
_PURGE_S = 3600.0
_BEGINNING = 1 << 62  # a position behind everything: there is nothing in memory to be told of
_MOST_NEWS = 1024  # news that may wait for one follower
_RETRY_AFTER = timedelta(milliseconds=200)

Listener = Callable[[Reading], None]


class Feed:
    """The feed of one process; run it beside the server."""

    def __init__(self, database: Database, region: str, clock: Clock) -> None:
        self.region = region
        self._database = database
        self._clock = clock
        self._listeners: list[Listener] = []
        self._after = _BEGINNING  # all up to here were applied
        self._applied: set[int] = set()  # rows beyond it that were applied as well
        self._newest = 0
        self._confirmed = float("-inf")
        self._looking: asyncio.Task[None] | None = None
        self._next: asyncio.Task[None] | None = None

    async def token(self) -> str:
        """Return a token that covers everything committed by now."""
        await self.look()
        return self.position.token(self.region)

    async def require(self, freshness: Freshness) -> None:
        """Return when what is known here is as new as asked; UNAVAILABLE when it cannot be.

        FRESHNESS_TOKEN_INVALID for a token newer than anything that was ever written.
        """
        wanted = freshness.position.newest
        match freshness.mode:
            case Mode.FULLY_CONSISTENT:
                await self.look()
            case Mode.AT_LEAST_AS_FRESH if self._newest < wanted or self._after < wanted:
                await self.look()
                if self._newest < wanted:
                    raise invalid_token("ahead", "it is newer than anything written here")
            case _:
                if not self.is_fresh:
                    await self._look_soon()

    async def news(self, token: str) -> AsyncGenerator[News]:
        """Yield what changed since a token, for ever; empty news say that nothing did."""
        start = read_token(token, self.region)
        follower = _Follower()
        self._listeners.append(follower.hear)
        try:
            began = time.monotonic()
            since = await self._database.read(lambda tx: StoredChanges(tx).read(start.settled))
            since = replace(since, began=began)
            if since.newest < start.newest:
                raise invalid_token("ahead", "it is newer than anything written here")
            while True:
                if not since.complete:
                    raise Fault("POSITION_EXPIRED", "changes since this token are no longer kept")
                heard = Position(since.newest, min(since.settled, since.newest))
                changes = tuple(change for _, change in since.rows)
                yield News(changes, heard.token(self.region), since.began)
                since = await follower.next()
        finally:
            self._listeners.remove(follower.hear)

    @property
    def is_fresh(self) -> bool:
        """Tell whether the last look is recent enough to decide on."""
        return time.monotonic() - self._confirmed < FRESH_S

    @property
    def confirmed(self) -> float:
        """Return when the last look began that succeeded, on time.monotonic()."""
        return self._confirmed

    @property
    def position(self) -> Position:
        """Return where everything known here stands."""
        return Position(self._newest, min(self._after, self._newest))

    def seen(self, newest: int) -> None:
        """Note that a read of facts saw changes up to this revision."""
        self._newest = max(self._newest, newest)

    def subscribe(self, listener: Listener) -> None:
        """Tell `listener` of each look, before anyone who waits for it goes on."""
        self._listeners.append(listener)

    async def run(self) -> None:
        """Look for ever; a failure is said once and ends nothing."""
        failing, purged = False, float("-inf")
        while True:
            try:
                await self.look()
                failing = False
                if time.monotonic() - purged > _PURGE_S:
                    more = await self._database.write(
                        lambda tx: StoredChanges(tx).purge(self._clock.now())
                    )
                    purged = purged if more else time.monotonic()
            except Fault as fault:
                if not failing:
                    log.warning("the list of changes cannot be read", reason=fault.reason)
                failing = True
            await asyncio.sleep(POLL_S)

    async def look(self) -> None:
        """Look once, beginning after this call; UNAVAILABLE when that fails."""
        if self._next is None:
            self._next = asyncio.create_task(self._look_next())
            self._next.add_done_callback(_failed)  # whoever waited may have gone
        await asyncio.shield(self._next)

    async def _look_soon(self) -> None:
        try:
            async with asyncio.timeout(_WAIT_S):
                await self.look()
        except TimeoutError:
            raise _unheard() from None

    async def _look_next(self) -> None:
        if self._looking is not None:
            await asyncio.wait([self._looking])
        self._looking, self._next = self._next, None
        began, after = time.monotonic(), self._after
        try:
            async with asyncio.timeout(_LOOK_S):
                reading = await self._database.read(
                    lambda tx: StoredChanges(tx).read(after), urgent=True
                )
        except TimeoutError:
            raise _unheard() from None
        self._apply(replace(reading, began=began))
        self._confirmed = began

    def _apply(self, reading: Reading) -> None:
        """Tell of each row once, also of those that others may still be committed before."""
        rows = tuple(row for row in reading.rows if row[0] not in self._applied)
        for listener in tuple(self._listeners):
            listener(replace(reading, rows=rows))
        self._applied = {row for row, _ in reading.rows}
        self._newest = max(self._newest, reading.newest)
        self._after = reading.settled


class _Follower:
    """What one follower has not taken yet."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[Reading] = asyncio.Queue(_MOST_NEWS)
        self._lost = False

    def hear(self, reading: Reading) -> None:
        """Keep a reading, or note that it was lost."""
        if self._waiting.full():
            self._lost = True
        else:
            self._waiting.put_nowait(reading)

    async def next(self) -> Reading:
        """Return the next reading; READER_TOO_SLOW once one was lost."""
        if self._lost:
            raise Fault("READER_TOO_SLOW", "news came faster than they were taken")
        try:
            async with asyncio.timeout(FRESH_S):
                return await self._waiting.get()
        except TimeoutError:
            raise _unheard() from None


def _failed(look: "asyncio.Task[None]") -> bool:
    return not look.cancelled() and look.exception() is not None


def _unheard() -> Fault:
    return Fault("UNAVAILABLE", "the list of changes cannot be read", retry_after=_RETRY_AFTER)
