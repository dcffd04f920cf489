"""A log that was published in a directory, and the settings of a service that lost its database."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Select, Table, func, select, true

from runtime.db import Database
from runtime.migrations import migrate
from runtime.testing import Bench
from services.audit import recovery
from services.audit.domain.checkpoint import Checkpoint
from services.audit.settings import AuditSettings
from services.audit.store import KEY_MIGRATIONS, LOG_MIGRATIONS
from services.audit.store.search import indexes
from services.audit.store.tables import (
    checkpoints,
    entries,
    postings,
    published,
    stretches,
    tiles,
)
from tests.contract.audit.log import Log, running
from tests.contract.audit.published import Published

Fresh = Callable[[], str]  # the URL of another empty database


@dataclass
class Region:
    """One log at home, in `directory`, and whatever it is put back to."""

    bench: Bench
    url: str
    fresh: Fresh
    told: list[tuple[int, int]] = field(default_factory=list)

    @property
    def directory(self) -> Path:
        return self.bench.directory

    @property
    def tiles(self) -> Path:
        return self.directory / "tiles"

    @property
    def vkey(self) -> str:
        return (self.directory / "log.vkey").read_text().strip()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Published]:
        """The log, its writer running, and its publisher, from where they stopped."""
        async with running(Log.at(self.url, self.directory)) as log:
            there = Published(log, self.tiles)
            there.appended = await log.store.last_sequence("account")
            await there.publisher.open()
            yield there

    def settings(self, url: str | None = None, keys: str = "keys.db") -> AuditSettings:
        """The settings of the service, over a database; migrated."""
        key_url = f"sqlite:///{self.directory / keys}"
        settings = self.bench.settings(
            AuditSettings,
            "audit",
            database_url=url or self.url,
            key_database_url=key_url,
            log_key_file=self.directory / "log.key",
            kek_directory=self.directory,
            tile_directory=self.tiles,
            account_address="127.0.0.1:1",
            audit_address="127.0.0.1:1",
        )
        migrate(settings.database, LOG_MIGRATIONS)
        migrate(settings.key_database, KEY_MIGRATIONS)
        return settings

    async def rebuild(self, settings: AuditSettings) -> Checkpoint:
        return await recovery.rebuild(settings, self.bench.clock, self.report)

    async def back_up(self, settings: AuditSettings) -> Checkpoint:
        out = self.directory / "backup"
        return await recovery.back_up(settings, out, self.bench.clock, self.report)

    async def restore(self, settings: AuditSettings, *seen: str) -> Checkpoint:
        pinned = recovery.Pinned([self.vkey], seen)
        backup = self.directory / "backup"
        return await recovery.restore(settings, backup, pinned, self.bench.clock, self.report)

    def report(self, done: int, of: int) -> None:
        self.told.append((done, of))


async def published_log(region: Region, *sizes: int) -> None:
    """A log that was published at these sizes."""
    await Log.create(region.url, region.directory).close()
    async with region.running() as there:
        for size in sizes:
            await there.grow(size - there.appended)
            await there.publish()


async def content(url: str, size: int) -> dict[str, list[tuple[Any, ...]]]:
    """All rows that a log published at a size has, but for when they were written."""
    wanted = {
        entries: entries.c.log_index < size,
        stretches: (stretches.c.number + 1) * 4096 <= size,
        tiles: true(),
        checkpoints: checkpoints.c.size.in_(select(published.c.size)),
        published: published.c.size <= size,
    }
    found: dict[str, list[tuple[Any, ...]]] = {}
    for table, which in wanted.items():
        found_rows = await rows(url, select(table).where(which).order_by(*table.primary_key))
        when = {"signed_at", "published_at"}
        kept = [at for at, column in enumerate(table.c) if column.name not in when]
        found[table.name] = [tuple(row[at] for at in kept) for row in found_rows]
    found["tiles"] = [
        (level, number, hashes, root)
        for level, number, hashes, root in found["tiles"]
        if (number + 1) * 256 ** (level + 1) <= size
    ]
    # A log that was filled again has grown in other steps: a row of postings is of one of them.
    posted = await rows(url, select(postings))
    found["postings"] = sorted(
        (index, facet, key)
        for segment, facet, key, places in posted
        for index in indexes([(segment, places)])
        if index < size
    )
    return found


async def rows(url: str, query: Select[*tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    database = Database(url)
    try:
        return await database.read(lambda tx: [tuple(row) for row in tx.execute(query)])
    finally:
        await database.close()


async def count(url: str, table: Table) -> int:
    """The number of rows of a table."""
    database = Database(url)
    try:
        return await database.read(
            lambda tx: tx.execute(select(func.count()).select_from(table)).scalar_one()
        )
    finally:
        await database.close()
