"""What was published of the log, in SQL; and the entries, as bytes, that are to be."""

from collections.abc import Sequence

from sqlalchemy import Connection, func, insert, select

from runtime.clock import Clock
from runtime.db import Database
from services.audit.domain.checkpoint import Checkpoint
from services.audit.store.tables import entries, published

_AT_ONCE = 10_000  # notes in memory


class StoredPublications:
    """The log database as the publisher sees it."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def grown(self) -> None:
        """Return when something was stored since this was last awaited, perhaps; one may wait."""
        await self._database.committed.wait()
        self._database.committed.clear()

    async def leaves(self, start: int, end: int) -> list[bytes]:
        """Return the bytes of the entries [start, end) that are stored."""
        index = entries.c.log_index
        stored = select(entries.c.leaf).where(index >= start, index < end).order_by(index)
        return await self._database.read(lambda tx: list(tx.execute(stored).scalars().all()))

    async def newest(self) -> str | None:
        """Return the note of the newest published checkpoint."""
        newest = select(published.c.note).order_by(published.c.size.desc()).limit(1)
        return await self._database.read(lambda tx: tx.execute(newest).scalar_one_or_none())

    async def beyond(self, size: int) -> list[str]:
        """Return the next notes published of more than `size` entries, oldest first."""
        notes = select(published.c.note).where(published.c.size > size).order_by(published.c.size)
        some = notes.limit(_AT_ONCE)
        return await self._database.read(lambda tx: list(tx.execute(some).scalars().all()))

    async def add(self, checkpoints: Sequence[Checkpoint]) -> None:
        """Keep those of published checkpoints that are beyond the newest kept; durable on return.

        So that one whose keeping had an unknown outcome can be kept again.
        """
        rows = {c.size: {"size": c.size, "note": c.note} for c in checkpoints}
        now = self._clock.now()

        def unit(tx: Connection) -> None:
            newest = tx.execute(select(func.max(published.c.size))).scalar()
            for size in sorted(rows):
                if newest is None or size > newest:
                    tx.execute(insert(published), rows[size] | {"published_at": now})

        await self._database.write(unit)
