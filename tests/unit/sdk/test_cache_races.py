"""What memory answers is what sharing would, however messages overtake each other."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from accord_client import cache
from accord_client.cache import PermitCache, Ticket
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.unit.sdk.test_cache import YES, Time, ask, message, permit

if TYPE_CHECKING:
    from accord.sharing.v1.watch_service_pb2 import WatchResponse

PEOPLE = st.sampled_from("ab")
RECIPIENTS = st.sampled_from(["dhl", "post"])
KEYS = st.sampled_from(["a", "b", "dhl"])


@dataclass
class Flight:
    """A question whose answer has left sharing and has not arrived."""

    person: str
    recipient: str
    ticket: Ticket
    stack: ExitStack
    permitted: bool


@dataclass
class Stream:
    """What sharing has sent on a stream and the client has not taken."""

    opened: float
    waiting: list[WatchResponse] = field(default_factory=list)


class CacheMachine(RuleBasedStateMachine):
    """Sharing as it is, a network that delays everything, and one client."""

    def __init__(self) -> None:
        super().__init__()
        self.time = Time()
        self.clock = pytest.MonkeyPatch()
        self.clock.setattr(cache, "now", self.time)
        self.permits = PermitCache()
        self.denied: dict[str, float] = {}  # person or recipient: since when nothing is permitted
        self.changes: list[str] = []
        self.histories: list[set[str]] = [set()]  # what was denied after so many changes
        self.flights: list[Flight] = []
        self.stream: Stream | None = None
        self.told = 0  # changes that the stream was sent
        self.connect()

    def teardown(self) -> None:
        self.clock.undo()

    def answer(self, person: str, recipient: str) -> bool:
        return person not in self.denied and recipient not in self.denied

    @rule(key=KEYS, told=st.booleans())
    def withdraw(self, key: str, told: bool) -> None:
        self.denied.setdefault(key, self.time.now)
        self.changes.append(key)
        self.histories.append({*self.denied})
        if told:
            self.tell_and_hear()

    @rule(key=KEYS)
    def give(self, key: str) -> None:
        self.denied.pop(key, None)
        self.changes.append(key)
        self.histories.append({*self.denied})

    @rule(person=PEOPLE, recipient=RECIPIENTS, delayed=st.booleans())
    def question(self, person: str, recipient: str, delayed: bool) -> None:
        stack = ExitStack()
        ticket = stack.enter_context(self.permits.asking())
        permitted = self.answer(person, recipient)
        self.flights.append(Flight(person, recipient, ticket, stack, permitted))
        if not delayed:
            self.arrive(first=False)

    @precondition(lambda self: self.flights)
    @rule(first=st.booleans())
    def arrive(self, first: bool) -> None:
        flight = self.flights.pop(0 if first else -1)
        key = ask(flight.person, flight.recipient)
        with flight.stack:
            if not flight.permitted:
                self.permits.refused(key)
            elif not self.permits.permitted(
                key, flight.ticket, permit(flight.person, flight.recipient), YES
            ):
                assert self.permits.lookup(key) is None

    @rule()
    def tell_and_hear(self) -> None:
        """Sharing says what changed, confirmed now by its clock; all of it arrives."""
        if self.stream is None:
            return
        self.tell()
        while self.stream.waiting:
            self.permits.heard(self.stream.waiting.pop(0), self.stream.opened)

    @precondition(lambda self: self.stream)
    @rule(person=PEOPLE, recipient=RECIPIENTS, told=st.integers(1, 3))
    def ask_a_replica_that_is_behind_while_news_come_in_parts(
        self, person: str, recipient: str, told: int
    ) -> None:
        """It knows what the token that the question is sent with says, and nothing newer."""
        assert self.stream
        self.tell(parts=True)
        for _ in range(min(told, len(self.stream.waiting))):
            self.permits.heard(self.stream.waiting.pop(0), self.stream.opened)
        stack = ExitStack()
        with stack:
            ticket = stack.enter_context(self.permits.asking())
            known = int(self.permits.token)
            if self.permitted_at(known, person, recipient):
                shown = permit(person, recipient)
                self.permits.permitted(ask(person, recipient), ticket, shown, YES)
        while self.stream.waiting:
            self.permits.heard(self.stream.waiting.pop(0), self.stream.opened)

    def permitted_at(self, known: int, person: str, recipient: str) -> bool:
        return not {person, recipient} & self.histories[known]

    @precondition(lambda self: self.stream)
    @rule(key=KEYS, seconds=st.sampled_from([0.3, 0.6, 0.9]))
    def withdraw_behind_a_message_that_is_late(self, key: str, seconds: float) -> None:
        assert self.stream
        self.tell()
        self.withdraw(key, told=False)
        self.time.now += seconds
        while self.stream.waiting:
            self.permits.heard(self.stream.waiting.pop(0), self.stream.opened)

    def tell(self, *, parts: bool = False) -> None:
        assert self.stream
        before = self.told
        news, self.told = self.changes[self.told :], len(self.changes)
        confirmed = self.time.now - self.stream.opened
        for part in news[:-1] if parts else ():
            waiting = message(part, token=f"{before:09}", confirmed=None)
            self.stream.waiting.append(waiting)
        rest = news[-1:] if parts else news
        token = f"{self.told:09}"
        self.stream.waiting.append(message(*rest, token=token, confirmed=confirmed))

    @rule(expired=st.booleans())
    def lose_the_stream(self, expired: bool) -> None:
        self.stream = None
        if expired:
            self.permits.begin_anew()

    @rule()
    def connect(self) -> None:
        self.stream = Stream(self.time.now)
        position = self.permits.position
        self.told = int(position) if position else len(self.changes)
        self.tell_and_hear()

    @rule(seconds=st.sampled_from([0.05, 0.3, 0.6, 150.0]))
    def wait(self, seconds: float) -> None:
        self.time.now += seconds

    @invariant()
    def what_is_answered_from_memory_was_true_within_the_last_second(self) -> None:
        for person in "ab":
            for recipient in ("dhl", "post"):
                if self.permits.lookup(ask(person, recipient)) is None:
                    continue
                since = [self.denied[key] for key in (person, recipient) if key in self.denied]
                assert all(self.time.now - moment < 1.0 for moment in since)

    @invariant()
    def what_was_shown_stands_only_if_it_held_within_the_last_second(self) -> None:
        for known, denied in enumerate(self.histories):
            for person in "ab":
                shown = permit(person, token=f"{known:09}")
                if not {person, "dhl"} & denied and self.permits.stands(shown):
                    since = [self.denied[key] for key in (person, "dhl") if key in self.denied]
                    assert all(self.time.now - moment < 1.0 for moment in since)

    @invariant()
    def what_was_heard_to_be_revoked_is_not_answered(self) -> None:
        heard = int(self.permits.position or 0)
        for person in "ab":
            for recipient in ("dhl", "post"):
                if self.permits.lookup(ask(person, recipient)) is None:
                    continue
                keys = {person, recipient}
                last = max((n for n, key in enumerate(self.changes, 1) if key in keys), default=0)
                assert last > heard or not keys & self.denied.keys()


CacheMachine.TestCase.settings = settings(max_examples=300, stateful_step_count=40)
TestCache = CacheMachine.TestCase
