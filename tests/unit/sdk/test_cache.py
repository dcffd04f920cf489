"""What memory answers is what sharing would, however messages overtake each other."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest
from accord.sharing.v1.decision_pb2 import Question
from accord.sharing.v1.watch_service_pb2 import Revocation, WatchResponse
from accord_client import cache
from accord_client.cache import Ask, PermitCache, Ticket, Verdict
from accord_client.permit import Permit
from google.protobuf.duration_pb2 import Duration
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

YES = Verdict(permitted=True, decision="decisions/1", categories=("contact.name",))


class Time:
    """A clock that is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Time:
    time = Time()
    monkeypatch.setattr(cache, "now", time)
    return time


def ask(person: str = "a", recipient: str = "dhl") -> Ask:
    return Ask(Question(account=person, recipient=recipient))


def permit(
    person: str = "a", recipient: str = "dhl", rulebook: str = "r", life: int = 300
) -> Permit:
    watch = (recipient, person)
    return Permit("d", person, "", "", "", "", (), "", (), "", rulebook, "t", watch, 0, life)


def message(
    *keys: str,
    token: str = "nl-1",  # noqa: S107  a place in a list, no secret
    confirmed: float = 0.0,
    rulebook: str = "r",
) -> WatchResponse:
    after = Duration()
    after.FromMicroseconds(round(confirmed * 1e6))
    return WatchResponse(
        revocations=[Revocation(key=key) for key in keys],
        token=token,
        confirmed=after,
        rulebook_digest=rulebook,
    )


def kept(permits: PermitCache, person: str = "a", **more: object) -> bool:
    """Ask, be permitted, and tell whether it is answered from memory now."""
    with permits.asking() as ticket:
        assert permits.permitted(ask(person), ticket, permit(person, **more), YES)  # type: ignore[arg-type]  # by name
    return permits.lookup(ask(person)) is YES


def test_a_permit_is_answered_from_memory_until_it_expires(clock: Time) -> None:
    permits = PermitCache()
    permits.heard(message(), clock.now)
    assert kept(permits)
    assert permits.lookup(ask("b")) is None
    clock.now += 299.9
    permits.heard(message(), clock.now)
    assert permits.lookup(ask()) is YES
    clock.now += 0.1
    permits.heard(message(), clock.now)
    assert permits.lookup(ask()) is None


def test_life_counts_from_when_it_was_asked_for_and_is_bounded(clock: Time) -> None:
    permits = PermitCache()
    permits.heard(message(), clock.now)
    with permits.asking() as ticket:
        clock.now += 2.0  # the answer travels
        permits.permitted(ask(), ticket, permit(life=100_000), YES)
    clock.now += 298.0
    permits.heard(message(), clock.now)
    assert permits.lookup(ask()) is None


def test_silence_ends_trust_and_the_next_word_restores_it(clock: Time) -> None:
    permits = PermitCache(silence=0.5)
    permits.heard(message(), clock.now)
    assert kept(permits)
    clock.now += 0.5
    assert permits.lookup(ask()) is None
    assert permits.counters.silent == 1
    permits.heard(message(token="nl-2"), clock.now)
    assert permits.lookup(ask()) is YES


def test_trust_counts_from_when_the_records_were_confirmed_not_from_arrival(clock: Time) -> None:
    permits = PermitCache()
    opened = clock.now
    clock.now += 10.0
    permits.heard(message(confirmed=9.5), opened)
    assert kept(permits)
    clock.now += 0.5  # 1 s after what the server said of its own clock
    assert permits.lookup(ask()) is None
    permits.heard(message(confirmed=9.4), opened)  # delayed for long: nothing new
    assert permits.lookup(ask()) is None


def test_nothing_is_honoured_before_watch_was_heard(clock: Time) -> None:
    permits = PermitCache()
    assert not kept(permits)
    permits.heard(message(), clock.now)
    assert permits.lookup(ask()) is None  # what was revoked before the stream began is not known
    assert kept(permits)


def test_silence_is_set_down_and_never_up() -> None:
    for silence in (0, -1, 1.01):
        with pytest.raises(ValueError, match="at most 1"):
            PermitCache(silence)


@pytest.mark.parametrize("key", ["a", "dhl"])
def test_what_is_revoked_is_dropped_and_nothing_else(clock: Time, key: str) -> None:
    permits = PermitCache()
    permits.heard(message(), clock.now)
    assert kept(permits)
    assert kept(permits, "b", recipient="post")
    permits.heard(message(key), clock.now)
    assert permits.lookup(ask()) is None
    assert permits.lookup(ask("b")) is YES
    assert permits.counters.revoked == 1


def test_a_revocation_that_overtakes_a_permit_wins(clock: Time) -> None:
    permits = PermitCache()
    permits.heard(message(), clock.now)
    with permits.asking() as ticket:
        permits.heard(message("a"), clock.now)
        assert not permits.permitted(ask(), ticket, permit(), YES)
        assert permits.permitted(ask("b"), ticket, permit("b"), YES)
    assert permits.lookup(ask()) is None
    assert permits.lookup(ask("b")) is YES
    assert kept(permits)  # asked for afterwards, it knows


def test_a_refusal_is_not_turned_back_by_a_permit_that_was_asked_for_before(clock: Time) -> None:
    permits = PermitCache()
    permits.heard(message(), clock.now)
    assert kept(permits)
    with permits.asking() as ticket:
        with permits.asking():
            permits.refused(ask())
        assert permits.lookup(ask()) is None
        assert not permits.permitted(ask(), ticket, permit(), YES)


def test_other_rules_end_all_permits(clock: Time) -> None:
    permits = PermitCache()
    permits.heard(message(), clock.now)
    assert kept(permits)
    permits.heard(message(rulebook="s"), clock.now)
    assert permits.lookup(ask()) is None
    assert not kept(permits)  # from a process that still has the rules of before
    assert kept(permits, rulebook="s")


def test_a_gap_in_watch_ends_all_permits_also_those_on_their_way(clock: Time) -> None:
    permits = PermitCache()
    permits.saw("nl-9")
    permits.heard(message(), clock.now)
    with permits.asking() as ticket:
        assert kept(permits, "b")
        permits.begin_anew()
        assert kept(permits, "c")
        permits.heard(message(), clock.now)
        assert permits.lookup(ask("c")) is None  # perhaps revoked before the stream began
        assert not permits.permitted(ask(), ticket, permit(), YES)
    assert permits.lookup(ask()) is None
    assert permits.lookup(ask("b")) is None
    assert permits.token == "nl-9"
    permits.begin_anew(tokens=True)
    assert permits.token == permits.position == ""


def test_the_highest_token_is_kept(clock: Time) -> None:
    permits = PermitCache()
    permits.saw("nl-3")
    permits.saw("nl-2")
    permits.heard(message(token="nl-1"), clock.now)
    assert (permits.token, permits.position) == ("nl-3", "nl-1")


def test_it_is_bounded_and_forgets_the_oldest(clock: Time) -> None:
    permits = PermitCache(most=2)
    permits.heard(message(), clock.now)
    assert all(kept(permits, person) for person in ("a", "b", "c"))
    found = [permits.lookup(ask(person)) for person in ("a", "b", "c")]
    assert found == [None, YES, YES]
    assert not permits._watched.keys() - {"dhl", "b", "c"}


def test_revocations_are_remembered_only_as_long_as_they_can_matter(clock: Time) -> None:
    permits = PermitCache(most=10)
    permits.heard(message(), clock.now)
    with permits.asking() as ticket:
        for number in range(100):
            permits.heard(message(f"person-{number}"), clock.now)
        assert len(permits._revoked) <= 10
        assert not permits.permitted(ask(), ticket, permit(), YES)  # who knows: it is asked again
    assert not permits._revoked
    assert kept(permits)


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
        if told:
            self.tell_and_hear()

    @rule(key=KEYS)
    def give(self, key: str) -> None:
        self.denied.pop(key, None)
        self.changes.append(key)

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
    @rule(key=KEYS, seconds=st.sampled_from([0.3, 0.6, 0.9]))
    def withdraw_behind_a_message_that_is_late(self, key: str, seconds: float) -> None:
        assert self.stream
        self.tell()
        self.withdraw(key, told=False)
        self.time.now += seconds
        while self.stream.waiting:
            self.permits.heard(self.stream.waiting.pop(0), self.stream.opened)

    def tell(self) -> None:
        assert self.stream
        news, self.told = self.changes[self.told :], len(self.changes)
        confirmed = self.time.now - self.stream.opened
        token = f"{self.told:09}"
        self.stream.waiting.append(message(*news, token=token, confirmed=confirmed))

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
