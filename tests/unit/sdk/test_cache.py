"""What ends a permit in memory, each by itself; `test_cache_races.py` plays them together."""

from __future__ import annotations

import pytest
from accord.sharing.v1.decision_pb2 import Question
from accord.sharing.v1.watch_service_pb2 import Revocation, WatchResponse
from accord_client import cache
from accord_client.cache import Ask, PermitCache, Verdict
from accord_client.permit import Permit
from google.protobuf.duration_pb2 import Duration

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
    person: str = "a",
    recipient: str = "dhl",
    rulebook: str = "r",
    life: int = 300,
    token: str = "nl-1",  # noqa: S107  a place in a list, no secret
) -> Permit:
    watch = (recipient, person)
    return Permit("d", person, "", "", "", "", (), "", (), "", rulebook, token, watch, 0, life)


def message(
    *keys: str,
    token: str = "nl-1",  # noqa: S107  a place in a list, no secret
    confirmed: float | None = 0.0,
    rulebook: str = "r",
) -> WatchResponse:
    after = None if confirmed is None else Duration()
    if after and confirmed:
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


def test_what_is_named_in_parts_is_revoked_again_with_the_last_of_them(clock: Time) -> None:
    permits = PermitCache()
    permits.heard(message(), clock.now)
    permits.heard(message("a", confirmed=None), clock.now)
    assert kept(permits)  # asked with the token of before, of who did not know yet
    permits.heard(message("b", token="nl-2"), clock.now)
    assert permits.lookup(ask()) is None
    assert kept(permits)  # asked with the token of now
    permits.heard(message(token="nl-3"), clock.now)
    assert permits.lookup(ask()) is YES


def test_a_part_prolongs_no_trust(clock: Time) -> None:
    permits = PermitCache()
    permits.heard(message(), clock.now)
    assert kept(permits)
    clock.now += 1.5
    permits.heard(message("b", confirmed=None), clock.now)  # what follows may name it
    assert permits.lookup(ask()) is None


def test_a_permit_that_was_shown_stands_only_if_all_since_was_heard(clock: Time) -> None:
    permits = PermitCache(most=2)
    assert not permits.stands(permit())
    permits.heard(message(token="nl-3"), clock.now)
    assert not permits.stands(permit(token="nl-2"))  # revoked perhaps before the stream began
    assert permits.stands(permit(token="nl-3"))
    permits.heard(message("a", token="nl-5"), clock.now)
    assert not permits.stands(permit(token="nl-4"))
    assert permits.stands(permit("b", token="nl-4"))
    assert permits.stands(permit(token="nl-5"))
    assert not permits.stands(permit(token="nl-5", rulebook="s"))
    permits.heard(message("a", token="nl-5", confirmed=None), clock.now)
    assert not permits.stands(permit(token="nl-5"))  # by what is yet to be said
    permits.heard(message(token="nl-6"), clock.now)
    assert not permits.stands(permit(token="nl-5"))
    assert permits.stands(permit(token="nl-6"))
    permits.heard(message("c", "d", token="nl-7"), clock.now)  # more than is remembered
    assert not permits.stands(permit("b", token="nl-6"))
    assert permits.stands(permit("b", token="nl-7"))
    clock.now += 1.0
    assert not permits.stands(permit("b", token="nl-7"))  # nobody said anything for a second
    permits.heard(message(token="nl-7"), clock.now)
    assert permits.stands(permit("b", token="nl-7"))
    permits.begin_anew()
    assert not permits.stands(permit("b", token="nl-7"))


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
