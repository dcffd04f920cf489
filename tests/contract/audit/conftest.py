"""A log on each engine in turn, with everything around it real."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.contract.audit.log import Log, running
from tests.contract.audit.published import Published

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


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
