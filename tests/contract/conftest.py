"""Both engines for every store: SQLite in a file, PostgreSQL on a server of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.postgres import PostgresServer, PostgresUnavailableError, running_postgres
from tests.requirement import missing


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One server per test process; the databases on it are one per test."""
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(running_postgres())
        except PostgresUnavailableError as error:
            missing(str(error))
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of each engine in turn; nothing of it is left for the next test."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'store.db'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    name = server.create_database()
    yield server.url(name)
    server.drop_database(name)
