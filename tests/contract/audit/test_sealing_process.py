"""Sealing beside the service: the same leaves, and no harm when the other process is not there."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pickle
import select
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from accord.audit.v1.append_service_pb2 import AppendRequest, NewEntry

from runtime.db import Database
from runtime.event import Event
from runtime.fault import Fault
from runtime.migrations import migrate
from runtime.outbox import encode
from runtime.testing import NOON
from services.audit import main
from services.audit.api.convert import submissions
from services.audit.api.envelope import LogEntryEnvelope
from services.audit.cases.seal_batches import SealBatches
from services.audit.domain.entry import Leaf, StoredEntry
from services.audit.domain.merkle import leaf_hash
from services.audit.domain.ports import Job
from services.audit.domain.sealing import open_entry
from services.audit.peers import sealing_process
from services.audit.peers.sealing_process import SealingProcess, Told, _Other
from services.audit.store import KEY_MIGRATIONS
from services.audit.store.key_encryption import create_key
from services.audit.store.party_keys import StoredKeys
from services.audit.store.sequencer_lock import sequencer_lock
from services.audit.store.tables import party_keys
from tests.contract.audit.log import ORIGIN, PERSON

LARGE = 500  # entries: 64 KiB and more
_PATIENCE_S = 30.0


def job(first: int, count: int, *, skipped: int = 0, producer: str = "account") -> Job:
    """What is to be sealed of a batch of plain events."""
    entries = []
    for number in range(first, first + count):
        event = Event(
            "account:link:add", "success", NOON, PERSON, PERSON, fields={"number": str(number)}
        )
        entry = NewEntry.FromString(encode(event))
        entry.sequence = number
        entries.append(entry)
    wire = AppendRequest(entries=entries).SerializeToString()
    return Job(producer, wire, skipped, count - skipped)


class Here(SealBatches):
    """What seals in this process, and counts how often."""

    calls = 0

    async def __call__(self, jobs: Sequence[Job]) -> list[list[Leaf] | Fault]:
        self.calls += 1
        return await super().__call__(jobs)


class Sealer:
    """Both of them, and the keys that they share."""

    def __init__(self, url: str, directory: Path) -> None:
        create_key(directory, "2026-06")
        migrate(url, KEY_MIGRATIONS)
        self.database = Database(url)
        self.keys = StoredKeys(self.database, directory)
        self.here = Here(ORIGIN, self.keys, LogEntryEnvelope(), submissions)
        self.told = Told("nl", "INFO", ORIGIN, url, str(directory), main.code())
        self.seal = SealingProcess(self.here, self.told)

    async def there(self) -> int:
        """Waits until the other process has sealed a group; returns its id."""
        async with asyncio.timeout(_PATIENCE_S):
            while True:
                before = self.here.calls
                await self.seal([job(1, LARGE)])
                if self.here.calls == before:
                    break
                if starting := self.seal._starting:
                    await asyncio.gather(starting, return_exceptions=True)
        return self.other

    @property
    def other(self) -> int:
        """The id of the other process."""
        other = self.seal._other
        assert other is not None
        return other._process.pid

    async def opened(self, leaf: Leaf) -> Event:
        """What a leaf says to who has the keys."""
        sealed = LogEntryEnvelope().decode(leaf.data)
        stored = StoredEntry(0, leaf.data, leaf_hash(leaf.data), sealed)
        keys = await self.keys.of([section.pseudonym for section in sealed.sections])
        return open_entry(ORIGIN, stored, keys).event


@asynccontextmanager
async def _running(url: str, directory: Path) -> AsyncIterator[Sealer]:
    sealer = Sealer(url, directory)
    try:
        yield sealer
    finally:
        await sealer.seal.close()
        await sealer.database.close()


@pytest.fixture
async def sealer(database_url: str, tmp_path: Path) -> AsyncIterator[Sealer]:
    """A sealer whose other process has not been needed yet."""
    async with _running(database_url, tmp_path) as sealer:
        yield sealer


def _leaves(answer: Sequence[Leaf] | Fault) -> Sequence[Leaf]:
    assert not isinstance(answer, Fault), answer
    return answer


async def test_a_large_group_is_sealed_by_the_other_process_as_it_would_be_here(
    sealer: Sealer,
) -> None:
    await sealer.there()
    jobs = [job(1, LARGE), job(7, 5, skipped=3, producer="account")]
    before = sealer.here.calls
    there = [_leaves(answer) for answer in await sealer.seal(jobs)]
    assert sealer.here.calls == before
    here = [_leaves(answer) for answer in await sealer.here(jobs)]
    assert [len(leaves) for leaves in there] == [LARGE, 2]
    for mine, others in zip(here, there, strict=True):
        for one, other in zip(mine, others, strict=True):
            assert other._replace(data=b"", hash=b"") == one._replace(data=b"", hash=b"")
            assert other.hash == leaf_hash(other.data)
    assert (await sealer.opened(there[1][0])).fields == {"number": "10"}
    assert there[0][0].sequence == 1


async def test_a_malformed_batch_is_refused_alone_by_its_field(sealer: Sealer) -> None:
    await sealer.there()
    stranger = job(1, LARGE, producer="sharing")
    answers = await sealer.seal([stranger, job(1, LARGE)])
    refusal = answers[0]
    assert isinstance(refusal, Fault)
    assert refusal.violations == (("entries[0].event", "must be an event of sharing itself"),)
    assert len(_leaves(answers[1])) == LARGE


async def test_a_few_entries_are_sealed_here_and_start_nothing(sealer: Sealer) -> None:
    await sealer.seal([job(1, 20), job(21, 20)])
    assert sealer.here.calls == 1
    assert sealer.seal._starting is None


async def test_when_the_other_process_dies_the_group_is_sealed_here_and_another_is_started(
    sealer: Sealer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing_process, "_PAUSE_S", 0.0)
    first = await sealer.there()
    os.kill(first, signal.SIGKILL)
    (answer,) = await sealer.seal([job(1, LARGE)])
    assert len(_leaves(answer)) == LARGE
    assert await sealer.there() != first


async def test_a_group_that_nobody_waits_for_any_more_leaves_no_answer_behind(
    sealer: Sealer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing_process, "_PAUSE_S", 0.0)
    first = await sealer.there()
    os.kill(first, signal.SIGSTOP)
    asked = asyncio.create_task(sealer.seal([job(1, LARGE)]))
    for _ in range(5):
        await asyncio.sleep(0)
    asked.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asked
    assert asked.cancelled()
    with contextlib.suppress(ProcessLookupError):
        os.kill(first, signal.SIGCONT)
    assert len(_leaves((await sealer.seal([job(1, LARGE + 1)]))[0])) == LARGE + 1
    assert await sealer.there() != first


async def test_invariant_8_keys_that_were_destroyed_are_not_used_by_the_other_process(
    sealer: Sealer,
) -> None:
    await sealer.there()
    before = _leaves((await sealer.seal([job(1, LARGE)]))[0])
    await sealer.database.write(lambda tx: tx.execute(party_keys.delete()))
    calls = sealer.here.calls
    after = _leaves((await sealer.seal([job(1, LARGE)]))[0])
    assert sealer.here.calls == calls
    decode = LogEntryEnvelope().decode
    of_before, of_after = (decode(leaves[0].data).account_pseudonym for leaves in (before, after))
    assert of_before != of_after
    assert (await sealer.opened(before[0])).fields == {}


async def test_what_runs_other_code_seals_nothing(sealer: Sealer) -> None:
    """After an upgrade in place the service that still runs signs none of the new one's entries."""
    seal = SealingProcess(sealer.here, replace(sealer.told, code="another"))
    await seal([job(1, LARGE)])
    starting = seal._starting
    assert starting is not None
    with pytest.raises(RuntimeError, match="other code"):
        await starting
    await seal([job(1, LARGE)])
    assert sealer.here.calls == 2
    await seal.close()


def _held(process: int) -> dict[int, str]:
    """What a process has open, by descriptor."""
    held = {}
    for each in Path(f"/proc/{process}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            held[int(each.name)] = str(each.readlink())
    return held


async def test_of_what_a_service_has_open_the_other_process_has_nothing(
    sealer: Sealer, database_url: str, tmp_path: Path
) -> None:
    """It may outlive a killed service by a moment, and must hold no lock or file of the log."""
    log = tmp_path / "log.db"
    log_database = Database(f"sqlite:///{log}")
    on_file, next_on_file = (sequencer_lock(f"sqlite:///{log}") for _ in range(2))
    in_session = sequencer_lock(database_url)
    assert await on_file.take()
    assert await in_session.take()
    await asyncio.gather(log_database.ping(), sealer.database.ping())
    ours = _held(os.getpid())
    kept = {what for what in ours.values() if what.startswith(("socket:", "pipe:", str(tmp_path)))}
    assert len(kept) > 3
    other = await _Other.start()
    try:
        # Before it was told where the keys are, and has opened them itself.
        theirs = _held(other._process.pid)
        assert theirs.pop(0) not in kept
        assert (theirs.pop(1), theirs.pop(2)) == (ours[1], ours[2])
        assert not kept & set(theirs.values())
        await other.pipe.ask(sealer.told)
        assert not any(str(log) in what for what in _held(other._process.pid).values())
        await on_file.leave()
        assert await next_on_file.take()
    finally:
        await other.end()
        await asyncio.gather(*(lock.leave() for lock in (on_file, next_on_file, in_session)))
        await log_database.close()


async def test_who_is_killed_leaves_no_process_behind(sealer: Sealer) -> None:
    """A service with a process that seals is killed: that one sees its socket close, and ends."""
    script = (
        "import asyncio, pickle, sys\n"
        "from services.audit.peers.sealing_process import _Other\n"
        "async def main():\n"
        "    other = await _Other.start()\n"
        "    await other.pipe.ask(pickle.loads(bytes.fromhex(sys.argv[1])))\n"
        "    print(other._process.pid, flush=True)\n"
        "    await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    command = [sys.executable, "-c", script, pickle.dumps(sealer.told).hex()]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as service:  # noqa: ASYNC220, S603  our own
        assert service.stdout is not None
        other = int(await asyncio.to_thread(service.stdout.readline))
        ended = os.pidfd_open(other)
        service.kill()
        readable, _, _ = await asyncio.to_thread(select.select, [ended], [], [], _PATIENCE_S)
    os.close(ended)
    assert readable


async def test_the_other_process_ends_with_who_started_it(sealer: Sealer) -> None:
    """Killed, a service says nothing: its end of the socket is closed, and that is all."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        command = [sys.executable, "-m", "services.audit", "seal"]
        process = subprocess.Popen(command, stdin=theirs.fileno())  # noqa: ASYNC220, S603  our own
    assert await asyncio.to_thread(process.wait, _PATIENCE_S) == 0
    assert sealer.here.calls == 0
