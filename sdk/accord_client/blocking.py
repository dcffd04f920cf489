"""The same for threads; a permit in memory answers in the calling thread.

.. code-block:: python

    with Accord.connect(profile) as accord:
        verdict = accord.check(question)

    with opened(Guests.connect(profile)) as guests:  # any of the typed clients
        ended = guests.call(lambda client: client.withdraw(guest, name))
        reached = guests.list(lambda client: client.recipients(guest))

What has to be asked, watched or recorded runs on an event loop in a thread of its own, so that
there is one guard, ``accord_client.guard``, and not two.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Generic, TypeVar

from accord.sharing.v1.decision_pb2 import Question
from accord.sharing.v1.disclosure_pb2 import Disclosure

from accord_client import guard
from accord_client.cache import SILENCE_S, Ask, Counters, Verdict
from accord_client.permit import Permit
from accord_client.profile import Profile

C = TypeVar("C")
T = TypeVar("T")


class Accord:
    """Asks sharing for an app, from any thread."""

    def __init__(self, accord: guard.Accord, loop: asyncio.AbstractEventLoop) -> None:
        self._accord = accord
        self._loop = loop
        self._recall = accord.recall

    @classmethod
    @contextlib.contextmanager
    def connect(cls, profile: Profile, *, silence: float = SILENCE_S) -> Iterator[Accord]:
        """A client that watches while it is open; ``silence`` as for ``guard.Accord.connect``."""
        with _entered(guard.Accord.connect(profile, silence=silence)) as (accord, loop):
            yield cls(accord, loop)

    @property
    def counters(self) -> Counters:
        """What this client has done so far."""
        return self._accord.counters

    def heard(self) -> None:
        """Returns with the next word of Watch. As ``guard.Accord.heard``."""
        _result(self._accord.heard(), self._loop)

    def check(self, question: Question | Ask) -> Verdict:
        """May it be shared? As ``guard.Accord.check``."""
        ask = question if isinstance(question, Ask) else Ask(question)
        verdict = self._recall(ask)
        return verdict if verdict is not None else _result(self._accord.check(ask), self._loop)

    def honours(self, permit: str, sending: Question, *, shown_by: str) -> Permit | None:
        """Whether data may be sent on a permit that an app shows. As ``guard.Accord.honours``."""
        return _result(self._accord.honours(permit, sending, shown_by=shown_by), self._loop)

    def disclosed(
        self,
        verdict: Verdict,
        categories: Sequence[str],
        *,
        records: int = 0,
        at: datetime | None = None,
    ) -> Disclosure:
        """Records that data of these categories was sent under a permit, now or ``at``."""
        recording = self._accord.disclosed(verdict, categories, records=records, at=at)
        return _result(recording, self._loop)

    def disclosed_soon(
        self, verdict: Verdict, categories: Sequence[str], *, records: int = 0
    ) -> None:
        """The same without waiting: tried for a minute, then counted as ``unrecorded``."""
        self._loop.call_soon_threadsafe(
            lambda: self._accord.disclosed_soon(verdict, categories, records=records)
        )


class Calls(Generic[C]):
    """A typed client, from any thread: what it answers is waited for, what it raises is raised."""

    def __init__(self, client: C, loop: asyncio.AbstractEventLoop) -> None:
        self._client = client
        self._loop = loop

    def call(self, ask: Callable[[C], Coroutine[Any, Any, T]]) -> T:
        """What a method answers."""
        return _result(ask(self._client), self._loop)

    def list(self, ask: Callable[[C], AsyncIterator[T]]) -> list[T]:
        """The whole of a list."""

        async def whole() -> list[T]:
            return [each async for each in ask(self._client)]

        return _result(whole(), self._loop)


@contextlib.contextmanager
def opened(connecting: AbstractAsyncContextManager[C]) -> Iterator[Calls[C]]:
    """A typed client for threads, while it is open: ``opened(Guests.connect(profile))``."""
    with _entered(connecting) as (client, loop):
        yield Calls(client, loop)


@contextlib.contextmanager
def _entered(
    connecting: AbstractAsyncContextManager[C],
) -> Iterator[tuple[C, asyncio.AbstractEventLoop]]:
    with _looping() as loop:
        client = _result(connecting.__aenter__(), loop)
        try:
            yield client, loop
        finally:
            _result(connecting.__aexit__(None, None, None), loop)


@contextlib.contextmanager
def _looping() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="accord", daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _result(work: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop) -> T:
    return asyncio.run_coroutine_threadsafe(work, loop).result()
