"""The log's rows as they are, for a check that believes none of them."""

from collections.abc import AsyncIterator, Mapping

from sqlalchemy import Connection, Row, select

from runtime.db import Database
from services.audit.domain.entry import SealedEntry
from services.audit.domain.ports import RawEntry
from services.audit.store.log import columns_of
from services.audit.store.tables import checkpoints, entries, tiles

_PAGE = 2000  # entries in one read


class StoredBytes:
    """A log database, read only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def entries(self) -> AsyncIterator[RawEntry]:
        """Yield all entries by index."""
        after = -1
        while page := await self._page(after):
            for row in page:
                columns = dict(row._mapping)  # noqa: SLF001  public in spite of its name
                after = columns.pop("log_index")
                yield RawEntry(after, columns.pop("leaf"), columns.pop("leaf_hash"), columns)

    async def tiles(self) -> dict[tuple[int, int], tuple[bytes, bytes]]:
        """Return hashes and root of every tile, by level and number."""
        rows = await self._database.read(lambda tx: tx.execute(select(tiles)).all())
        return {(row.level, row.number): (row.hashes, row.root) for row in rows}

    async def notes(self) -> dict[int, str]:
        """Return the notes of all checkpoints, by size."""
        rows = await self._database.read(lambda tx: tx.execute(select(checkpoints)).all())
        return {row.size: row.note for row in rows}

    def columns_of(self, entry: SealedEntry) -> Mapping[str, object]:
        """Return what an entry's search columns must hold."""
        return columns_of(entry)

    async def _page(self, after: int) -> list[Row[tuple[object, ...]]]:
        query = (
            select(entries)
            .where(entries.c.log_index > after)
            .order_by(entries.c.log_index)
            .limit(_PAGE)
        )

        def run(tx: Connection) -> list[Row[tuple[object, ...]]]:
            return list(tx.execute(query))

        return await self._database.read(run)
