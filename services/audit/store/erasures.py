"""Erasures and holds, in the database of the keys that they destroy or keep."""

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, Table, delete, func, select, update

from runtime import idempotency, logs
from runtime.db import Database, insert_missing
from runtime.event import Event
from runtime.fault import not_found
from services.audit.domain.erasure import (
    Destroyed,
    Erasure,
    Ground,
    Hold,
    HoldKind,
    Step,
    Wrapped,
)
from services.audit.domain.erasure_ports import KeyRecords, Once, Part
from services.audit.domain.sealing import ORGANISATION
from services.audit.store import tables
from services.audit.store.key_ring import KeyRing, KeyRow, StoredPartyKeys, waits_under
from services.audit.store.own_events import publish
from services.audit.store.party_keys import StoredKeys

log = logs.get(__name__)

T = TypeVar("T")

_PAGE = 500  # values in one statement: well below what either engine binds


class StoredErasures:
    """The key database as what erases sees it."""

    def __init__(self, database: Database, keys: StoredKeys) -> None:
        self._database = database
        self._keys = keys

    async def write(self, unit: Callable[[KeyRecords], T]) -> T:
        """Run a unit in one serializable transaction, durable on return."""
        await self._keys.ensure([ORGANISATION])  # it seals who did what
        rings = self._keys.rings
        return await self._database.write(lambda tx: unit(_Records(tx, rings.at_newest(tx))))

    async def read(self, query: Callable[[KeyRecords], T]) -> T:
        """Run a query on a snapshot."""
        rings = self._keys.rings
        return await self._database.read(lambda tx: query(_Records(tx, rings.at(tx))))

    async def scrub(self) -> None:
        """Leave nothing of deleted rows in the files of SQLite; PostgreSQL's are its VACUUM's."""
        if not await self._database.truncate_wal():
            log.warning("the write-ahead log still holds deleted rows: somebody reads for long")


class _Records:
    """One transaction."""

    def __init__(self, tx: Connection, ring: KeyRing) -> None:
        self._tx = tx
        self._ring = ring

    def keys_of(self, party: str) -> Wrapped | None:
        return _wrapped(self._ring.rows_of(self._tx, [party]))

    def keys_behind(self, pseudonym: bytes) -> Wrapped | None:
        return _wrapped(self._ring.rows_behind(self._tx, [pseudonym]))

    def whose(self, pseudonyms: Collection[bytes]) -> Mapping[bytes, str]:
        rows = self._ring.rows_behind(self._tx, list(pseudonyms))
        return {row.pseudonym: self._ring.unwrap(row).party for row in rows}

    def destroy(self, pseudonyms: Collection[bytes]) -> int:
        column, wanted = tables.party_keys.c.pseudonym, list(pseudonyms)
        pages = (wanted[at : at + _PAGE] for at in range(0, len(wanted), _PAGE))
        gone = (delete(tables.party_keys).where(column.in_(page)) for page in pages)
        return sum(self._tx.execute(page).rowcount for page in gone)

    def unsaid(self, party: str, last: int) -> bool:
        rows, relay = tables.outbox, tables.KEYS.tables["outbox_relay"]
        removed = self._tx.execute(select(relay.c.last_sequence)).scalar() or 0
        order = (rows.c.xid, rows.c.id)
        # Rows stay until what the log says of them is published: the first of them are said.
        waiting = select(rows.c.event).order_by(*order).offset(max(0, last - removed))
        events = map(self._ring.unseal, self._tx.execute(waiting).scalars())
        return any(party.encode() in event for event in events)

    def once(self, request: Once, now: datetime, change: Callable[[], str]) -> str:
        # Who acts is not written down in clear here either.
        scope = hashlib.sha256(request.scope.encode()).hexdigest()
        return idempotency.once(
            self._tx,
            tables.requests,
            scope=scope,
            request_id=request.request_id,
            content=request.content.encode(),
            now=now,
            change=lambda: change().encode(),
        ).decode()

    def erasure(self, name: str) -> Erasure:
        erasure = self.known_erasure(name)
        if erasure is None:
            raise not_found(name)
        return erasure

    def known_erasure(self, name: str) -> Erasure | None:
        row = self._known(tables.erasures, name)
        return None if row is None else self._erasure(row)

    def waiting(self, pseudonym: bytes) -> Erasure | None:
        rows = tables.erasures
        here = (rows.c.pseudonym == pseudonym, rows.c.state == "asked")
        row = self._tx.execute(select(rows).where(*here)).one_or_none()
        return None if row is None else self._erasure(row)

    def erasures(self, part: Part) -> Sequence[Erasure]:
        return [self._erasure(row) for row in self._part(tables.erasures, part)]

    def save_erasure(self, erasure: Erasure) -> None:
        done, settled = erasure.destroyed, erasure.erased or erasure.cancelled
        self._save(
            tables.erasures,
            {
                "id": _id(erasure.name),
                "pseudonym": erasure.pseudonym,
                "ground": erasure.ground.value,
                "state": erasure.state.value,
                "asked": erasure.asked.time,
                "settled": settled.time if settled else None,
                "actors": self._sealed(erasure.name, (erasure.asked, settled)),
                "event_id": done.event_id if done else "",
                "kek": done.keys.month if done else "",
                "fingerprint": done.keys.fingerprint if done else b"",
                "entries": done.entries if done else None,
                "log_size": done.log_size if done else None,
            },
        )

    def hold(self, name: str) -> Hold:
        hold = self.known_hold(name)
        if hold is None:
            raise not_found(name)
        return hold

    def known_hold(self, name: str) -> Hold | None:
        row = self._known(tables.holds, name)
        return None if row is None else self._hold(row)

    def standing(self, pseudonym: bytes) -> Hold | None:
        rows = tables.holds
        here = (rows.c.pseudonym == pseudonym, rows.c.lifted.is_(None))
        row = self._tx.execute(select(rows).where(*here).order_by(rows.c.id).limit(1)).first()
        return None if row is None else self._hold(row)

    def holds(self, part: Part) -> Sequence[Hold]:
        return [self._hold(row) for row in self._part(tables.holds, part)]

    def save_hold(self, hold: Hold) -> None:
        steps = (hold.placed, hold.lift_asked, hold.lifted)
        self._save(
            tables.holds,
            {
                "id": _id(hold.name),
                "pseudonym": hold.pseudonym,
                "kind": hold.kind.value,
                "reference": hold.reference,
                "placed": hold.placed.time,
                "lift_asked": hold.lift_asked.time if hold.lift_asked else None,
                "lifted": hold.lifted.time if hold.lifted else None,
                "actors": self._sealed(hold.name, steps),
            },
        )

    def destroyed_months(self) -> Mapping[str, datetime]:
        rows = tables.keks
        found = self._tx.execute(select(rows).where(rows.c.destroyed.is_not(None)))
        return {row.month: row.destroyed for row in found}

    def knows_month(self, month: str) -> bool:
        rows = tables.keks
        return self._tx.execute(select(rows).where(rows.c.month == month)).first() is not None

    def newest_month(self) -> str:
        return self._ring.newest.month

    def wrapped_under(self, month: str) -> int:
        rows, events = tables.party_keys, tables.outbox
        wrapped = select(func.count()).select_from(rows).where(rows.c.kek == month)
        waiting = select(func.count()).select_from(events).where(waits_under == month.encode())
        return sum(self._tx.execute(counted).scalar_one() for counted in (wrapped, waiting))

    def retire_month(self, month: str, time: datetime) -> None:
        rows = tables.keks
        here = (rows.c.month == month, rows.c.retired.is_(None))
        self._tx.execute(update(rows).where(*here).values(retired=time))

    def destroy_month(self, month: str, time: datetime) -> None:
        rows = tables.keks
        insert_missing(self._tx, rows, [{"month": month, "destroyed": None}])
        self._tx.execute(update(rows).where(rows.c.month == month).values(destroyed=time))

    def publish(self, event: Event) -> None:
        publish(self._tx, self._ring, event)

    def _erasure(self, row: Row[Any]) -> Erasure:
        name = f"erasures/{row.id}"
        asker, settler = self._opened(name, row.actors)
        settled = Step(settler, row.settled) if row.settled else None
        done = None
        if row.event_id:
            keys = Wrapped(row.pseudonym, row.kek, row.fingerprint)
            done = Destroyed(keys, row.event_id, row.entries, row.log_size)
        return Erasure(
            name,
            row.pseudonym,
            Ground(row.ground),
            Step(asker, row.asked),
            erased=settled if done else None,
            cancelled=None if done else settled,
            destroyed=done,
        )

    def _hold(self, row: Row[Any]) -> Hold:
        name = f"holds/{row.id}"
        placer, asker, lifter = self._opened(name, row.actors)
        return Hold(
            name,
            row.pseudonym,
            HoldKind(row.kind),
            row.reference,
            Step(placer, row.placed),
            lift_asked=Step(asker, row.lift_asked) if row.lift_asked else None,
            lifted=Step(lifter, row.lifted) if row.lifted else None,
        )

    def _known(self, table: Table, name: str) -> Row[Any] | None:
        return self._tx.execute(select(table).where(table.c.id == _id(name))).one_or_none()

    def _part(self, table: Table, part: Part) -> Sequence[Row[Any]]:
        below = (table.c.id < part.before,) if part.before else ()
        wanted = select(table).where(*below).order_by(table.c.id.desc()).limit(part.size)
        return self._tx.execute(wanted).all()

    def _save(self, table: Table, values: dict[str, object]) -> None:
        here = table.c.id == values["id"]
        if not self._tx.execute(table.update().where(here).values(values)).rowcount:
            self._tx.execute(table.insert().values(values))

    def _sealed(self, name: str, steps: Sequence[Step | None]) -> bytes:
        who = json.dumps([step.who if step else "" for step in steps])
        return self._organisation().encrypt(who.encode(), name.encode())

    def _opened(self, name: str, sealed: bytes) -> list[str]:
        who: list[str] = json.loads(self._organisation().decrypt(sealed, name.encode()))
        return who

    def _organisation(self) -> StoredPartyKeys:
        held = self._ring.held([ORGANISATION])
        if ORGANISATION in held:
            return held[ORGANISATION]
        (row,) = self._ring.rows_of(self._tx, [ORGANISATION])
        return self._ring.unwrap(row)


def _wrapped(rows: Sequence[KeyRow]) -> Wrapped | None:
    if not rows:
        return None
    (row,) = rows
    return Wrapped(row.pseudonym, row.kek, hashlib.sha256(row.wrapped).digest())


def _id(name: str) -> str:
    return name.partition("/")[2]
