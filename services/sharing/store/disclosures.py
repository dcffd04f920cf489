"""Disclosures in SQL: one row each, and one for the first of each kind; never altered."""

import json
from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from runtime.db import insert_missing
from services.sharing.domain.disclosure import Disclosure
from services.sharing.domain.ports import Page
from services.sharing.store.paging import by_ordinal
from services.sharing.store.tables import disclosures, received


class StoredDisclosures:
    """Disclosures on one connection."""

    __slots__ = ("_tx",)

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def add(self, disclosure: Disclosure) -> int:
        """Store a disclosure; return its number."""
        row = insert(disclosures).values(
            name=disclosure.name,
            decision=disclosure.decision,
            holder=disclosure.holder,
            recipient=disclosure.recipient,
            service=disclosure.service,
            purpose=disclosure.purpose,
            categories=json.dumps(disclosure.categories),
            consents=json.dumps(disclosure.consents),
            instrument=disclosure.instrument,
            records=disclosure.records,
            time=disclosure.time,
            recorded=disclosure.recorded,
            late=int(disclosure.late),
            sender=disclosure.sender,
        )
        number: int = self._tx.execute(row.returning(disclosures.c.ordinal)).scalar_one()
        kind = {
            "holder": disclosure.holder,
            "recipient": disclosure.recipient,
            "service": disclosure.service,
            "purpose": disclosure.purpose,
            "categories": json.dumps(disclosure.categories),
            "instrument": disclosure.instrument,
            "disclosure": number,
        }
        insert_missing(self._tx, received, [kind])
        return number

    def under_decision(self, page: Page, decision: str) -> tuple[list[Disclosure], str]:
        """List those under a decision newest first; return the cursor of what follows, or empty."""
        query = select(disclosures).where(disclosures.c.decision == decision)
        return by_ordinal(self._tx, query, page, disclosures.c.ordinal, disclosure_of)

    def told(
        self, page: Page, holder: str, decision: str, secret: Collection[str]
    ) -> tuple[list[Disclosure], str]:
        """List those about a person, under one decision or any, without those kept secret."""
        query = select(disclosures).where(
            disclosures.c.holder == holder, disclosures.c.instrument.not_in(secret)
        )
        if decision:
            query = query.where(disclosures.c.decision == decision)
        return by_ordinal(self._tx, query, page, disclosures.c.ordinal, disclosure_of)


def disclosure_of(row: Row[Any]) -> Disclosure:
    """Read a disclosure."""
    return Disclosure(
        name=row.name,
        decision=row.decision,
        holder=row.holder,
        recipient=row.recipient,
        service=row.service,
        purpose=row.purpose,
        categories=tuple(json.loads(row.categories)),
        consents={name: tuple(keys) for name, keys in json.loads(row.consents).items()},
        instrument=row.instrument,
        records=row.records,
        time=row.time,
        recorded=row.recorded,
        late=bool(row.late),
        sender=row.sender,
    )
