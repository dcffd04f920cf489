"""Notices to recipients in SQL: written with what causes them, sent from here."""

import json
from collections import Counter
from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    Text,
    and_,
    bindparam,
    cast,
    exists,
    func,
    insert,
    not_,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB

from runtime.db import insert_rows
from services.sharing.domain.agreement_ports import NoticeFilter
from services.sharing.domain.ports import Page
from services.sharing.domain.revocation import Cause, Notice, NoticeState, Received
from services.sharing.store.disclosures import disclosure_of
from services.sharing.store.paging import by_ordinal
from services.sharing.store.tables import disclosures, received, recipients
from services.sharing.store.tables import revocation_decisions as sent
from services.sharing.store.tables import revocation_notices as notices

_NOTICES = select(
    notices,
    select(func.aggregate_strings(sent.c.decision, ","))
    .where(sent.c.notice == notices.c.ordinal)
    .scalar_subquery()
    .label("decisions"),
)
_GET = _NOTICES.where(notices.c.name == bindparam("name"))
_AFTER = (
    select(disclosures, recipients.c.kind)
    .join(recipients, recipients.c.name == disclosures.c.recipient)
    .where(
        disclosures.c.holder == bindparam("holder"),
        disclosures.c.ordinal > bindparam("after"),
    )
    .order_by(disclosures.c.ordinal)
    .limit(bindparam("most"))
)
# Looked up one by one: compared with each of some hundred parameters, a table takes a second.
_NAMES = {
    "sqlite": func.json_each(bindparam("decisions")).table_valued("value"),
    "postgresql": func.jsonb_array_elements_text(
        cast(bindparam("decisions", type_=Text), JSONB)
    ).table_valued("value"),
}
_TOLD = {
    dialect: select(sent.c.decision, func.max(notices.c.created).label("last"))
    .select_from(names)
    .join(sent, sent.c.decision == names.c.value)
    .join(notices, notices.c.ordinal == sent.c.notice)
    .where(notices.c.cause == bindparam("cause"))
    .group_by(sent.c.decision)
    for dialect, names in _NAMES.items()
}
_OPEN = notices.c.state.in_((NoticeState.PENDING.value, NoticeState.FAILED.value))


class StoredNotices:
    """Notices on one connection."""

    __slots__ = ("_tx",)

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def received(self, holder: str, after: int, most: int) -> tuple[list[Received], int]:
        """Return what recipients got of a person or guest after a number, oldest first.

        With the number to go on from; 0: nothing follows. What law ordered is left out.
        """
        rows = self._tx.execute(_AFTER, {"holder": holder, "after": after, "most": most}).all()
        received = [Received(row.kind, disclosure_of(row)) for row in rows if not row.instrument]
        return received, rows[-1].ordinal if len(rows) == most else 0

    def told(self, cause: Cause, decisions: Collection[str]) -> dict[str, datetime]:
        """Return of which of these decisions it was told for a cause, and when last."""
        given = {"decisions": json.dumps([*decisions]), "cause": cause.value}
        rows = self._tx.execute(_TOLD[self._tx.dialect.name], given)
        return {row.decision: row.last for row in rows}

    def has_received(self, recipient: str) -> bool:
        """Tell whether a recipient ever received anybody's data."""
        found = select(exists().where(received.c.recipient == recipient))
        return bool(self._tx.execute(found).scalar_one())

    def get(self, name: str) -> Notice | None:
        """Return a notice."""
        row = self._tx.execute(_GET, {"name": name}).one_or_none()
        return None if row is None else _notice(row)

    def add(self, notice: Notice) -> None:
        """Store a new notice."""
        row = insert(notices).values(
            name=notice.name,
            recipient=notice.recipient,
            holder=notice.holder,
            cause=notice.cause.value,
            contract=notice.contract,
            created=notice.created,
            deadline=notice.deadline,
            watch=notice.deadline,
            **_standing(notice),
        )
        ordinal = self._tx.execute(row.returning(notices.c.ordinal)).scalar_one()
        under = [(decision, ordinal) for decision in notice.decisions]
        insert_rows(self._tx, sent, ("decision", "notice"), under)

    def save(self, notice: Notice) -> None:
        """Store where a notice stands; whoever had it to send has it no longer."""
        standing = _standing(notice)
        if notice.state is NoticeState.ACKNOWLEDGED:
            standing["watch"] = None
        known = update(notices).where(notices.c.name == notice.name)
        self._tx.execute(known.values(leased=None, **standing))

    def waiting(self, now: datetime) -> bool:
        """Tell whether any is due, or has turned late."""
        due = exists().where(notices.c.next_attempt <= now)
        late = exists().where(notices.c.watch < now)
        return bool(self._tx.execute(select(or_(due, late))).scalar_one())

    def take(self, now: datetime, until: datetime, most: int, each: int) -> list[Notice]:
        """Return notices that are due and that no worker has, and have them until an instant.

        At most `each` to one recipient, with those that workers have already. Two workers that
        look at the same instant may exceed it, each by as many.
        """
        # A lease that ends later than one that begins now is of a clock that has jumped back.
        had = and_(notices.c.leased > now, notices.c.leased <= until)
        due = notices.c.next_attempt <= now
        under_way: Counter[str] = Counter()
        counted = select(notices.c.recipient, func.count()).where(due, had)
        for recipient, has in self._tx.execute(counted.group_by(notices.c.recipient)):
            under_way[recipient] = has
        waiting = (
            _NOTICES.where(
                due,
                or_(notices.c.leased.is_(None), not_(had)),
                notices.c.recipient.not_in([one for one, has in under_way.items() if has >= each]),
            )
            .order_by(notices.c.next_attempt)
            .limit(most)
            .with_for_update(skip_locked=True)
        )
        rows = []
        for row in self._tx.execute(waiting):
            under_way[row.recipient] += 1
            if under_way[row.recipient] <= each:
                rows.append(row)
        if rows:
            taken = notices.c.ordinal.in_([row.ordinal for row in rows])
            self._tx.execute(update(notices).where(taken).values(leased=until))
        return [_notice(row) for row in rows]

    def turned_late(self, now: datetime, most: int) -> list[Notice]:
        """Return those whose deadline passed unacknowledged; each is returned once."""
        passed = (
            _NOTICES.where(notices.c.watch < now)
            .order_by(notices.c.watch)
            .limit(most)
            .with_for_update(skip_locked=True)
        )
        rows = self._tx.execute(passed).all()
        if rows:
            told = notices.c.ordinal.in_([row.ordinal for row in rows])
            self._tx.execute(update(notices).where(told).values(watch=None))
        return [_notice(row) for row in rows]

    def list(self, page: Page, wanted: NoticeFilter, now: datetime) -> tuple[list[Notice], str]:
        """List newest first; return the cursor of what follows, or empty."""
        query = _NOTICES
        if wanted.recipient:
            query = query.where(notices.c.recipient == wanted.recipient)
        if wanted.state:
            query = query.where(notices.c.state == wanted.state.value)
        if wanted.overdue:
            query = query.where(notices.c.deadline < now, _OPEN)
        return by_ordinal(self._tx, query, page, notices.c.ordinal, _notice)


def _standing(notice: Notice) -> dict[str, object]:
    return {
        "state": notice.state.value,
        "attempts": notice.attempts,
        "attempted": notice.attempted,
        "next_attempt": notice.next_attempt,
        "problem": notice.problem,
        "acknowledged": notice.acknowledged,
        "acknowledger": notice.acknowledger,
        "note": notice.note,
    }


def _notice(row: Row[Any]) -> Notice:
    return Notice(
        name=row.name,
        recipient=row.recipient,
        holder=row.holder,
        cause=Cause(row.cause),
        decisions=tuple(sorted(row.decisions.split(","))) if row.decisions else (),
        contract=row.contract,
        created=row.created,
        deadline=row.deadline,
        state=NoticeState(row.state),
        attempts=row.attempts,
        attempted=row.attempted,
        next_attempt=row.next_attempt,
        problem=row.problem,
        acknowledged=row.acknowledged,
        acknowledger=row.acknowledger,
        note=row.note,
    )
