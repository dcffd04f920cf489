"""A log whose key changes: its parts under the old key and the new one are one log."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from accord.audit.v1.append_service_pb2 import NewEntry

from services.audit.cases.record import Record
from services.audit.cases.record_keys import RecordKeys
from services.audit.domain.checkpoint import Checkpoint
from services.audit.domain.log_keys import KnownLog
from services.audit.store.log_keys import retire_log_keys, rotate_log_key
from services.audit.store.note_key import NoteVerifier
from services.audit.store.own_events import StoredOwnEvents
from tests.contract.audit.log import ORIGIN, Log, event, running, said

if TYPE_CHECKING:
    from pathlib import Path


async def told(log: Log) -> list[NewEntry]:
    """Returns what audit has recorded of itself."""
    return await said(log.key_database, log.directory)


def fields(entry: NewEntry) -> dict[str, str]:
    return {field.name: field.value for field in entry.fields}


async def test_old_parts_stay_verifiable_and_each_change_is_on_record(
    database_url: str, tmp_path: Path
) -> None:
    log = Log.create(database_url, tmp_path)
    path, number = tmp_path / "log.key", 1
    seen: list[Checkpoint] = []

    async def some() -> Checkpoint:
        """Appends under the keys of now, as a process that starts, and checks everything."""
        nonlocal number, log
        await RecordKeys(
            log.store, log.signer, Record(StoredOwnEvents(log.key_database, log.keys)), log.clock
        ).open()
        async with AsyncExitStack() as stack:
            here = await stack.enter_async_context(running(log))
            here.seen += seen
            newest = (await here.append(number, [event(number), event(number + 1)])).checkpoint
            number += 2
            assert await here.check() == newest.size
        seen.append(newest)
        log = Log.at(database_url, tmp_path)
        return newest

    old = log.signer.key
    await some()
    await some()
    assert await told(log) == []
    rotate_log_key(path, ORIGIN)
    log = await reopened(log, database_url, tmp_path)
    new = log.signer.key
    both = await some()
    for key in (old, new):
        assert Checkpoint.read(both.note, KnownLog(ORIGIN, (NoteVerifier(key),))) == both
    await some()
    (change,) = await told(log)
    assert change.resource == f"keys/{new.key_id.hex()}"
    assert fields(change) == {"newest": str(new), "sign": f"{new} {old}"}
    retire_log_keys(path, ORIGIN)
    log = await reopened(log, database_url, tmp_path)
    alone = await some()
    assert alone.note.count("— ") == 1
    assert fields((await told(log))[1]) == {"newest": str(new), "sign": str(new), "ended": str(old)}
    assert [Checkpoint.read(each.note, log.signer) for each in seen] == seen
    await log.close()


async def reopened(log: Log, url: str, directory: Path) -> Log:
    """Starts again with the key files of now."""
    await log.close()
    return Log.at(url, directory)
