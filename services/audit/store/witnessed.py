"""What this witness has cosigned, in SQL: of each log one row after another, none ever changed."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection, insert, select

from runtime.clock import Clock
from runtime.db import Database
from services.audit.domain.merkle import EMPTY_ROOT
from services.audit.domain.note import VerifierKey
from services.audit.domain.witnessing import Witnessed
from services.audit.store.tables import witnessed


class StoredWitnessed:
    """`domain.ports.WitnessStore` in the log's database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def advance(
        self, origin: str, judge: Callable[[Witnessed | None], Witnessed]
    ) -> Witnessed:
        """Read, judge and write in one serializable transaction."""
        now = self._clock.now()

        def unit(tx: Connection) -> Witnessed:
            last = _last(tx, origin)
            next_ = judge(last)
            follows = last.size if last else -1
            if next_.size > follows:  # the same tree, cosigned again, is known already
                row = {"size": next_.size, "root": next_.root, "note": next_.note}
                known = {"origin": origin, "follows": follows, "witnessed_at": now}
                tx.execute(insert(witnessed), row | known)
            return next_

        return await self._database.write(unit)

    async def newest(self, origin: str) -> str | None:
        """Return the note of the newest checkpoint cosigned."""
        last = await self._database.read(lambda tx: _last(tx, origin))
        return last.note if last else None

    async def forgot(self, key: VerifierKey) -> bool:
        """Tell whether a witness's key has cosigned what this database has lost."""
        return await self.newest(str(key)) is not None


def forget(tx: Connection, key: VerifierKey, now: datetime) -> None:
    """Put down that a witness's key has cosigned what is not here: it must not cosign again.

    The row stands where that of a log would, under the vkey in place of an origin.
    """
    row = {"origin": str(key), "size": 0, "follows": -1, "root": EMPTY_ROOT, "note": str(key)}
    tx.execute(insert(witnessed), row | {"witnessed_at": now})


def _last(tx: Connection, origin: str) -> Witnessed | None:
    mine = select(witnessed).where(witnessed.c.origin == origin)
    row = tx.execute(mine.order_by(witnessed.c.size.desc()).limit(1)).one_or_none()
    return None if row is None else Witnessed(origin, row.size, row.root, row.note)
