"""How keys end: with a person, after a restore, with their month, and when something is lost."""

from __future__ import annotations

import asyncio
import errno
import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from accord.audit.v1 import erasure_pb2
from accord.audit.v1.entry_pb2 import READABILITY_FULL, READABILITY_NONE
from sqlalchemy import select

from runtime.call import Way
from runtime.clock import SystemClock
from runtime.db import Database
from runtime.fault import Fault
from services.audit.api.envelope import LogEntryEnvelope
from services.audit.cases.destroy_kek import KekInUseError
from services.audit.cases.erase_person import Acting, ErasePerson
from services.audit.domain.erasure import Ground
from services.audit.domain.erasure_ports import KeyRecords, Once
from services.audit.domain.faults import LogDamagedError
from services.audit.domain.sealing import ORGANISATION
from services.audit.main import destroy_kek, rewrap
from services.audit.store.erasures import StoredErasures
from services.audit.store.key_encryption import create_key
from services.audit.store.log import StoredLog
from services.audit.store.own_events import StoredOwnEvents
from services.audit.store.tables import outbox
from tests.contract.audit.erasing import MONTH, NEXT, OTHER, Office, back_up, fill, restore
from tests.contract.audit.log import PERSON, event, said

T = TypeVar("T")


async def test_invariant_8_what_comes_after_an_erasure_begins_anew(office: Office) -> None:
    """Who comes back, or is still named by a service, is another party to the log than before."""
    async with office.open() as audit:
        await fill(audit)
        async with office.keys() as (_, stored):
            before = (await stored.find([PERSON]))[PERSON].pseudonym
            await audit.erase(PERSON)
            assert await stored.of([before]) == {}
            await audit.append(event(7, fields={"number": "late"}))
            anew = (await stored.find([PERSON]))[PERSON].pseudonym
        # The late event alone is found and read; of what was before nothing is, nor tied to it.
        assert anew != before
        late = await audit.entries(PERSON)
        assert [entry.fields[0].value for entry in late] == ["late"]
        assert before not in late[0].leaf
        assert [entry.readability for entry in (await audit.entries())[:1]] == [READABILITY_NONE]
        # It is for whoever deletes the person to ask once more, until there is nobody to erase.
        await audit.erase(PERSON)
        assert not await audit.entries(PERSON)
        with pytest.raises(Fault, match="NOT_FOUND"):
            await audit.erase(PERSON)


async def test_invariant_8_what_audit_has_yet_to_say_is_noise_once_its_month_is_destroyed(
    office: Office,
) -> None:
    async with office.keys() as (database, keys):
        await keys.ensure([ORGANISATION])
        read = event(1, action="audit:log:read", account=PERSON, actor=PERSON)
        await StoredOwnEvents(database, keys).add([read])
        (kept,) = await database.read(lambda tx: tx.execute(select(outbox.c.event)).scalars().all())
        assert PERSON.encode() not in kept
        create_key(office.settings.kek_directory, NEXT)
        with pytest.raises(KekInUseError, match="2 rows are wrapped"):
            await destroy_kek(office.settings, MONTH)
        assert [count async for count in rewrap(office.settings)] == [2]
        await destroy_kek(office.settings, MONTH)
        # It is said all the same; of what an old page or backup has of it nothing can be read.
        told = await said(database, office.settings.kek_directory)
        assert [entry.account for entry in told] == [PERSON, ""]
        ring = await database.read(keys.rings.at)
        with pytest.raises(Fault, match="UNAVAILABLE"):
            ring.unseal(kept)
        with pytest.raises(LogDamagedError, match="touched"):
            ring.unseal(NEXT.encode() + kept[len(NEXT) :])


async def test_invariant_8_a_restored_backup_is_erased_again_before_anyone_reads(
    office: Office,
) -> None:
    async with office.open() as audit:
        await fill(audit)
        backup = back_up(office.settings)
        await audit.erase(PERSON)
    restore(office.settings, backup)
    async with office.keys() as (_, stored):
        assert await stored.find([PERSON])  # the very danger
    async with office.open(appended=3) as audit:
        assert not await audit.entries(PERSON)
        assert (await audit.entries())[0].readability == READABILITY_NONE
        # What audit says of itself goes on, although the backup knew an older number.
        await audit.place(OTHER)
        await audit.append(event(9))
        sequences = [entry.sequence for entry in await audit.entries(producer="audit")]
        assert sequences == sorted(set(sequences))
        erased = await audit.erase(PERSON)  # under the new keys of what came since
        assert (await audit.show(erased.name)).HasField("proof")


async def test_a_lost_key_database_is_begun_anew(office: Office) -> None:
    async with office.open() as audit:
        await fill(audit)
        empty = {**back_up(office.settings), "party_keys": (), "keks": (), "outbox_relay": ()}
        await audit.erase(PERSON)
    restore(office.settings, {**empty, "outbox": (), "requests": (), "erasures": (), "holds": ()})
    async with office.open(appended=3) as audit:
        assert {entry.readability for entry in await audit.entries()} == {READABILITY_NONE}
        await audit.append(event(9))
        assert (await audit.show((await audit.erase(PERSON)).name)).HasField("proof")


async def test_who_goes_away_leaves_no_destroyed_key_behind(office: Office) -> None:
    committed, scrubbed = asyncio.Event(), asyncio.Event()

    class Slow(StoredErasures):
        """Is left by its caller as soon as it has committed."""

        async def write(self, unit: Callable[[KeyRecords], T]) -> T:
            made = await super().write(unit)
            committed.set()
            await asyncio.sleep(0)
            return made

        async def scrub(self) -> None:
            await super().scrub()
            scrubbed.set()

    async with office.open() as audit:
        await fill(audit)
        async with office.keys() as (database, keys):
            log = Database(office.settings.database)
            stored = StoredLog(log, LogEntryEnvelope(), SystemClock())
            erase = ErasePerson(Slow(database, keys), stored, SystemClock())
            request = Once("test", str(uuid.uuid4()), "")
            by = Acting("spiffe://nl.accord.internal/svc/account", Way())
            task = asyncio.create_task(erase.at_once(request, OTHER, Ground.WITHDRAWAL, by))
            await committed.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            async with asyncio.timeout(10):
                await scrubbed.wait()
            assert not await keys.find([OTHER])
            await log.close()


def _read_only(path: Path, _target: Path) -> None:
    """Rename a file as a mount does that is read-only."""
    raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))


async def test_a_months_key_is_destroyed_only_when_nothing_needs_it(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with office.open() as audit:
        await fill(audit)
        erased = await audit.erase(PERSON)
        with pytest.raises(KekInUseError, match="keygen"):
            await destroy_kek(office.settings, MONTH)
        create_key(tmp_path / "kek", NEXT)
        with pytest.raises(KekInUseError, match="no row was ever wrapped"):
            await destroy_kek(office.settings, "2026-01")
        await audit.append(event(9))  # wraps nothing new: everyone has keys
        (moved,) = [count async for count in rewrap(office.settings)]
        assert moved > 2
        assert [count async for count in rewrap(office.settings)] == []
        await audit.append(event(10, account="accounts/nl-gggggggggggggggggggggggggg"))
        kek = tmp_path / "kek" / f"{MONTH}.kek"
        copy = kek.read_bytes()
        with monkeypatch.context() as mount:
            mount.setattr(Path, "rename", _read_only)
            with pytest.raises(OSError, match=kek.name):
                await destroy_kek(office.settings, MONTH)
        assert (await audit.show(erased.name)).erasure.state == erasure_pb2.ERASURE_STATE_ERASED
        async with office.keys() as (database, stored):
            assert list((await database.read(stored.rings.at)).keks) == [NEXT]  # nobody uses it
        assert "audit:key:destroy" not in [e.action for e in await audit.entries(producer="audit")]
        await destroy_kek(office.settings, MONTH)
        await destroy_kek(office.settings, MONTH)  # again, as after a stop
        assert not kek.exists()
        kek.write_bytes(copy)  # it comes back, from a backup of the machine
        kek.chmod(0o600)
        assert (await audit.show(erased.name)).erasure.state == erasure_pb2.ERASURE_STATE_COMPLETE
        assert (await audit.entries(OTHER))[0].readability == READABILITY_FULL
    async with office.keys() as (database, stored):
        ring = await database.read(stored.rings.at)
        assert list(ring.keks) == [NEXT]
