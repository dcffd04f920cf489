"""The databases themselves let nobody change the log: every way that a writer has is tried."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Connection, create_engine, make_url, select, text
from sqlalchemy.exc import DBAPIError

from services.audit.store.tables import LOG
from tests.contract.audit.log import Log, event

if TYPE_CHECKING:
    from sandbox.postgres import PostgresServer

TABLES = ("entries", "people", "tiles", "checkpoints")
CHANGES = {
    "entries": (
        "UPDATE entries SET action = 'account:link:remove'",
        "UPDATE entries SET leaf = leaf_hash WHERE log_index = 5",
        "DELETE FROM entries",
        "DELETE FROM entries WHERE log_index = 299",
        "UPDATE entries SET log_index = log_index + 1000",
    ),
    "people": (
        "UPDATE people SET log_index = log_index + 1",
        "DELETE FROM people WHERE log_index = 5",
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
ROW = (
    "SELECT {index}, leaf, leaf_hash, 'p', 1, '{event}', action, event_time,"
    " trace_id, actor_pseudonym FROM entries WHERE log_index = 5"
)
REPLACEMENTS = (
    "INSERT OR REPLACE INTO entries " + ROW.format(index=5, event="f"),
    "INSERT OR REPLACE INTO entries " + ROW.format(index=300, event=f"{7:032x}"),
    "REPLACE INTO entries " + ROW.format(index=300, event="e").replace("'p', 1", "'account', 1"),
    "INSERT INTO entries " + ROW.format(index=400, event="f"),
    "INSERT INTO entries "
    + ROW.format(index=5, event="f")
    + " ON CONFLICT (log_index) DO UPDATE SET leaf = excluded.leaf_hash",
    "INSERT OR REPLACE INTO people SELECT pseudonym, log_index FROM people",
    "INSERT INTO people VALUES (x'00', 5)",
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
    """A log with a full tile and more."""
    for first in (1, 101, 201):
        await log.append(first, [event(n) for n in range(first, first + 100)])
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


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_postgresql_truncates_nothing(filled: Log) -> None:
    for table in TABLES:
        await refused(filled, f"TRUNCATE {table}")
    await refused(filled, "TRUNCATE entries, people, tiles, checkpoints CASCADE")
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
        assert await member.check() == 300
    finally:
        await member.close()


def _make_member(tx: Connection) -> None:
    known = tx.execute(text("SELECT 1 FROM pg_roles WHERE rolname = 'log_app'")).scalar()
    if known is None:
        tx.execute(text("CREATE ROLE log_app LOGIN IN ROLE accord_audit"))
