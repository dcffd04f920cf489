"""What ended and is still to be told, in SQL; a row goes when everybody was told."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, insert, select, update

from services.sharing.domain.revocation import Ending
from services.sharing.store.tables import endings


class StoredEndings:
    """Endings on one connection."""

    __slots__ = ("_tx",)

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def add(self, ending: Ending) -> None:
        """Have an ending told, unless it is to be told already."""
        # Read first: who is just done with it, and who adds the same, is then run again.
        if self._tx.execute(select(endings.c.seen).where(_same(ending))).one_or_none() is None:
            self._tx.execute(
                insert(endings).values(
                    holder=ending.holder, resource=ending.resource, at=ending.at, seen=ending.seen
                )
            )

    def save(self, ending: Ending) -> None:
        """Note how far it was told."""
        self._tx.execute(update(endings).where(_same(ending)).values(seen=ending.seen))

    def remove(self, ending: Ending) -> None:
        """Note that everybody was told."""
        self._tx.execute(delete(endings).where(_same(ending)))

    def come(self, now: datetime) -> bool:
        """Tell whether anything that has ended is still to be told."""
        return bool(self._tx.execute(select(exists().where(endings.c.at <= now))).scalar_one())

    def take(self, now: datetime, most: int) -> Sequence[Ending]:
        """Return what has ended and is to be told, oldest first, but for what others are at."""
        query = select(endings).where(endings.c.at <= now).order_by(endings.c.at).limit(most)
        rows = self._tx.execute(query.with_for_update(skip_locked=True))
        return [Ending(row.holder, row.resource, row.at, row.seen) for row in rows]


def _same(ending: Ending) -> ColumnElement[bool]:
    return and_(
        endings.c.holder == ending.holder,
        endings.c.resource == ending.resource,
        endings.c.at == ending.at,
    )
