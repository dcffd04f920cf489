"""A log on each engine in turn, with everything around it real."""

from __future__ import annotations

from itertools import count as numbers
from typing import TYPE_CHECKING

import pytest

from runtime.testing import Bench
from tests.contract.audit import erasing
from tests.contract.audit.log import Log, running
from tests.contract.audit.published import Published
from tests.contract.audit.recovering import Region

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from sandbox.postgres import PostgresServer
    from tests.contract.audit.erasing import Office


@pytest.fixture
async def log(database_url: str, tmp_path: Path) -> AsyncIterator[Log]:
    """A new log, open, its writer running."""
    async with running(Log.create(database_url, tmp_path)) as log:
        yield log


@pytest.fixture
async def made(log: Log, tmp_path: Path) -> Published:
    """A log that is published, empty so far."""
    made = Published(log, tmp_path / "tiles")
    await made.publisher.open()
    await made.publish()
    return made


@pytest.fixture
def key_database_url(
    request: pytest.FixtureRequest, database_url: str, tmp_path: Path
) -> Iterator[str]:
    """A key database on the engine of the log's."""
    if database_url.startswith("sqlite"):
        yield f"sqlite:///{tmp_path / 'keys.db'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    name = server.create_database()
    yield server.url(name)
    server.drop_database(name)


@pytest.fixture
def office(tmp_path: Path, database_url: str, key_database_url: str) -> Office:
    """What a whole service starts with."""
    return erasing.office(tmp_path, database_url, key_database_url)


@pytest.fixture
def region(database_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Region]:
    """A new log, and more databases of its engine."""
    made: list[str] = []
    names = numbers()

    def fresh() -> str:
        if database_url.startswith("sqlite"):
            return f"sqlite:///{tmp_path / f'fresh-{next(names)}.db'}"
        server = request.getfixturevalue("postgres")
        made.append(server.create_database())
        return str(server.url(made[-1]))

    (tmp_path / "tiles").mkdir()
    yield Region(Bench(tmp_path), database_url, fresh)
    for name in made:
        request.getfixturevalue("postgres").drop_database(name)
