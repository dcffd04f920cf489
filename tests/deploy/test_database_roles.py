"""A service's database role can do its work and nothing else: tried, on a real PostgreSQL."""

from __future__ import annotations

import contextlib
import subprocess
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql

from runtime.migrations import migrate
from sandbox.postgres import (
    PostgresServer,
    PostgresUnavailableError,
    find_programs,
    running_postgres,
)
from services.audit.store import KEY_MIGRATIONS, LOG_MIGRATIONS
from tests.deploy.conftest import ROOT
from tests.requirement import missing

if TYPE_CHECKING:
    from collections.abc import Iterator

_ALL = "SELECT, INSERT, UPDATE, DELETE"
_DATABASES = {
    "account": (_ALL, "services.account.store:migrations"),
    "sharing": (_ALL, "services.sharing.store:migrations"),
    "audit": ("SELECT", LOG_MIGRATIONS),
    "audit_keys": (_ALL, KEY_MIGRATIONS),
}


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A server on which every database was made as docs/operations.md says, and migrated."""
    with contextlib.ExitStack() as stack:
        try:
            running = stack.enter_context(running_postgres())
        except PostgresUnavailableError as error:
            missing(str(error))
        for name, (rights, migrations) in _DATABASES.items():
            subprocess.run(  # noqa: S603  the locked psql on our own script
                [
                    *(find_programs() / "psql", "-qX", "-d", "postgres", "-U", running.user),
                    *(
                        "-h",
                        running.socket_directory,
                        "-v",
                        f"name={name}",
                        "-v",
                        f"rights={rights}",
                    ),
                    *("-f", ROOT / "deploy/postgres/database.sql"),
                ],
                check=True,
            )
            migrate(running.url(name, user=f"{name}_owner"), migrations)
        yield running


def _connect(server: PostgresServer, database: str, user: str) -> psycopg.Connection[tuple[str]]:
    return psycopg.connect(
        host=str(server.socket_directory), dbname=database, user=user, autocommit=True
    )


def _tables(connection: psycopg.Connection[tuple[str]]) -> list[sql.Identifier]:
    found = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    return [sql.Identifier(name) for (name,) in found]


@pytest.mark.parametrize("database", _DATABASES)
def test_the_comment_of_the_script_says_what_was_run(database: str) -> None:
    script = (ROOT / "deploy/postgres/database.sql").read_text()
    rights = _DATABASES[database][0]
    assert f"-v name={database}" in script
    (line,) = (line for line in script.splitlines() if f"-v name={database} " in line)
    assert f"-v rights='{rights}'" in line


@pytest.mark.parametrize("database", _DATABASES)
def test_a_service_reads_and_adds(server: PostgresServer, database: str) -> None:
    with _connect(server, database, database) as connection:
        tables = _tables(connection)
        assert len(tables) > 1
        for table in tables:
            connection.execute(sql.SQL("SELECT count(*) FROM {}").format(table))
            if database == "audit" and table == sql.Identifier("alembic_version"):
                continue  # the log's service adds to the log alone
            connection.execute(
                sql.SQL("INSERT INTO {} SELECT * FROM {} WHERE false").format(table, table)
            )


@pytest.mark.parametrize("statement", ["UPDATE {} SET {} = {}", "DELETE FROM {}"])
def test_the_log_cannot_be_changed_by_its_service(server: PostgresServer, statement: str) -> None:
    with _connect(server, "audit", "audit") as connection:
        for table in _tables(connection):
            column = connection.execute(
                "SELECT column_name FROM information_schema.columns"
                " WHERE table_name = %s ORDER BY ordinal_position LIMIT 1",
                [table.as_string(connection).strip('"')],
            ).fetchone()
            assert column is not None
            name = sql.Identifier(column[0])
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(sql.SQL(statement).format(table, name, name))


@pytest.mark.parametrize("database", _DATABASES)
@pytest.mark.parametrize(
    "statement",
    [
        "TRUNCATE {}",
        "DROP TABLE {}",
        "ALTER TABLE {} ADD COLUMN planted int",
        "ALTER TABLE {} DISABLE TRIGGER ALL",
        "CREATE TABLE planted (LIKE {})",
        "CREATE RULE planted AS ON INSERT TO {} DO INSTEAD NOTHING",
    ],
)
def test_a_service_cannot_change_its_schema(
    server: PostgresServer, database: str, statement: str
) -> None:
    with _connect(server, database, database) as connection:
        for table in _tables(connection):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(sql.SQL(statement).format(table))


@pytest.mark.parametrize("database", _DATABASES)
def test_a_service_cannot_enter_the_database_of_another(
    server: PostgresServer, database: str
) -> None:
    for other in _DATABASES.keys() - {database}:
        with pytest.raises(psycopg.OperationalError, match="permission denied"):
            _connect(server, other, database).close()


def test_whoever_migrates_as_another_role_is_told_so(server: PostgresServer) -> None:
    url = server.url(server.create_database(), user="audit")
    with pytest.raises(SystemExit, match="audit may not change tables: migrate as the role"):
        migrate(url, LOG_MIGRATIONS)
