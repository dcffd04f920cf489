"""The databases themselves let nobody change the log: every way that a writer has is tried."""

# ruff: noqa: S608 -- statements of the test's own making

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Connection, create_engine, make_url, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from services.audit.store.tables import LOG
from tests.contract.audit.log import Log, event

if TYPE_CHECKING:
    from sandbox.postgres import PostgresServer

TABLES = ("entries", "postings", "stretches", "tiles", "checkpoints")
CHANGES = {
    "entries": (
        "UPDATE entries SET producer = 'portal'",
        "UPDATE entries SET leaf = leaf_hash WHERE log_index = 5",
        "DELETE FROM entries",
        "DELETE FROM entries WHERE log_index = 4098",
        "UPDATE entries SET log_index = log_index + 10000",
    ),
    "postings": (
        "UPDATE postings SET segment = segment + 1",
        "UPDATE postings SET facet = 1 WHERE facet = 2",
        "UPDATE postings SET places = places",
        "DELETE FROM postings WHERE length(places) > 2",
    ),
    "stretches": (
        "UPDATE stretches SET latest = 0",
        "DELETE FROM stretches",
    ),
    "tiles": (
        "UPDATE tiles SET root = hashes",
        "DELETE FROM tiles WHERE level = 0",
    ),
    "checkpoints": (
        "UPDATE checkpoints SET note = ''",
        "DELETE FROM checkpoints WHERE size = 0",
    ),
}
ENTRIES = 4_099  # a full stretch, full tiles, and more
ROW = (
    "SELECT {index}, event_time, 'p', 1, x'{event}', leaf_hash, leaf FROM entries"
    " WHERE log_index = 5"
)
# An entry that was there before, one that is not there, and both at once; nothing, or beside them.
POSTINGS = (
    "(0, 1, x'00', x'0005')",
    "(0, 1, x'00', x'1003')",
    "(0, 1, x'00', x'10021003')",
    "(1, 1, x'00', x'0000')",
    "(-1, 1, x'00', x'ffff')",
)
REPLACEMENTS = (
    "INSERT OR REPLACE INTO entries " + ROW.format(index=5, event="f0"),
    "INSERT OR REPLACE INTO entries " + ROW.format(index=ENTRIES, event=f"{7:032x}"),
    "REPLACE INTO entries "
    + ROW.format(index=ENTRIES, event="e0").replace("'p', 1", "'account', 1"),
    "INSERT INTO entries " + ROW.format(index=ENTRIES + 1, event="f0"),
    "INSERT INTO entries "
    + ROW.format(index=5, event="f0")
    + " ON CONFLICT (log_index) DO UPDATE SET leaf = excluded.leaf_hash",
    "INSERT OR REPLACE INTO postings SELECT * FROM postings",
    *("INSERT INTO postings VALUES " + row for row in POSTINGS),
    "REPLACE INTO stretches SELECT number, 0, 0 FROM stretches",
    "INSERT INTO stretches SELECT number + 1, earliest, latest FROM stretches",
    "INSERT OR REPLACE INTO tiles SELECT level, number, root, root FROM tiles",
    "INSERT OR REPLACE INTO checkpoints SELECT size, '', signed_at FROM checkpoints",
    "INSERT INTO checkpoints SELECT -1, note, signed_at FROM checkpoints WHERE size = 0",
)


async def everything(log: Log) -> list[object]:
    return await log.database.read(
        lambda tx: [tx.execute(select(table)).all() for table in LOG.sorted_tables]
    )


async def refused(log: Log, statement: str) -> None:
    """Tries a statement as the service's own connection; it fails and changes nothing."""

    def attempt(tx: Connection) -> None:
        tx.execute(text(statement))

    with pytest.raises(DBAPIError, match="the log"):
        await log.database.write(attempt)


@pytest.fixture
async def filled(log: Log) -> Log:
    """A log with a full stretch, full tiles and more."""
    for first in range(1, ENTRIES + 1, 1_024):
        last = min(first + 1_023, ENTRIES)
        await log.append(first, [event(n) for n in range(first, last + 1)])
    return log


async def test_nothing_in_the_log_is_updated_or_deleted(filled: Log) -> None:
    before = await everything(filled)
    for table in TABLES:
        for statement in CHANGES[table]:
            await refused(filled, statement)
    assert await everything(filled) == before


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_sqlite_replaces_and_inserts_nothing_but_at_the_end(filled: Log) -> None:
    before = await everything(filled)
    for statement in REPLACEMENTS:
        await refused(filled, statement)
    assert await everything(filled) == before


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_foreign_connection_to_the_file_replaces_nothing_either(filled: Log) -> None:
    """Whatever a connection says of itself: triggers that depend on it are not what protects."""
    before = await everything(filled)
    file = make_url(filled.url).database
    with contextlib.closing(sqlite3.connect(file or "", isolation_level=None)) as stranger:
        for pragma in ("recursive_triggers=OFF", "recursive_triggers=ON", "foreign_keys=OFF"):
            stranger.execute(f"PRAGMA {pragma}")
            for statement in (*REPLACEMENTS, *(each for one in CHANGES.values() for each in one)):
                with pytest.raises(sqlite3.Error):
                    stranger.execute(statement)
    assert await everything(filled) == before


@pytest.mark.parametrize("places", ["", "10", "100303", "10031002", "0fff1003", "1003" * 257])
async def test_the_index_takes_nothing_but_places_of_one_bundle_in_order(
    filled: Log, places: str
) -> None:
    """What a growth may say of its entries: an even number of bytes that a search understands."""
    literal = f"x'{places}'" if filled.url.startswith("sqlite") else f"'\\x{places}'"
    statement = text("INSERT INTO postings VALUES (0, 1, :key, " + literal + ")")

    def attempt(tx: Connection) -> None:
        if tx.dialect.name == "sqlite":
            tx.execute(text("DROP TRIGGER postings_only_append"))
        tx.execute(statement, {"key": b"k"})

    with pytest.raises(IntegrityError, match="ck_postings_places"):
        await filled.database.write(attempt)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_postgresql_truncates_nothing(filled: Log) -> None:
    for table in TABLES:
        await refused(filled, f"TRUNCATE {table}")
    await refused(filled, f"TRUNCATE {', '.join(TABLES)} CASCADE")
    await refused(
        filled,
        "INSERT INTO checkpoints SELECT * FROM checkpoints"
        " ON CONFLICT (size) DO UPDATE SET note = ''",
    )


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_the_postgresql_role_of_the_service_may_select_and_insert_alone(
    filled: Log, request: pytest.FixtureRequest
) -> None:
    server: PostgresServer = request.getfixturevalue("postgres")
    await filled.database.write(_make_member)
    url = server.url(make_url(filled.url).database or "", user="log_app")
    engine = create_engine(url)
    try:
        for statement in (
            *(statement for table in TABLES for statement in CHANGES[table]),
            *(f"TRUNCATE {table}" for table in TABLES),
            *(f"DROP TABLE {table}" for table in TABLES),
            "ALTER TABLE entries DISABLE TRIGGER ALL",
            "DROP TRIGGER entries_append_only_row ON entries",
            "ALTER FUNCTION accord_append_only() RENAME TO gone",
            "UPDATE alembic_version SET version_num = '0000'",
        ):
            with (
                engine.begin() as tx,
                pytest.raises(DBAPIError, match=r"permission denied|must be owner"),
            ):
                tx.execute(text(statement))
    finally:
        engine.dispose()
    member = Log.at(url, filled.directory)
    try:
        await member.writer.open()
        assert await member.check(every=97) == ENTRIES
    finally:
        await member.close()


def _make_member(tx: Connection) -> None:
    known = tx.execute(text("SELECT 1 FROM pg_roles WHERE rolname = 'log_app'")).scalar()
    if known is None:
        tx.execute(text("CREATE ROLE log_app LOGIN IN ROLE accord_audit"))
