"""Parties' keys: made once, found by name and by pseudonym, worth nothing without their KEK."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select, text, update

from runtime.db import Database
from runtime.event import Event
from services.audit.domain.faults import LogDamagedError
from services.audit.domain.sealing import ORGANISATION
from services.audit.store import KEY_MIGRATIONS
from services.audit.store.key_encryption import create_key, load_keys
from services.audit.store.own_events import StoredOwnEvents
from services.audit.store.party_keys import StoredKeys
from services.audit.store.tables import outbox
from tests.contract.audit.log import OFFICER, PERSON
from tests.migrated import migrated

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.fixture
async def database(database_url: str, tmp_path: Path) -> AsyncIterator[Database]:
    """An empty key database, and a KEK beside it."""
    migrated(database_url, KEY_MIGRATIONS)
    create_key(tmp_path, "2026-06")
    database = Database(database_url)
    yield database
    await database.close()


async def test_keys_are_made_once_and_found_again(database: Database, tmp_path: Path) -> None:
    keys = StoredKeys(database, tmp_path)
    assert await keys.find([PERSON]) == {}
    made = await keys.ensure([PERSON, OFFICER])
    sealed = made[PERSON].encrypt(b"plain", b"place")
    again = StoredKeys(database, tmp_path)
    same = await again.ensure([PERSON])
    assert same[PERSON].pseudonym == made[PERSON].pseudonym
    assert same[PERSON].decrypt(sealed, b"place") == b"plain"
    by_pseudonym = await again.of([made[OFFICER].pseudonym, bytes(16)])
    assert list(by_pseudonym) == [made[OFFICER].pseudonym]
    for wrong in (made[OFFICER], by_pseudonym[made[OFFICER].pseudonym]):
        with pytest.raises(ValueError, match="touched"):
            wrong.decrypt(sealed, b"place")


async def test_a_new_month_wraps_what_is_new_and_opens_what_is_old(
    database: Database, tmp_path: Path
) -> None:
    old = (await StoredKeys(database, tmp_path).ensure([PERSON]))[PERSON]
    create_key(tmp_path, "2026-07")
    keys = StoredKeys(database, tmp_path)
    both = await keys.ensure([PERSON, OFFICER])
    assert both[PERSON].pseudonym == old.pseudonym
    assert both[OFFICER].pseudonym != old.pseudonym
    rows = await database.read(
        lambda tx: tx.execute(text("SELECT pseudonym, kek FROM party_keys")).all()
    )
    assert {row.pseudonym: row.kek for row in rows} == {
        old.pseudonym: "2026-06",
        both[OFFICER].pseudonym: "2026-07",
    }


async def test_without_its_kek_a_row_is_no_ones(database: Database, tmp_path: Path) -> None:
    made = await StoredKeys(database, tmp_path).ensure([PERSON])
    (tmp_path / "2026-06.kek").unlink()
    create_key(tmp_path, "2026-07")
    keys = StoredKeys(database, tmp_path)
    assert await keys.find([PERSON]) == {}
    assert await keys.of([made[PERSON].pseudonym]) == {}
    assert await keys.months_without_kek() == ["2026-06"]


async def test_an_event_that_nothing_opens_is_told_with_the_step_that_helps(
    database: Database, tmp_path: Path
) -> None:
    keys = StoredKeys(database, tmp_path)
    await keys.ensure([ORGANISATION])
    told = Event("audit:log:rebuild", "ok", NOON, actor=OFFICER, fields={"size": "1"})
    await StoredOwnEvents(database, keys).add([told])
    create_key(tmp_path, "2026-07")
    july = StoredKeys(database, tmp_path)
    assert await july.why_closed() is None
    # As in a backup from before `rewrap`: the event waits under a key that was destroyed.
    sealed = await database.read(lambda tx: tx.execute(select(outbox.c.event)).scalar_one())
    await july.rewrap(10)
    await database.write(lambda tx: tx.execute(update(outbox).values(event=sealed)))
    (tmp_path / "2026-06.kek").unlink()
    after = StoredKeys(database, tmp_path)
    closed = await after.why_closed()
    assert closed is not None
    assert "party_keys" not in closed
    assert "in the log already or lost" in closed
    step = closed.partition("In the key database: ")[2].partition(";")[0]
    await database.write(lambda tx: tx.execute(text(step)))
    assert await after.why_closed() is None
    assert await after.find([ORGANISATION])


async def test_a_changed_row_is_found_out(database: Database, tmp_path: Path) -> None:
    keys = StoredKeys(database, tmp_path)
    await keys.ensure([PERSON])
    await database.write(lambda tx: tx.execute(text("UPDATE party_keys SET wrapped = lookup")))
    with pytest.raises(LogDamagedError, match="touched"):
        await keys.find([PERSON])


async def test_more_parties_than_one_query_binds(database: Database, tmp_path: Path) -> None:
    keys = StoredKeys(database, tmp_path)
    names = [f"accounts/nl-{number}" for number in range(1200)]
    made = await keys.ensure(names)
    assert len({key.pseudonym for key in made.values()}) == len(await keys.find(names)) == 1200


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("2026-13.kek", "00" * 32, "no <year>-<month>"),
        ("2026-07.kek", "00" * 31, "no <year>-<month>"),
        ("2026-07.kek", "not hexadecimal", "non-hexadecimal"),
    ],
)
def test_a_malformed_kek_is_refused(tmp_path: Path, name: str, content: str, reason: str) -> None:
    path = tmp_path / name
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(ValueError, match=reason):
        load_keys(tmp_path)


def test_a_directory_without_a_kek_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no key-encryption key"):
        load_keys(tmp_path)
