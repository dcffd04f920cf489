"""The calendar in SQL: derived from the agreements in the unit that changes one."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, tuple_

from services.sharing.domain.calendar import Expiry, ExpiryKind
from services.sharing.domain.ports import Page
from services.sharing.store.tables import expiries


class StoredExpiries:
    """The calendar on one connection."""

    __slots__ = ("_tx",)

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def replace(self, resource: str, ends: Iterable[Expiry]) -> None:
        """Let these be what ends of an agreement; none when it is over."""
        self._tx.execute(delete(expiries).where(expiries.c.resource == resource))
        rows = [
            {
                "day": end.day.isoformat(),
                "kind": end.kind.value,
                "resource": end.resource,
                "recipient": end.recipient,
                "safeguard": end.safeguard,
            }
            for end in ends
        ]
        if rows:
            self._tx.execute(insert(expiries), rows)

    def list(self, page: Page, first: date, last: date) -> tuple[list[Expiry], str]:
        """List from a day through another in their order; return the cursor of what follows."""
        query = select(expiries).where(expiries.c.day.between(first.isoformat(), last.isoformat()))
        if page.cursor:
            day, _, ordinal = page.cursor.partition("/")
            place = tuple_(expiries.c.day, expiries.c.ordinal)
            query = query.where(place > tuple_(day, int(ordinal)))
        query = query.order_by(expiries.c.day, expiries.c.ordinal).limit(page.size + 1)
        rows = self._tx.execute(query).all()
        shown = rows[: page.size]
        following = f"{shown[-1].day}/{shown[-1].ordinal}" if len(rows) > page.size else ""
        return [_expiry(row) for row in shown], following


def _expiry(row: Row[Any]) -> Expiry:
    return Expiry(
        date.fromisoformat(row.day),
        ExpiryKind(row.kind),
        row.resource,
        row.recipient,
        row.safeguard,
    )
