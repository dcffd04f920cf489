"""Appending: exactly once, durable, covered, and one history whatever fails on the way."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from itertools import count
from pathlib import Path

import pytest
from accord_client.fsck import check_log
from accord_client.note import VerifierKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from runtime.event import Event
from runtime.fault import Fault
from services.audit.cases import waiting
from services.audit.cases.prove_consistency import ProveConsistency
from services.audit.cases.prove_inclusion import ProveInclusion
from services.audit.domain.faults import LogDamagedError, StaleWriterError
from services.audit.domain.merkle import EMPTY_ROOT, HASH_SIZE
from services.audit.domain.ports import Growth
from services.audit.domain.tiles import TILE_WIDTH
from services.audit.store.tables import tiles
from tests.contract.audit.failing import FailingLog
from tests.contract.audit.log import ORIGIN, Log, batch, event, run_writer, running


async def test_a_new_log_says_signed_that_it_is_empty(log: Log) -> None:
    checkpoint = await log.tree.newest_checkpoint()
    assert (checkpoint.origin, checkpoint.size, checkpoint.root) == (ORIGIN, 0, EMPTY_ROOT)


async def test_invariant_3_every_acknowledged_entry_is_durable_covered_and_there_once(
    log: Log,
) -> None:
    """Many producers' requests at once, some repeated meanwhile: each entry stands once."""

    async def produce(producer: str, base: int) -> None:
        for first in range(1, 41, 10):
            events = [event(base + n) for n in range(first, first + 10)]
            twice = await asyncio.gather(
                log.append(first, events, producer), log.append(first, events, producer)
            )
            assert twice[0].receipts == twice[1].receipts
            for appended in twice:
                assert all(r.index < appended.checkpoint.size for r in appended.receipts)

    await asyncio.gather(*(produce(f"p{n}", n * 1000) for n in range(5)))
    assert await log.check() == 200
    for producer in range(5):
        stored = await log.store.by_sequence(f"p{producer}", range(1, 41))
        assert len(stored) == 40
        ordered = sorted(stored, key=lambda entry: entry.index)
        assert [entry.sealed.sequence for entry in ordered] == list(range(1, 41))


async def test_waiting_requests_share_one_commit(log: Log) -> None:
    await asyncio.gather(*(log.append(1, [event(n)], f"p{n}") for n in range(30)))
    assert await log.check() == 30
    assert len({checkpoint.size for checkpoint in log.seen}) < 30


async def test_tiles_fill_and_prove_across_their_borders(log: Log) -> None:
    for first in range(1, 601, 100):
        await log.append(first, [event(n) for n in range(first, first + 100)])
    assert await log.check(every=7) == 600


async def test_a_repetition_gets_its_first_receipt(log: Log) -> None:
    first = await log.append(1, [event(1), event(2)])
    mixed = await log.append(2, [event(2), event(3)])
    assert mixed.receipts[0] == first.receipts[1]
    assert mixed.receipts[1].index == 2
    alone = await log.append(1, [event(1), event(2), event(3)])
    assert [receipt.index for receipt in alone.receipts] == [0, 1, 2]
    assert await log.check() == 3


async def test_other_content_under_a_known_number_is_refused(log: Log) -> None:
    await log.append(1, [event(1)])
    for other in (event(1, fields={"number": "2"}), event(1, resource="x"), event(9)):
        with pytest.raises(Fault, match="SEQUENCE_REUSED") as refusal:
            await log.append(1, [other])
        assert refusal.value.metadata == {"sequence": "1"}
    assert await log.check() == 1


async def test_of_two_contents_under_one_number_at_once_the_first_stands(log: Log) -> None:
    first, second = await asyncio.gather(
        log.append(1, [event(1)]), log.append(1, [event(2)]), return_exceptions=True
    )
    assert not isinstance(first, BaseException)
    assert isinstance(second, Fault)
    assert second.reason == "SEQUENCE_REUSED"
    assert await log.check() == 1


async def test_a_gap_is_refused_by_the_number_expected(log: Log) -> None:
    await log.append(1, [event(1)])
    with pytest.raises(Fault, match="SEQUENCE_GAP") as refusal:
        await log.append(3, [event(3)])
    assert refusal.value.metadata == {"expected": "2"}
    with pytest.raises(Fault, match="SEQUENCE_GAP") as refusal:
        await log.append(7, [event(7)], "sharing")
    assert refusal.value.metadata == {"expected": "1"}
    assert await log.check() == 1


async def test_an_event_stands_in_the_log_under_one_number(log: Log) -> None:
    await log.append(1, [event(1)])
    for producer, first, events in (
        ("account", 2, [event(1)]),
        ("sharing", 1, [event(1)]),
        ("account", 2, [event(5), event(5)]),
    ):
        with pytest.raises(Fault, match="EVENT_ID_REUSED"):
            await log.append(first, events, producer)
    assert await log.check() == 1


async def test_an_entry_beyond_the_format_is_refused_with_its_whole_request(log: Log) -> None:
    large = event(2, fields={"text": "x" * 65_535})
    with pytest.raises(Fault, match="ENTRY_TOO_LARGE") as refusal:
        await log.append(1, [event(1), large])
    assert refusal.value.metadata == {"sequence": "2"}
    assert await log.check() == 0
    await log.append(1, [event(1, fields={"text": "x" * 65_000})])
    assert await log.check() == 1


async def test_one_refused_request_takes_nothing_from_the_others_of_its_group(log: Log) -> None:
    outcomes = await asyncio.gather(
        log.append(1, [event(1)]),
        log.append(5, [event(5)], "sharing"),
        log.append(2, [event(2)]),
        return_exceptions=True,
    )
    assert isinstance(outcomes[1], Fault)
    assert await log.check() == 2


async def test_a_full_queue_is_refused_with_a_delay(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "_MAX_WAITING", 10)
    outcomes = await asyncio.gather(
        *(log.append(1, [event(n)], f"p{n}") for n in range(20)), return_exceptions=True
    )
    refused = [outcome for outcome in outcomes if isinstance(outcome, Fault)]
    assert len(refused) == 10
    assert all(r.reason == "OVERLOADED" and r.retry_after for r in refused)
    assert await log.check() == 10


async def test_a_queue_full_of_large_entries_is_refused_as_well(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "_MAX_WEIGHT", 100_000)
    text = {"text": "x" * 30_000}
    outcomes = await asyncio.gather(
        *(log.append(1, [event(n, fields=text)], f"p{n}") for n in range(5)),
        return_exceptions=True,
    )
    refused = [outcome for outcome in outcomes if isinstance(outcome, Fault)]
    assert [fault.reason for fault in refused] == ["OVERLOADED"] * 2
    assert await log.check() == 3
    # What was committed weighs no more; and alone a request is taken, whatever its weight.
    await asyncio.gather(*(log.append(2, [event(10 + n, fields=text)], f"p{n}") for n in range(3)))
    await log.append(3, [event(n, fields=text) for n in range(20, 25)], "p0")
    assert await log.check() == 11


async def test_a_caller_that_leaves_harms_no_one(log: Log) -> None:
    leaving = asyncio.create_task(log.append(1, [event(1)]))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    await log.append(1, [event(1)])
    assert await log.check() == 1


async def test_invariant_3_a_restarted_log_goes_on_from_what_it_signed(
    database_url: str, tmp_path: Path
) -> None:
    seen = []
    async with running(Log.create(database_url, tmp_path)) as log:
        for first in range(1, 301, 50):
            await log.append(first, [event(n) for n in range(first, first + 50)])
        seen = log.seen
    async with running(Log.at(database_url, tmp_path)) as log:
        log.seen = seen
        again = await log.append(300, [event(300), event(301)])
        assert [receipt.index for receipt in again.receipts] == [299, 300]
        assert await log.check() == 301


@pytest.mark.parametrize("when", ["before", "after"])
async def test_invariant_3_a_commit_that_failed_or_not_is_found_out_before_the_next(
    log: Log, when: str
) -> None:
    store = FailingLog(log)
    log.writer = log.writer_on(store)
    async with run_writer(log.writer):
        await log.append(1, [event(1)])
        store.when = when
        with pytest.raises(Fault, match="UNAVAILABLE"):
            await log.append(2, [event(2)])
        again = await log.append(2, [event(2), event(3)])
        assert [receipt.index for receipt in again.receipts] == [1, 2]
    assert await log.check() == 3


async def test_invariant_3_two_writers_never_sign_two_histories(log: Log) -> None:
    """The slower one is refused, looks again, and goes on behind the other."""
    other = log.writer_on(log.store)
    await other.open()
    async with run_writer(other):
        await log.append(1, [event(1)])
        with pytest.raises(Fault, match="UNAVAILABLE"):
            await other.append(batch(1, [event(2)], "sharing"))
        appended = await other.append(batch(1, [event(2)], "sharing"))
        assert appended.receipts[0].index == 1
        log.seen.append(appended.checkpoint)
    with pytest.raises(StaleWriterError):
        await log.store.grow(Growth(0, (), (), EMPTY_ROOT), log.signer)
    assert await log.check() == 2


STEPS = st.tuples(
    st.sampled_from(["account", "sharing"]),
    st.sampled_from(["new", "repeat", "gap", "other", "fail before", "fail after", "restart"]),
    st.integers(1, 130),
)


@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(st.lists(STEPS, max_size=12))
def test_invariant_3_any_history_of_appends_failures_and_restarts_is_one_log(
    steps: list[tuple[str, str, int]],
) -> None:
    """Whatever comes in whatever order: what was acknowledged is there, in order, provably."""
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(_live_through(steps, Path(directory)))


async def _live_through(steps: list[tuple[str, str, int]], directory: Path) -> None:
    url = f"sqlite:///{directory / 'log.db'}"
    kept: dict[str, list[Event]] = {"account": [], "sharing": []}
    numbers = count(1)
    log = Log.create(url, directory)
    seen = log.seen
    store, running_log = await _begin(log)
    for producer, what, amount in steps:
        mine = kept[producer]
        fresh = [event(next(numbers)) for _ in range(amount)]
        if what == "restart":
            await running_log.aclose()
            log = Log.at(url, directory)
            log.seen = seen
            store, running_log = await _begin(log)
        elif what == "gap":
            with pytest.raises(Fault, match="SEQUENCE_GAP"):
                await log.append(len(mine) + 2, fresh, producer)
        elif what == "repeat" and mine:
            first = max(0, len(mine) - amount)
            again = await log.append(first + 1, mine[first:], producer)
            assert [receipt.sequence for receipt in again.receipts] == [
                *range(first + 1, len(mine) + 1)
            ]
        elif what == "other" and mine:
            with pytest.raises(Fault, match="SEQUENCE_REUSED"):
                await log.append(len(mine), fresh[:1], producer)
        else:
            if what.startswith("fail"):
                store.when = what.removeprefix("fail ")
                with pytest.raises(Fault, match="UNAVAILABLE"):
                    await log.append(len(mine) + 1, fresh, producer)
            await log.append(len(mine) + 1, fresh, producer)
            mine += fresh
    assert await log.check(every=37) == sum(len(events) for events in kept.values())
    for producer, events in kept.items():
        stored = await log.store.by_sequence(producer, range(1, len(events) + 1))
        ordered = sorted(stored, key=lambda entry: entry.index)
        assert [e.sealed.event_id for e in ordered] == [e.event_id for e in events]
    await running_log.aclose()


async def _begin(log: Log) -> tuple[FailingLog, contextlib.AsyncExitStack]:
    """Starts a log's writer on a store that can be told to fail."""
    store = FailingLog(log)
    log.writer = log.writer_on(store)
    stack = contextlib.AsyncExitStack()
    await stack.enter_async_context(running(log))
    return store, stack


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ("UPDATE entries SET leaf_hash = leaf WHERE log_index = 2", "do not hash to the root"),
        ("DELETE FROM entries WHERE log_index = 2", "2 entries are stored|level 0"),
        ("DELETE FROM checkpoints", "3 entries are stored, and no checkpoint"),
        ("UPDATE checkpoints SET note = 'x' WHERE size = 3", "cannot be trusted"),
        ("DELETE FROM checkpoints WHERE size = 3", "newest checkpoint is of 0"),
    ],
)
async def test_a_damaged_log_is_refused_with_the_reason(log: Log, damage: str, reason: str) -> None:
    await log.append(1, [event(1), event(2), event(3)])
    await log.database.write(_unguard)
    await log.database.write(lambda tx: tx.execute(text(damage)))
    with pytest.raises(LogDamagedError, match=reason):
        await log.writer_on(log.store).open()


async def test_a_changed_tile_gives_no_proof(log: Log) -> None:
    await log.append(1, [event(n) for n in range(1, 301)])
    await log.database.write(_unguard)
    await log.database.write(
        lambda tx: tx.execute(tiles.update().values(hashes=bytes(TILE_WIDTH * HASH_SIZE)))
    )
    with pytest.raises(LogDamagedError, match="entry 7: no path"):
        await ProveInclusion(log.tree).of(await log.entries.by_index(7))
    with pytest.raises(LogDamagedError, match="sizes 5 and 300 do not agree"):
        await ProveConsistency(log.tree).between(5, None)


async def test_changed_bytes_stop_the_log_instead_of_being_served(log: Log) -> None:
    await log.append(1, [event(1)])
    await log.database.write(_unguard)
    await log.database.write(
        lambda tx: tx.execute(text("UPDATE entries SET leaf = leaf_hash WHERE log_index = 0"))
    )
    with pytest.raises(LogDamagedError, match="entry 0"):
        await log.entries.by_index(0)
    with pytest.raises(Fault, match="UNAVAILABLE"):
        await log.append(1, [event(1)])
    with pytest.raises(Fault, match="UNAVAILABLE"):
        await log.append(2, [event(2)])


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_bit_that_flips_on_its_way_to_the_disk_is_never_signed(log: Log) -> None:
    await log.append(1, [event(1)])
    await log.database.write(_unguard)
    await log.database.write(
        lambda tx: tx.execute(
            text(
                "CREATE TRIGGER flip AFTER INSERT ON entries BEGIN"
                " UPDATE entries SET leaf = leaf_hash WHERE log_index = NEW.log_index; END"
            )
        )
    )
    with pytest.raises(Fault, match="UNAVAILABLE"):
        await log.append(2, [event(2)])
    assert await log.check() == 1
    with pytest.raises(Fault, match="UNAVAILABLE"):  # and the writer has stopped for good
        await log.append(2, [event(2)])


async def test_a_stranger_verifies_the_whole_file(tmp_path: Path) -> None:
    """The verifier of the SDK shares no code with the log that it checks."""
    url = f"sqlite:///{tmp_path / 'log.db'}"
    async with running(Log.create(url, tmp_path)) as log:
        for first in range(1, 601, 60):
            await log.append(first, [event(n) for n in range(first, first + 60)])
        keys = [VerifierKey.parse(str(log.signer.key))]
    report = await asyncio.to_thread(check_log, tmp_path / "log.db", keys)
    assert (report.entries, report.covered, report.findings) == (600, 600, [])


def _unguard(tx: Connection) -> None:
    """What only the owner of the tables can do."""
    if tx.dialect.name == "postgresql":
        for table in ("entries", "tiles", "checkpoints"):
            tx.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER ALL"))
        return
    names = tx.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars()
    for name in names.all():
        tx.execute(text(f"DROP TRIGGER {name}"))
