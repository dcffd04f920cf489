"""Keeps permits until they expire, are revoked, or nobody has said for a while that they hold.

Without I/O: ``accord_client.guard`` feeds it. Safe to use from several threads at once; looking up
takes no lock.

Two races decide what it is worth, and both are lost on the safe side:

- A revocation may overtake a permit that is still on its way. So each revocation gets a number, a
  question remembers the number at which it was asked, and a permit is kept only if nothing that
  touches it was revoked since. The same holds for an answer that refuses: a permit that was asked
  for before it does not turn it back.
- Messages may be delayed. So trust is counted from when the stream was opened *here* plus how much
  later, by the server's clock alone, the records were confirmed: never from when a message arrived.
- What takes several messages is told before its token is. A question that is asked between them may
  be answered from before, so that all that they name is revoked once more with the last of them,
  and they prolong no trust.

A permit that another client asked for was seen by nobody here on its way. It is honoured if Watch
was heard from before the place in the records that its token names, and nothing that touches it was
named since.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Self

from accord.sharing.v1.decision_pb2 import Question
from accord.sharing.v1.watch_service_pb2 import WatchResponse

from accord_client.permit import MAX_LIFE_S, Permit

SILENCE_S = 1.0  # a permit is honoured no longer than this after the records were confirmed
MOST = 100_000  # permits that are kept; some 1.5 KB each


def _clock() -> Callable[[], float]:
    """Seconds of a clock that never jumps, and that goes on while the machine is suspended."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return partial(time.clock_gettime, time.CLOCK_BOOTTIME)
    return time.monotonic


now = _clock()


class Ask(bytes):
    """A question made ready: what is asked often is made ready once, and found without effort."""

    __slots__ = ()

    def __new__(cls, question: Question) -> Self:
        """The question as bytes that are the same for the same question."""
        return super().__new__(cls, question.SerializeToString(deterministic=True))

    @property
    def question(self) -> Question:
        """The question."""
        return Question.FromString(self)


@dataclass(frozen=True, slots=True)
class Verdict:
    """An answer to act on: share only if ``permitted``, and do what the obligations say."""

    permitted: bool
    decision: str  # decisions/…
    categories: tuple[str, ...]  # those that are, or asked alone would be, permitted
    obligations: tuple[str, ...] = ()  # keys such as `encrypt`
    reasons: tuple[str, ...] = ()  # what stands in the way, such as `CONSENT_WITHDRAWN`
    permit: str = ""  # the JWS, to be shown to whoever holds the data


@dataclass(slots=True)
class Counters:
    """What a client has done so far; each only grows."""

    hits: int = 0  # answered from memory
    asked: int = 0  # questions sent
    overtaken: int = 0  # permits that were revoked on their way
    revoked: int = 0  # permits dropped on Watch
    silent: int = 0  # permits not honoured since Watch was not heard
    streams: int = 0  # Watch streams opened
    unrecorded: int = 0  # disclosures that could not be recorded


@dataclass(frozen=True, slots=True)
class Ticket:
    """When a question was asked: by the clock, and by number among the revocations."""

    sent: float
    number: int


class PermitCache:
    """Permits by the question that they answer."""

    def __init__(self, silence: float = SILENCE_S, most: int = MOST) -> None:
        if not 0 < silence <= SILENCE_S:
            raise ValueError(f"silence is more than 0 and at most {SILENCE_S} seconds")
        self.counters = Counters()
        self.token = ""  # the highest that was seen anywhere: every question is sent with it
        self.position = ""  # up to where Watch was heard; empty: it begins from now
        self._silence = silence
        self._most = most
        self._lock = threading.Lock()
        self._trusted = float("-inf")
        self._entries: dict[Ask, tuple[float, Verdict, tuple[str, ...]]] = {}
        self._watched: dict[str, set[Ask]] = {}
        self._rulebook = ""
        self._number = 0  # of the last revocation
        self._asking = 0  # questions on their way
        self._revoked: dict[str | Ask, int] = {}  # only while there are any
        self._floor = 0  # of this revocation and those before it is no longer known what they say
        self._parts: set[str] = set()  # named by messages whose last is still to come
        self._told: dict[str, str] = {}  # by which token a name was last revoked
        self._since = ""  # from this token on all that was revoked is in it

    def lookup(self, key: Ask) -> Verdict | None:
        """The answer to a question if a permit for it holds now."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        moment = now()
        if moment < entry[0]:
            if moment < self._trusted:
                self.counters.hits += 1
                return entry[1]
            self.counters.silent += 1
        return None

    def stands(self, permit: Permit) -> bool:
        """Whether a permit, whoever asked for it, is known not to be revoked."""
        with self._lock:
            return (
                now() < self._trusted
                and bool(self._since)
                and permit.rulebook == self._rulebook
                and self._parts.isdisjoint(permit.watch)
                and permit.token >= max(self._since, *(self._told.get(n, "") for n in permit.watch))
            )

    # --- questions -----------------------------------------------------------------------------

    @contextlib.contextmanager
    def asking(self) -> Iterator[Ticket]:
        """Stands around a question and what is done with its answer."""
        with self._lock:
            self._asking += 1
            self.counters.asked += 1
            ticket = Ticket(now(), self._number)
        try:
            yield ticket
        finally:
            with self._lock:
                self._asking -= 1
                if not self._asking:
                    self._revoked.clear()

    def saw(self, token: str) -> None:
        """Notes a token; of two tokens of a region the greater text is the newer."""
        with self._lock:
            self.token = max(self.token, token)

    def permitted(self, key: Ask, ticket: Ticket, permit: Permit, verdict: Verdict) -> bool:
        """Keeps a permit; False when it was overtaken, so that the question is asked again."""
        with self._lock:
            names: tuple[str | Ask, ...] = (key, *permit.watch)
            latest = max(self._floor, *(self._revoked.get(name, 0) for name in names))
            if latest > ticket.number:
                self.counters.overtaken += 1
                return False
            if permit.rulebook == self._rulebook:
                self._keep(key, ticket, permit, verdict)
            return True

    def refused(self, key: Ask) -> None:
        """Notes that a question was answered with no."""
        with self._lock:
            self._drop(key)
            self._revoke(key)

    # --- Watch ---------------------------------------------------------------------------------

    def heard(self, message: WatchResponse, opened: float) -> None:
        """Applies what Watch said on a stream that was opened at a time of this clock."""
        with self._lock:
            if not self.position or message.rulebook_digest != self._rulebook:
                self._clear()
                self._rulebook = message.rulebook_digest
            self._since = self._since or message.token
            self._parts.update(revocation.key for revocation in message.revocations)
            for name in self._parts:
                self._revoke(name)
                for key in tuple(self._watched.get(name, ())):
                    self.counters.revoked += 1
                    self._drop(key)
            self.position = message.token
            self.token = max(self.token, message.token)
            if message.HasField("confirmed"):  # all up to the token has been told
                self._tell(message.token)
                confirmed = opened + message.confirmed.ToMicroseconds() / 1e6
                self._trusted = max(self._trusted, confirmed + self._silence)

    def begin_anew(self, *, tokens: bool = False) -> None:
        """Forgets all permits: what was revoked meanwhile is not to be had; and ``tokens`` too."""
        with self._lock:
            self._clear()
            self.position = ""
            if tokens:
                self.token = ""

    # --- under the lock ------------------------------------------------------------------------

    def _keep(self, key: Ask, ticket: Ticket, permit: Permit, verdict: Verdict) -> None:
        self._drop(key)
        if len(self._entries) >= self._most:
            self._drop(next(iter(self._entries)))
        life = min(permit.expires - permit.issued, MAX_LIFE_S)
        self._entries[key] = (ticket.sent + life, verdict, permit.watch)
        for name in permit.watch:
            self._watched.setdefault(name, set()).add(key)

    def _drop(self, key: Ask) -> None:
        entry = self._entries.pop(key, None)
        for name in entry[2] if entry else ():
            keys = self._watched[name]
            keys.discard(key)
            if not keys:
                del self._watched[name]

    def _revoke(self, name: str | Ask) -> None:
        self._number += 1
        if self._asking:
            self._revoked[name] = self._number
            if len(self._revoked) > self._most:
                self._revoked.clear()
                self._floor = self._number

    def _tell(self, token: str) -> None:
        self._told.update(dict.fromkeys(self._parts, token))
        self._parts.clear()
        if len(self._told) > self._most:
            self._told.clear()
            self._since = token

    def _clear(self) -> None:
        self._parts.clear()
        self._told.clear()
        self._since = ""
        self.counters.revoked += len(self._entries)
        self._entries.clear()
        self._watched.clear()
        self._number += 1
        self._floor = self._number
