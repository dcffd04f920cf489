"""Groups: one is sealed on top of another that is still being stored, whatever becomes of that."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from typing import Any

import pytest
from accord.audit.v1.event_pb2 import EVENT_NAME_AUDIT_PRODUCER_GAP
from grpc import StatusCode

from runtime.errors import code_of
from runtime.fault import Fault
from services.audit.api.envelope import LogEntryEnvelope
from services.audit.cases import group
from services.audit.domain.entry import Batch
from services.audit.store.key_ring import StoredPartyKeys
from tests.contract.audit.failing import FailingLog, WatchedKeys
from tests.contract.audit.log import Log, batch, event, run_writer, said


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


async def test_an_event_that_the_log_has_is_refused_alone_wherever_it_comes(log: Log) -> None:
    """The store says so when it is too late for the group, and for the one on top of it."""
    await log.append(1, [event(1)], "sharing")
    store = await _grow_slowly(log)
    async with run_writer(log.writer):
        first = asyncio.create_task(log.append(2, [event(4), event(1)], "sharing"))
        await store.growing.wait()
        second = asyncio.create_task(log.append(1, [event(2), event(3)]))
        await store.looked_up.wait()
        store.go_on.set()
        with pytest.raises(Fault, match="EVENT_ID_REUSED") as refusal:
            await first
        assert refusal.value.metadata == {"sequence": "3"}
        assert [receipt.index for receipt in (await second).receipts] == [1, 2]
        # Alone in its group, and again with what is new.
        for events in ([event(1)], [event(6), event(1)]):
            with pytest.raises(Fault, match="EVENT_ID_REUSED"):
                await log.append(2, events, "sharing")
        assert (await log.append(2, [event(6)], "sharing")).receipts[0].index == 3
    assert await log.check() == 4


async def test_what_is_repeated_is_read_opened_and_compared_beside_the_loop(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relay that starts again repeats a whole group; whoever else calls is served meanwhile."""
    events = [event(n) for n in range(1, 101)]
    first = await log.append(1, events)
    beside: dict[str, set[bool]] = {}
    loop = threading.get_ident()

    def noted(name: str, function: Any) -> Any:
        def call(*given: Any) -> Any:
            beside.setdefault(name, set()).add(threading.get_ident() != loop)
            return function(*given)

        return call

    sent = batch(1, events)
    sent = Batch(sent.producer, 1, len(events), sent.wire, noted("read as sent", sent.read))
    for place, name in (
        (LogEntryEnvelope, "decode"),
        (StoredPartyKeys, "decrypt"),
        (group, "same_content"),
    ):
        monkeypatch.setattr(place, name, noted(name, getattr(place, name)))
    again = await log.writer.append(sent)
    assert again.receipts == first.receipts
    assert beside.keys() == {"read as sent", "decode", "decrypt", "same_content"}
    assert all(each == {True} for each in beside.values()), beside


async def test_a_gap_that_lasts_is_alarmed_and_put_on_record_once(log: Log) -> None:
    async def knock() -> None:
        with pytest.raises(Fault, match="SEQUENCE_GAP") as refusal:
            await log.append(5, [event(5)])
        assert refusal.value.metadata == {"expected": "2"}
        # Whoever was refused is answered first; the note is taken before the next group is stored.
        await log.append(1, [event(1)])

    await log.append(1, [event(1)])
    await knock()
    log.clock.advance(timedelta(seconds=9))
    await knock()
    assert log.alarms == []
    log.clock.advance(timedelta(seconds=2))
    for _ in range(3):
        await knock()
    assert log.alarms == ["entries_missing"]
    (recorded,) = await said(log.key_database, log.directory)
    assert recorded.event == EVENT_NAME_AUDIT_PRODUCER_GAP
    fields = {field.name: field.value for field in recorded.fields}
    assert fields == {"producer": "account", "expected": "2"}


async def test_those_who_come_together_are_committed_together(log: Log) -> None:
    """Forty callers who each wait for one answer at a time need few commits."""

    async def call(caller: int) -> None:
        for number in range(1, 11):
            await log.append(number, [event(caller * 100 + number)], f"p{caller}")

    await asyncio.gather(*(call(caller) for caller in range(40)))
    assert await log.check(every=17) == 400
    assert len({checkpoint.size for checkpoint in log.seen}) <= 40


async def test_few_that_are_heavy_do_not_wait_for_the_group_before(log: Log) -> None:
    """Batches of decisions: sealing one takes as long as sealing hundreds of small entries."""
    store = await _grow_slowly(log)
    together = [asyncio.create_task(log.append(1, [event(n)], f"p{n}")) for n in (1, 2)]
    await asyncio.sleep(0)
    async with run_writer(log.writer):
        await store.growing.wait()
        events = [event(n, fields={"text": f"{n:0>60000}"}) for n in range(3, 13)]
        heavy = asyncio.create_task(log.append(1, events))
        async with asyncio.timeout(10):
            await store.looked_up.wait()
        assert not any(task.done() for task in (*together, heavy))
        store.go_on.set()
        await asyncio.gather(*together, heavy)
    assert await log.check() == 12


@pytest.mark.parametrize("reason", ["SEQUENCE_REUSED", "EVENT_ID_REUSED"])
def test_other_content_already_exists(reason: str) -> None:
    assert code_of(Fault(reason, "other content")) is StatusCode.ALREADY_EXISTS
