"""The list of changes in SQL: which fact was altered, in the unit that altered it.

A revision orders them: on SQLite, which has one writer, the row's id; on PostgreSQL, which commits
out of order, the transaction. Rows older than a day are purged but for the newest of them, which
then marks how far back the list goes.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    delete,
    func,
    insert,
    literal_column,
    select,
    update,
)

from runtime.clock import SystemClock
from services.sharing.domain.freshness import Change, ChangeKind
from services.sharing.store.tables import changes

_CLOCK = SystemClock()  # of the list alone: no fact is judged by it
KEPT = timedelta(days=1)
_READ = 100_000  # rows in one read at most; whoever is further behind begins anew
_PURGED = 10_000  # rows in one unit, so that no writer waits long
_FLOOR = "floor"  # the kind of the row that marks how far back the list goes
_CURRENT: dict[str, ColumnElement[int]] = {
    "postgresql": literal_column("pg_current_xact_id()::text::bigint"),
    "sqlite": literal_column("0"),
}
_OLDEST_RUNNING: ColumnElement[int] = literal_column(
    "pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
)
_ADD = {dialect: insert(changes).values(xid=current) for dialect, current in _CURRENT.items()}


@dataclass(frozen=True, slots=True)
class Reading:
    """What one look at the list showed, on one snapshot."""

    newest: int  # revision of the newest change that is visible; 0: none
    settled: int  # no change with a revision up to this one can still appear
    rows: tuple[tuple[int, Change], ...]  # (row id, change), in order
    complete: bool  # False: rows are missing between the position and the first of these
    began: float = 0.0  # when the look began, on time.monotonic()


def note(tx: Connection, kind: ChangeKind, key: str) -> None:
    """Put a change on the list, if and only if the unit commits: whatever alters a fact does."""
    values = {"kind": kind.value, "key": key, "time": _CLOCK.now()}
    tx.execute(_ADD[tx.dialect.name], values)


class StoredChanges:
    """The list on one connection."""

    __slots__ = ("_revision", "_tx")

    def __init__(self, tx: Connection) -> None:
        self._tx = tx
        self._revision: ColumnElement[int] = (
            changes.c.xid if tx.dialect.name == "postgresql" else changes.c.id
        )

    def newest(self) -> int:
        """Return the revision of the newest change that is visible; 0 when there is none."""
        return self._tx.execute(select(func.max(self._revision))).scalar_one() or 0

    def read(self, after: int) -> Reading:
        """Return the changes with a revision above `after` that are visible."""
        newest = self.newest()
        settled = newest
        if self._tx.dialect.name == "postgresql":
            settled = self._tx.execute(select(_OLDEST_RUNNING)).scalar_one() - 1
        if newest <= after:
            return Reading(newest, settled, (), complete=True)
        found = self._tx.execute(
            select(changes.c.id, changes.c.kind, changes.c.key)
            .where(self._revision > after)
            .order_by(self._revision, changes.c.id)
            .limit(_READ)
        ).all()
        complete = len(found) < _READ and all(row.kind != _FLOOR for row in found)
        rows = tuple(
            (row.id, Change(ChangeKind(row.kind), row.key)) for row in found if row.kind != _FLOOR
        )
        return Reading(newest, settled, rows, complete)

    def purge(self, now: datetime) -> bool:
        """Delete some of what is older than a day; tell whether more of it is left."""
        old = (
            select(changes.c.id, self._revision.label("revision"))
            .where(changes.c.time < now - KEPT)
            .order_by(self._revision, changes.c.id)
            .limit(_PURGED)
        )
        rows = self._tx.execute(old).all()
        if not rows:
            return False
        last = rows[-1]
        self._tx.execute(
            delete(changes).where(
                and_(self._revision <= last.revision, changes.c.id != last.id),
                changes.c.time < now - KEPT,
            )
        )
        self._tx.execute(update(changes).where(changes.c.id == last.id).values(kind=_FLOOR, key=""))
        return len(rows) == _PURGED
