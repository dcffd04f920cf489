"""After a restore the log decides: who is erased, who is held, and what waits for whom."""

from __future__ import annotations

import uuid
from asyncio import timeout
from datetime import timedelta

import pytest
from accord.audit.v1 import erasure_pb2
from accord.audit.v1.entry_pb2 import READABILITY_NONE
from accord.audit.v1.erasure_service_pb2 import CancelErasureRequest
from sqlalchemy import ColumnElement, delete, select

from runtime.event import Event
from runtime.fault import Fault
from runtime.process import NotReadyError
from runtime.testing import NOON
from services.audit.main import destroy_kek, rewrap
from services.audit.store.key_encryption import create_key
from services.audit.store.own_events import StoredOwnEvents
from services.audit.store.tables import keks, outbox, party_keys
from tests.contract.audit.erasing import ANA, BO, MONTH, Office, Service, back_up, restore
from tests.contract.audit.log import PERSON, event

OTHER = "accounts/nl-ffffffffffffffffffffffffff"
THIRD = "accounts/nl-gggggggggggggggggggggggggg"
NEXT, LAST = "2026-07", "2026-08"
LEASE = timedelta(minutes=5)  # of the relay that was stopped; longer than it is


async def test_invariant_8_an_erasure_is_repeated_without_the_organisations_keys(
    office: Office,
) -> None:
    """They were wrapped in an older month than the person's, and that month was destroyed."""
    async with office.open() as audit:
        await audit.place(await _known(audit, OTHER))  # makes the organisation's keys
        create_key(office.settings.kek_directory, NEXT)
    office.bench.clock.advance(LEASE)
    async with office.open(appended=1) as audit:
        await audit.append(event(2, account=PERSON, actor=""))
        backup = back_up(office.settings)
        await audit.erase(PERSON)
        create_key(office.settings.kek_directory, LAST)
        async for _ in rewrap(office.settings):
            pass
        await destroy_kek(office.settings, MONTH)
        await audit.place(await _known(audit, THIRD))  # and what waits is delivered
        await _said(office)
    restore(office.settings, backup)
    office.bench.clock.advance(LEASE)
    with pytest.raises(NotReadyError, match="organisation's own keys") as refused:
        async with office.open():
            pass
    assert "delete" not in str(refused.value)
    async with office.keys() as (database, stored):
        assert await stored.find([PERSON])  # the very danger
        await database.write(lambda tx: tx.execute(delete(party_keys).where(_of(MONTH))))
        await database.write(lambda tx: tx.execute(delete(outbox)))  # under that month too
    async with office.open(appended=3) as audit:
        assert not await audit.entries(PERSON)
        assert (await audit.entries(producer="account"))[1].readability == READABILITY_NONE
    async with office.keys() as (database, stored):
        assert not await stored.find([PERSON])
        gone = select(keks.c.month).where(keks.c.destroyed.is_not(None))
        assert await database.read(lambda tx: tx.execute(gone).scalars().all()) == [MONTH]


async def test_invariant_8_an_erasure_is_repeated_where_there_was_no_organisation_yet(
    office: Office,
) -> None:
    async with office.open() as audit:
        await audit.append(event(1))
        backup = back_up(office.settings)
        await audit.erase(PERSON)
    restore(office.settings, backup)
    office.bench.clock.advance(LEASE)
    async with office.open(appended=1) as audit:
        assert not await audit.entries(PERSON)
        assert (await audit.entries())[0].readability == READABILITY_NONE


async def test_an_erasure_of_nobody_knows_whom_keeps_the_service_from_serving(
    office: Office,
) -> None:
    async with office.open() as audit:
        await audit.append(event(1))
        async with office.keys() as (database, keys):
            own = StoredOwnEvents(database, keys)
            await own.add([Event("audit:person:erase", "ok", NOON, actor="spiffe://x/svc/audit")])
        await audit.place(PERSON)  # and what waits is delivered
        await _said(office)
    with pytest.raises(NotReadyError, match="audit:person:erase does not say of what"):
        async with office.open():
            pass


async def test_holds_and_erasures_are_where_the_log_saw_them(office: Office) -> None:
    async with office.open() as audit:
        for who in (PERSON, OTHER, THIRD):
            await _known(audit, who)
        lifted = await audit.place(OTHER, by=BO)
        cancelled = (await audit.ask(THIRD, by=ANA)).name
        await _said(office)  # the officers have keys: what they ask for bears their names
        backup = back_up(office.settings)
        placed = await audit.place(PERSON)
        await audit.lift(placed, ANA)
        for officer in (ANA, BO):
            await audit.lift(lifted, officer)
        await audit.call(CancelErasureRequest(request_id=str(uuid.uuid4()), name=cancelled))
        again = (await audit.ask(THIRD)).name
        await _said(office)
    restore(office.settings, backup)
    office.bench.clock.advance(LEASE)
    async with office.open(appended=3) as audit:
        with pytest.raises(Fault, match="legal hold"):  # placed after the backup
            await audit.ask(PERSON)
        with pytest.raises(Fault) as alone:  # and who asked to lift it is known
            await audit.lift(placed, ANA)
        assert alone.value.reason == "FOUR_EYES"
        erased = await audit.erase(OTHER)  # the hold of before the backup was lifted
        assert erased.state == erasure_pb2.ERASURE_STATE_ERASED
        with pytest.raises(Fault) as over:
            await audit.confirm(cancelled)
        assert over.value.reason == "WRONG_STATE"
        with pytest.raises(Fault) as asked_alone:
            await audit.confirm(again, ANA)
        assert asked_alone.value.reason == "FOUR_EYES"
        await audit.confirm(again)


async def _known(audit: Service, account: str) -> str:
    """Let somebody have keys."""
    await audit.append(event(0, account=account, actor=""))
    return account


async def _said(office: Office) -> None:
    """Return when the log has published all that audit had to say."""
    async with office.keys() as (database, keys), timeout(20):
        own = StoredOwnEvents(database, keys)
        while (await own.waiting())[1]:
            pass


def _of(month: str) -> ColumnElement[bool]:
    return party_keys.c.kek == month
