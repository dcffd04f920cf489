"""The database of a log that was lost, while it is filled again from what was published."""

from collections.abc import Callable, Iterator
from itertools import islice

from sqlalchemy import Connection, func, select

from runtime.clock import Clock, to_micros
from runtime.db import Database, insert_rows
from services.audit.domain.checkpoint import Checkpoint
from services.audit.domain.faults import LogDamagedError
from services.audit.domain.note import VerifierKey
from services.audit.domain.ports import Growth
from services.audit.store.growth import check_entries, write
from services.audit.store.tables import checkpoints, entries, published
from services.audit.store.witnessed import forget

_AT_ONCE = 4000  # checkpoints, each twice


class StoredRefill:
    """Entries without a checkpoint: a service refuses to serve them until `conclude`."""

    def __init__(self, database: Database, clock: Clock, witness: VerifierKey | None) -> None:
        """Take the key of the witness here: what it cosigned is not in any file, and is lost."""
        self._witness = witness
        self._database = database
        self._clock = clock

    async def size(self) -> int:
        """Return how many entries are there from an attempt before.

        LogDamagedError when a log is there, which needs no rebuilding.
        """

        def query(tx: Connection) -> int:
            signed = tx.execute(select(func.max(checkpoints.c.size))).scalar()
            if signed:  # a service that began anew may have signed that the log is empty
                raise LogDamagedError(
                    f"the database holds a log of {signed} entries: only an empty one, newly "
                    "migrated, is filled from the tiles"
                )
            last = tx.execute(select(func.max(entries.c.log_index))).scalar()
            return 0 if last is None else last + 1

        return await self._database.read(query)

    async def leaf_hashes(self, start: int, end: int) -> list[bytes]:
        """Return the hashes of the entries [start, end) that are there."""
        index = entries.c.log_index
        stored = select(entries.c.leaf_hash).where(index >= start, index < end).order_by(index)
        return await self._database.read(lambda tx: list(tx.execute(stored).scalars()))

    async def add(self, growth: Growth) -> None:
        """Store verified entries; read back and hashed, durable on return."""

        def unit(tx: Connection) -> None:
            write(tx, growth)
            check_entries(tx, growth)

        await self._database.write(unit)

    async def conclude(self, found: Callable[[], Iterator[tuple[Checkpoint, Checkpoint]]]) -> None:
        """Add the checkpoints, as they were signed and as they were published: a log again.

        One transaction, some at a time: of years there are more than a memory holds.
        """
        now = to_micros(self._clock.now())

        def unit(tx: Connection) -> None:
            there = set(tx.execute(select(checkpoints.c.size)).scalars())
            rest = found()
            while some := list(islice(rest, _AT_ONCE)):
                rows = [(c.size, c.note, now) for c, _ in some if c.size not in there]
                insert_rows(tx, checkpoints, ("size", "note", "signed_at"), rows)
                rows = [(c.size, c.note, now) for _, c in some]
                insert_rows(tx, published, ("size", "note", "published_at"), rows)
            if self._witness is not None:
                forget(tx, self._witness, self._clock.now())

        await self._database.write(unit)
