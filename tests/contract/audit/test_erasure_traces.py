"""What is left of an erased person anywhere: nothing that says who they were or what they did."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import pytest
from accord.audit.v1 import erasure_pb2, read_service_pb2
from accord.audit.v1.entry_pb2 import READABILITY_FULL, READABILITY_NONE, READABILITY_PARTIAL
from accord_client.checkpoint import ProofFile
from accord_client.note import VerifierKey, parse_keys
from accord_client.verify import pack_proof, verify_proof
from sqlalchemy import create_engine, select, text

from runtime.call import Way
from runtime.clock import SystemClock
from runtime.db import Database
from runtime.event import Section
from runtime.process import NotReadyError
from runtime.telemetry import Telemetry
from services.audit.api.envelope import LogEntryEnvelope
from services.audit.cases.destroy_kek import KekInUseError
from services.audit.cases.erase_person import Acting, ErasePerson
from services.audit.domain.erasure import Ground
from services.audit.domain.erasure_ports import KeyRecords, Once
from services.audit.main import destroy_kek, rewrap
from services.audit.store.erasures import StoredErasures
from services.audit.store.key_encryption import create_key
from services.audit.store.log import StoredLog
from services.audit.store.note_key import vkey_path
from services.audit.store.tables import party_keys
from tests.contract.audit.erasing import MONTH, Office, Service, back_up, restore
from tests.contract.audit.log import PERSON, event
from tests.unit.runtime.test_telemetry import collecting

OTHER = "accounts/nl-ffffffffffffffffffffffffff"
NEXT = "2026-07"
# What is known of the person, in every place where an event may say something.
CANARIES = ("lien@example.org", "+31-6-1234-5678", "orders/lien-4711", "Liên Nguyễn")
T = TypeVar("T")
WHO = ("accounts/nl-0123456789abcdefghjkmnpqrs",)


async def fill(audit: Service) -> None:
    """What the person did, what was done to them, alone and among others; and another's."""
    email, phone, order, name = CANARIES
    await audit.append(
        event(1, fields={"email": email, "name": name}, resource=order),
        event(2, account=OTHER, actor=OTHER, fields={"email": "bob@example.org"}),
        event(3, account=OTHER, actor=PERSON),
        event(
            4,
            action="sharing:decision:batch",
            account="",
            actor="",
            sections=(Section(PERSON, {"phone": phone}), Section(OTHER, {"phone": "+32-2"})),
        ),
    )


async def prove(audit: Service, index: int) -> ProofFile:
    answer = await audit.read(read_service_pb2.ProveInclusionRequest(index=index, purpose="test"))
    assert isinstance(answer, read_service_pb2.ProveInclusionResponse)
    return pack_proof(answer)


async def exported(audit: Service) -> bytes:
    """All entries with their openings and proofs, as they are taken away in a bundle."""
    request = read_service_pb2.ProveEntriesRequest(purpose="test", export=True, page_size=200)
    return (await audit.read(request)).SerializeToString()


def everything(office: Office) -> dict[str, bytes]:
    """Every file of the service, and every row of both databases."""
    found = {
        str(path.relative_to(office.directory)): path.read_bytes()
        for path in office.directory.rglob("*")
        if path.is_file()
    }
    for url in (office.settings.database, office.settings.key_database):
        engine = create_engine(url)
        try:
            with engine.connect() as tx:
                for table in _tables(url):
                    rows = tx.execute(text(f"SELECT * FROM {table}")).all()  # noqa: S608  our own names
                    raw = [bytes(v) if isinstance(v, memoryview) else v for r in rows for v in r]
                    plain = [v if isinstance(v, bytes) else str(v).encode() for v in raw]
                    found[f"{table} of {url.rpartition('/')[2]}"] = b"\0".join(plain)
        finally:
            engine.dispose()
    return found


def _tables(url: str) -> Sequence[str]:
    engine = create_engine(url)
    try:
        with engine.connect() as tx:
            if tx.dialect.name == "sqlite":
                query = "SELECT name FROM sqlite_master WHERE type = 'table'"
            else:
                query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            return tx.execute(text(query)).scalars().all()
    finally:
        engine.dispose()


def where(needles: Sequence[str | bytes], haystacks: dict[str, bytes]) -> list[tuple[str, str]]:
    """Which of the needles are found in which of the haystacks, in the spellings that occur."""
    hits = []
    for needle in needles:
        plain = needle if isinstance(needle, bytes) else needle.encode()
        spellings = {plain, plain.hex().encode()}
        if isinstance(needle, str):
            spellings |= {json.dumps(needle).strip('"').encode(), needle.encode("utf-16-le")}
        for name, content in haystacks.items():
            if any(spelling in content for spelling in spellings):
                hits.append((str(needle), name))
    return hits


async def test_invariant_8_nothing_of_an_erased_person_is_left_anywhere(
    office: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = parse_keys(vkey_path(office.settings.log_key_file).read_text())
    async with collecting() as (collector, endpoint):
        office.bench.traces = Telemetry("audit", "nl", endpoint)
        await _erase_and_look(office, keys)
        await asyncio.to_thread(office.bench.traces.close)
    logged = "".join(capsys.readouterr())
    assert "sequencing" in logged
    spans = collector.traces.SerializeToString()
    assert b"accord.audit.v1.ErasureService/ConfirmErasure" in spans
    assert where((*CANARIES, *WHO), {"logs": logged.encode(), "traces": spans}) == []


async def _erase_and_look(office: Office, keys: Sequence[VerifierKey]) -> None:
    async with office.open() as audit:
        await fill(audit)
        before = [await prove(audit, index) for index in range(4)]
        async with office.keys() as (database, stored):
            (person,) = (await stored.find([PERSON])).values()
            row = await database.read(
                lambda tx: tx.execute(
                    select(party_keys).where(party_keys.c.pseudonym == person.pseudonym)
                ).one()
            )
        assert where(CANARIES, {"export": await exported(audit)}) != []
        backup = back_up(office.settings)
        erased = await audit.erase(PERSON)

        # No reader reads them, no search finds them; the others stay.
        entries = (await audit.entries())[:4]
        assert [entry.readability for entry in entries] == [
            READABILITY_NONE,
            READABILITY_FULL,
            READABILITY_PARTIAL,
            READABILITY_PARTIAL,
        ]
        assert not await audit.entries(PERSON)
        assert entries[3].sections[1].fields[0].value == "+32-2"
        assert where((*CANARIES, *WHO), {"export": await exported(audit)}) == []

        # What was taken away before is proved as before, and what is taken away now as well.
        for index in range(4):
            for proof in (before[index], await prove(audit, index)):
                assert verify_proof(proof, keys).index == index
        consistency = read_service_pb2.ProveConsistencyRequest(from_size=4)
        assert isinstance(await audit.read(consistency), read_service_pb2.ProveConsistencyResponse)

        # Nor do the files hold the keys: neither in a freed page nor in a write-ahead log.
        found = everything(office)
        assert any(name.startswith("tiles/tile/entries/") for name in found)
        assert where((*CANARIES, *WHO, row.wrapped, row.lookup), found) == []
        of_erasures = {n: rows for n, rows in found.items() if n.startswith("erasures of ")}
        assert where((row.pseudonym,), of_erasures) != []  # whose that was, nothing says

        # The backup has the row, until the key that wrapped it is gone.
        create_key(office.settings.kek_directory, NEXT)
        assert [count async for count in rewrap(office.settings)]
        await destroy_kek(office.settings, MONTH)
        complete = (await audit.show(erased.name)).erasure
        assert complete.state == erasure_pb2.ERASURE_STATE_COMPLETE
        assert (await audit.entries(OTHER))[0].fields[0].value == "bob@example.org"

    restore(office.settings, backup)
    assert where((row.wrapped,), everything(office)) != []
    with pytest.raises(NotReadyError, match=f"wrapped under {MONTH}"):
        async with office.open():
            pass
    async with office.keys() as (_, stored):
        assert await stored.find([PERSON]) == {}
        assert await stored.of([person.pseudonym]) == {}
    assert where((*CANARIES, *WHO), everything(office)) == []


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
