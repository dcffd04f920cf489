"""Rows stay until the log has published them, and go again to a log that lost what it had not."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from runtime import acknowledged
from runtime import relay as relay_module
from runtime.relay import EventsLostError
from tests.contract.runtime.relaying import scene


async def test_a_row_stays_until_the_log_has_published_it(
    database_url: str, tmp_path: Path
) -> None:
    async with scene(database_url, tmp_path) as s:
        s.log.cover_up_to = 0
        await s.say("a", "b")
        assert await s.relay.deliver() == 2
        await s.say("c")
        s.log.cover_up_to = 2
        assert await s.relay.deliver() == 1
        assert await s.left() == 1
        assert [len(request.entries) for request in s.log.requests] == [2, 1]  # nothing sent twice
        s.log.cover_up_to = None
        await s.say("d")
        assert await s.relay.deliver() == 1
        assert await s.left() == 0
        assert s.told() == ["a", "b", "c", "d"]


async def test_what_is_published_is_asked_for_when_nothing_new_is_said(
    database_url: str, tmp_path: Path
) -> None:
    async with scene(database_url, tmp_path) as s:
        s.log.cover_up_to = 0
        await s.say("a", "b")
        running = asyncio.create_task(s.relay.run())
        async with asyncio.timeout(20):
            while len(s.log.requests) < 2:  # the second one is the question
                await s.log.asked.wait()
                s.log.asked.clear()
            s.log.cover_up_to = None
            while await s.left():
                s.db.committed.clear()
                await s.db.committed.wait()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert s.told() == ["a", "b"]
        assert [entry.resource for entry in s.log.requests[1].entries] == ["b"]


async def test_a_log_that_was_rebuilt_gets_what_it_had_not_published(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of it: some removed, some acknowledged, some new; and again in the midst."""
    monkeypatch.setattr(relay_module, "_REQUEST", 2)
    async with scene(database_url, tmp_path) as s:
        s.log.cover_up_to = 3
        await s.say(*"abcdefg")
        await s.deliver_until(s.relay, "abcdefg")
        assert await s.left() == 5  # a request whose end is not published stays whole
        s.log.rebuild(3)
        await s.say("h")
        assert await s.relay.deliver() == 0  # refused: the log expects number 4
        await s.deliver_until(s.relay, "abcdefgh")
        s.log.rebuild(5)
        restarted = s.another_relay()
        s.bench.clock.advance(timedelta(seconds=3))
        await s.deliver_until(restarted, "abcdefgh")
        s.log.cover_up_to = None
        await s.say("i")
        await s.deliver_until(restarted, "abcdefghi")
        assert await s.left() == 0
        assert s.told() == [*"abcdefghi"]
        assert [entry.sequence for entry in s.log.entries] == list(range(1, 10))


async def test_a_restarted_relay_repeats_what_is_not_published_and_it_stands_once(
    database_url: str, tmp_path: Path
) -> None:
    async with scene(database_url, tmp_path) as s:
        s.log.cover_up_to = 0
        await s.say("a", "b")
        await s.relay.deliver()
        s.bench.clock.advance(timedelta(seconds=3))
        restarted = s.another_relay()
        assert await restarted.deliver() == 2
        s.log.cover_up_to = None
        await s.say("c")
        assert await restarted.deliver() == 1
        assert await s.left() == 0
        assert s.told() == ["a", "b", "c"]


async def test_a_loss_is_said_and_nothing_goes_on_until_the_log_has_it_again(
    database_url: str, tmp_path: Path
) -> None:
    async with scene(database_url, tmp_path) as s:
        await s.say("a", "b", "c")
        assert await s.relay.deliver() == 3
        lost = s.log.entries[1:]
        s.log.rebuild(1)
        await s.say("d")
        for relay in (s.relay, s.relay, s.another_relay()):
            with pytest.raises(EventsLostError, match=r"expects number 2; .* number 3"):
                await relay.deliver()
            s.bench.clock.advance(timedelta(seconds=3))
        assert await s.left() == 1
        assert s.told() == ["a"]
        s.log.entries += lost
        assert await s.relay.deliver() == 1
        assert s.told() == ["a", "b", "c", "d"]


async def test_memory_of_what_is_not_published_is_bounded(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acknowledged, "_STRETCHES", 4)
    async with scene(database_url, tmp_path) as s:
        s.log.cover_up_to = 0
        names = [f"n{number}" for number in range(12)]
        for name in names:
            await s.say(name)
            assert await s.relay.deliver() == 1
        s.log.rebuild(0)
        await s.say("last")
        assert await s.relay.deliver() == 0
        s.log.cover_up_to = None
        assert await s.relay.deliver() == 13
        assert await s.left() == 0
        assert s.told() == [*names, "last"]
