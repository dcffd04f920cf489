"""Puts together what an operator runs when something was lost: rebuild, backup, restore."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from runtime.clock import Clock
from runtime.db import Database
from runtime.event import Event
from runtime.migrations import is_current
from runtime.process import NotReadyError
from services.audit.api.envelope import LogEntryEnvelope
from services.audit.cases.copy_log import CopyLog
from services.audit.cases.published_log import PublishedLog
from services.audit.cases.rebuild import Rebuild
from services.audit.cases.record import Record
from services.audit.cases.replay import Replay
from services.audit.domain.checkpoint import Checkpoint
from services.audit.domain.faults import LogDamagedError
from services.audit.domain.log_keys import KnownLog, LogKeys
from services.audit.domain.note import COSIGNATURE, MalformedNoteError, VerifierKey
from services.audit.domain.ports import Report
from services.audit.settings import AuditSettings, witness_name
from services.audit.store import KEY_MIGRATIONS, LOG_MIGRATIONS
from services.audit.store.erasures import StoredErasures
from services.audit.store.key_backup import KeyBackupError, KeyBackups, holds_keys
from services.audit.store.log import StoredLog
from services.audit.store.log_keys import load_log_keys
from services.audit.store.note_key import NoteKey, NoteVerifier
from services.audit.store.own_events import StoredOwnEvents
from services.audit.store.party_keys import StoredKeys
from services.audit.store.refill import StoredRefill
from services.audit.store.sequencer_lock import FileLock, sequencer_lock
from services.audit.store.tile_directory import TileDirectory

_LOG, _KEYS = "log", "keys"  # in a backup


async def rebuild(settings: AuditSettings, clock: Clock, report: Report) -> Checkpoint:
    """Fill the log's empty database from the tile directory; NotReadyError saying why not."""
    known = _known(settings)
    async with _stopped(settings, clock) as stores:
        tiles = TileDirectory(settings.tile_directory)
        return await _rebuilt(settings, stores, tiles, known, report, source="tiles")


async def back_up(settings: AuditSettings, out: Path, clock: Clock, report: Report) -> Checkpoint:
    """Copy what is published, and the key database's rows, while the service runs or not."""
    known = _known(settings)
    await asyncio.to_thread(out.mkdir, parents=True, exist_ok=True)
    lock = FileLock(out / "lock")
    if not await lock.take():
        raise NotReadyError(f"another backup to {out} is running")
    keys = Database(settings.key_database, statement_s=None)
    try:
        source, target = TileDirectory(settings.tile_directory), TileDirectory(out / _LOG)
        checkpoint = await CopyLog(known, source, target)(report)
        # After the log, so that whatever is in it can be read.
        await KeyBackups(out / _KEYS).take(keys, known, clock.now())
    except LogDamagedError as error:
        raise NotReadyError(str(error)) from error
    finally:
        await keys.close()
        await lock.leave()
    return checkpoint


@dataclass(frozen=True, slots=True)
class Pinned:
    """What an operator knows of the log from elsewhere."""

    keys: Sequence[str]  # vkeys, one a line
    checkpoints: Sequence[str] = ()  # notes that somebody kept

    def known(self, origin: str) -> KnownLog:
        """Return the log that these keys speak for; NotReadyError when they are no such keys."""
        try:
            keys = [VerifierKey.parse(key) for key in self.keys]
        except MalformedNoteError as error:
            raise NotReadyError(f"the pinned key: {error}") from error
        if any(key.name != origin for key in keys):
            raise NotReadyError(f"the pinned key is not one of {origin}")
        return KnownLog(origin, tuple(map(NoteVerifier, keys)))


async def restore(
    settings: AuditSettings, backup: Path, pinned: Pinned, clock: Clock, report: Report
) -> Checkpoint:
    """Put a backup back into empty databases; NotReadyError when nothing may be gone on from there.

    What is there and newer is kept: a tile directory that was published further, of which the
    backup is the beginning, and a key database that is in use.
    """
    known = pinned.known(settings.origin)
    own = _known(settings)
    if not {v.key for v in known.verifiers} <= {v.key for v in own.verifiers}:
        raise NotReadyError("log.key is not the key of the log that is pinned")
    async with _stopped(settings, clock) as stores:
        source, target = TileDirectory(backup / _LOG), TileDirectory(settings.tile_directory)
        if not await _is_ahead(PublishedLog(target, known), PublishedLog(source, known)):
            await _require_newest(PublishedLog(source, known), pinned, known)
            await CopyLog(known, source, target)(lambda _done, _of: None)
        else:
            await _require_newest(PublishedLog(target, known), pinned, known)
        keys = StoredKeys(stores.keys, settings.kek_directory)
        if not await holds_keys(stores.keys):
            await KeyBackups(backup / _KEYS).restore(stores.keys, known, clock.now())
        if closed := await keys.why_closed():
            raise NotReadyError(closed)
        checkpoint = await _rebuilt(settings, stores, target, own, report, source="backup")
        erasures, events = StoredErasures(stores.keys, keys), StoredOwnEvents(stores.keys, keys)
        await Replay(settings.origin, stores.log, keys, erasures, events)()
        await stores.keys.truncate_wal()
        return checkpoint


@dataclass(frozen=True, slots=True)
class _Stores:
    log_database: Database
    log: StoredLog
    keys: Database
    clock: Clock


@asynccontextmanager
async def _stopped(settings: AuditSettings, clock: Clock) -> AsyncIterator[_Stores]:
    """Open both databases while no service appends, nor can begin to."""
    for url, migrations in (
        (settings.database, LOG_MIGRATIONS),
        (settings.key_database, KEY_MIGRATIONS),
    ):
        if not is_current(url, migrations):
            raise NotReadyError(
                "a database is not migrated: run `python -m services.audit migrate`"
            )
    lock = sequencer_lock(settings.database)
    taken = await lock.take()
    log = Database(settings.database, statement_s=None)
    keys = Database(settings.key_database, secure_delete=True, statement_s=None)
    try:
        if not taken:
            raise NotReadyError("the audit service is running on this database: stop it first")
        yield _Stores(log, StoredLog(log, LogEntryEnvelope(), clock), keys, clock)
    except (LogDamagedError, KeyBackupError) as error:
        raise NotReadyError(str(error)) from error
    finally:
        await log.close()
        await keys.close()
        await lock.leave()


async def _rebuilt(
    settings: AuditSettings,
    stores: _Stores,
    tiles: TileDirectory,
    known: KnownLog,
    report: Report,
    *,
    source: str,
) -> Checkpoint:
    refill = StoredRefill(stores.log_database, stores.clock, _witness_key(settings))
    case = Rebuild(PublishedLog(tiles, known), refill, stores.log, LogEntryEnvelope(), known)

    async def record(checkpoint: Checkpoint) -> None:
        event = Event(
            "audit:log:rebuild",
            "ok",
            stores.clock.now(),
            actor=f"spiffe://{settings.trust_domain}/svc/audit",
            fields={"size": str(checkpoint.size), "source": source},
        )
        keys = StoredKeys(stores.keys, settings.kek_directory)
        await Record(StoredOwnEvents(stores.keys, keys))(event)

    return await case(report, before_it_serves=record)


async def _is_ahead(tiles: PublishedLog, backup: PublishedLog) -> bool:
    """Tell whether the tile directory goes on where the backup ends."""
    taken, there = await backup.newest(), await tiles.newest()
    if taken is None:
        raise LogDamagedError("the backup holds no checkpoint")
    if there is None or there.size <= taken.size:
        return False
    await tiles.require(taken, there)
    return True


async def _require_newest(log: PublishedLog, pinned: Pinned, known: KnownLog) -> None:
    """Refuse to go on from less than somebody has seen of the log, or from another history."""
    newest = await log.newest()
    if newest is None:
        raise LogDamagedError("no checkpoint was ever published there")
    for note in pinned.checkpoints:
        try:
            seen = Checkpoint.read(note, known)
        except MalformedNoteError as error:
            raise NotReadyError(f"the checkpoint that was kept: {error}") from error
        if seen.size > newest.size:
            raise NotReadyError(
                f"the backup ends at {newest.size} entries, and a checkpoint of {seen.size} was "
                "published: going on from the backup would sign a second history. Restore a newer "
                "one, or put the tile directory or a mirror of it in its place"
            )
        await log.require(seen, newest)


def _known(settings: AuditSettings) -> LogKeys:
    try:
        return load_log_keys(settings.log_key_file, settings.origin)
    except (OSError, ValueError) as error:
        raise NotReadyError(str(error)) from error


def _witness_key(settings: AuditSettings) -> VerifierKey | None:
    """Return the key with which this region has cosigned, if it has one."""
    path = settings.witness_key_file or settings.log_key_file.with_name("witness.key")
    if not path.exists():
        return None
    try:
        return NoteKey.load(path, witness_name(settings.region), COSIGNATURE).key
    except (OSError, ValueError) as error:
        raise NotReadyError(str(error)) from error
