"""Groups: one is sealed on top of another that is still being stored, whatever becomes of that."""

from __future__ import annotations

import asyncio

import pytest

from runtime.fault import Fault
from tests.contract.audit.failing import FailingLog, WatchedKeys
from tests.contract.audit.log import Log, event, run_writer


async def _grow_slowly(log: Log) -> FailingLog:
    """Begin a growth that waits to go on."""
    store = FailingLog(log)
    log.writer = log.writer_on(store, WatchedKeys(log, store))
    await log.writer.open()
    store.go_on.clear()
    return store


async def test_invariant_3_a_group_is_sealed_on_top_of_the_one_that_is_being_stored(
    log: Log,
) -> None:
    store = await _grow_slowly(log)
    async with run_writer(log.writer):
        first = asyncio.create_task(log.append(1, [event(n) for n in range(1, 301)]))
        await store.growing.wait()
        following = [
            asyncio.create_task(log.append(n, [event(n), event(n + 1)])) for n in (303, 301, 299)
        ]
        reused = asyncio.create_task(log.append(1, [event(300)], "sharing"))
        other = asyncio.create_task(log.append(300, [event(999)]))
        await store.looked_up.wait()
        assert not any(task.done() for task in (first, *following, reused, other))
        store.go_on.set()
        assert (await first).receipts[-1].index == 299
        indexes = [[r.index for r in (await task).receipts] for task in following]
        assert indexes == [[302, 303], [300, 301], [298, 299]]
        with pytest.raises(Fault, match="EVENT_ID_REUSED"):
            await reused
        with pytest.raises(Fault, match="SEQUENCE_REUSED"):
            await other
    assert await log.check(every=11) == 304


@pytest.mark.parametrize("when", ["before", "after"])
async def test_invariant_3_a_group_is_sealed_anew_when_the_one_below_it_failed(
    log: Log, when: str
) -> None:
    store = await _grow_slowly(log)
    async with run_writer(log.writer):
        first = asyncio.create_task(log.append(1, [event(1)]))
        await store.growing.wait()
        store.when = when
        second = asyncio.create_task(log.append(1, [event(2)], "sharing"))
        third = asyncio.create_task(log.append(1, [event(1), event(3)]))
        await store.looked_up.wait()
        store.go_on.set()
        with pytest.raises(Fault, match="UNAVAILABLE"):
            await first
        await asyncio.gather(second, third)
        again = await log.append(1, [event(1), event(3), event(4)])
        assert len(again.receipts) == 3
    assert await log.check() == 4
