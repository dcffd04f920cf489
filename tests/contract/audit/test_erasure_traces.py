"""What is left of an erased person anywhere: nothing that says who they were or what they did."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from accord.audit.v1 import erasure_pb2, read_service_pb2
from accord.audit.v1.entry_pb2 import READABILITY_FULL, READABILITY_NONE, READABILITY_PARTIAL
from accord_client.checkpoint import ProofFile
from accord_client.note import VerifierKey, parse_keys
from accord_client.verify import pack_proof, verify_proof
from sqlalchemy import create_engine, select, text

from runtime.process import NotReadyError
from runtime.telemetry import Telemetry
from sandbox.postgres import PostgresServer, running_postgres
from services.audit.main import destroy_kek, rewrap
from services.audit.store.key_encryption import KEY_SIZE, create_key
from services.audit.store.note_key import vkey_path
from services.audit.store.tables import party_keys
from tests.contract.audit.erasing import (
    CANARIES,
    MONTH,
    NEXT,
    OTHER,
    Office,
    Service,
    back_up,
    fill,
    restore,
)
from tests.contract.audit.log import PERSON
from tests.unit.runtime.test_telemetry import collecting

SAID = (*CANARIES, PERSON)


@pytest.fixture
def postgres(postgres: PostgresServer) -> Iterator[PostgresServer]:  # noqa: ARG001  without one it skips
    """A server of its own: the files of the one that all share hold what other tests said."""
    with running_postgres() as server:
        yield server


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


def cluster(office: Office) -> dict[str, bytes]:
    """Every file of the PostgreSQL server: pages with their dead rows, the WAL, its own log."""
    url = office.settings.key_database
    if url.startswith("sqlite"):
        return {}
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as tx:
            tx.execute(text("CHECKPOINT"))
            data = Path(tx.execute(text("SHOW data_directory")).scalar_one())
    finally:
        engine.dispose()
    found = {}
    for path in data.parent.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # a temporary one
            if path.is_file():
                found[str(path.relative_to(data.parent))] = path.read_bytes()
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
        secret = await _erase_and_look(office, keys)
        await asyncio.to_thread(office.bench.traces.close)
    logged = "".join(capsys.readouterr())
    assert "sequencing" in logged
    spans = collector.traces.SerializeToString()
    assert b"accord.audit.v1.ErasureService/ConfirmErasure" in spans
    assert where((*SAID, *secret), {"logs": logged.encode(), "traces": spans}) == []


async def _erase_and_look(office: Office, keys: Sequence[VerifierKey]) -> Sequence[bytes]:
    """Erase the person, look everywhere, and return their keys and the one that wrapped them."""
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
            keys_of_month = (await database.read(stored.rings.at)).keks[MONTH]
            plain = keys_of_month.unwrap(row.wrapped, row.pseudonym)
            unwrapped = plain[:KEY_SIZE], plain[KEY_SIZE : 2 * KEY_SIZE]
            kek = bytes.fromhex((office.settings.kek_directory / f"{MONTH}.kek").read_text())
        assert where((kek,), everything(office)) == [(str(kek), f"kek/{MONTH}.kek")]
        assert where(CANARIES, {"export": await exported(audit)}) != []
        # That somebody looked for them is to be said by then, or waits where no file shows it.
        assert await audit.entries(PERSON)
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
        secret = (row.wrapped, row.lookup, *unwrapped, kek)
        assert where((*SAID, *secret), {"export": await exported(audit)}) == []

        # What was taken away before is proved as before, and what is taken away now as well.
        for index in range(4):
            for proof in (before[index], await prove(audit, index)):
                assert verify_proof(proof, keys).index == index
        consistency = read_service_pb2.ProveConsistencyRequest(from_size=4)
        assert isinstance(await audit.read(consistency), read_service_pb2.ProveConsistencyResponse)

        # Nor do the files hold the keys: neither in a freed page nor in a write-ahead log.
        found, files = everything(office), cluster(office)
        assert any(name.startswith("tiles/tile/entries/") for name in found)
        assert where((*SAID, *secret[:-1]), found) == []
        assert where((*SAID, *unwrapped), files) == []
        # PostgreSQL forgets a row later, with VACUUM and its WAL: it keeps the keys till then, but
        # wrapped under a key that no file of its own has ever held.
        kept = [name for _, name in where((row.wrapped,), files)]
        assert any(name.startswith("data/pg_wal/") for name in kept) == bool(files)
        assert where((kek,), files) == []
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
    # Of the person there is the backup's row, and of what opens it nothing anywhere.
    assert where((*SAID, *unwrapped, kek), everything(office) | cluster(office)) == []
    return secret
