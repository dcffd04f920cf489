"""Legal instruments in SQL: what each orders is written once, its steps are added."""

import json
from datetime import date
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from services.sharing.domain.calendar import Expiry, ExpiryKind
from services.sharing.domain.freshness import ChangeKind
from services.sharing.domain.instrument import InstrumentKind, LegalInstrument, Step
from services.sharing.domain.ports import Page
from services.sharing.domain.records import Instrument, SignedDocument
from services.sharing.store.changes import note
from services.sharing.store.expiries import StoredExpiries
from services.sharing.store.paging import by_ordinal
from services.sharing.store.tables import instruments

_GET = select(instruments).where(instruments.c.name == bindparam("name"))


class StoredInstruments:
    """Legal instruments on one connection."""

    __slots__ = ("_tx",)

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def deciding(self, name: str) -> Instrument | None:
        """Return what an instrument orders; None unless it was put in force and not revoked."""
        known = self.get(name)
        return known.orders if known and known.in_force() else None

    def get(self, name: str) -> LegalInstrument | None:
        """Return an instrument."""
        row = self._tx.execute(_GET, {"name": name}).one_or_none()
        return None if row is None else _instrument(row)

    def save(self, instrument: LegalInstrument) -> None:
        """Store a new instrument, or where a known one stands."""
        standing: dict[str, object] = {
            "activator": instrument.activated.actor if instrument.activated else "",
            "activated": instrument.activated and instrument.activated.time,
            "revoker": instrument.revoked.actor if instrument.revoked else "",
            "revoked": instrument.revoked and instrument.revoked.time,
            "note": instrument.note,
        }
        known = update(instruments).where(instruments.c.name == instrument.name)
        if self._tx.execute(known.values(**standing)).rowcount == 0:
            self._tx.execute(insert(instruments).values(**_said(instrument), **standing))
        note(self._tx, ChangeKind.INSTRUMENT, instrument.name)
        end = Expiry(instrument.orders.expires, ExpiryKind.INSTRUMENT, instrument.name)
        StoredExpiries(self._tx).replace(instrument.name, [end] if instrument.in_force() else [])

    def told(self, page: Page, account: str, today: date) -> tuple[list[LegalInstrument], str]:
        """List those ever in force about a person which the person may be told of on that day."""
        query = select(instruments).where(
            instruments.c.account == account,
            instruments.c.activated.is_not(None),
            instruments.c.secret_until < today.isoformat(),  # the empty text is before all days
        )
        return by_ordinal(self._tx, query, page, instruments.c.ordinal, _instrument)

    def secret(self, account: str, today: date) -> frozenset[str]:
        """Return the names of those that the person may not be told of on that day."""
        found = self._tx.execute(
            select(instruments.c.name).where(
                instruments.c.account == account,
                instruments.c.secret_until >= today.isoformat(),
            )
        )
        return frozenset(found.scalars())

    def list(self, page: Page, account: str) -> tuple[list[LegalInstrument], str]:
        """List newest first, all or those about an account; return the cursor of what follows."""
        query = select(instruments)
        if account:
            query = query.where(instruments.c.account == account)
        return by_ordinal(self._tx, query, page, instruments.c.ordinal, _instrument)


def _said(instrument: LegalInstrument) -> dict[str, object]:
    """Return the columns that are never altered."""
    orders, secret = instrument.orders, instrument.secret_until
    return {
        "name": instrument.name,
        "account": orders.account,
        "categories": json.dumps(sorted(orders.categories)),
        "on_date": orders.on.isoformat(),
        "expires": orders.expires.isoformat(),
        "kind": instrument.kind.value,
        "issuer": instrument.issuer,
        "authority": instrument.authority,
        "reference": instrument.reference,
        "secret_until": secret.isoformat() if secret else "",
        "document_sha256": instrument.document.sha256,
        "document_location": instrument.document.location,
        "recorder": instrument.recorded.actor,
        "recorded": instrument.recorded.time,
    }


def _instrument(row: Row[Any]) -> LegalInstrument:
    return LegalInstrument(
        orders=Instrument(
            id=row.name,
            account=row.account,
            categories=frozenset(json.loads(row.categories)),
            on=date.fromisoformat(row.on_date),
            expires=date.fromisoformat(row.expires),
        ),
        kind=InstrumentKind(row.kind),
        issuer=row.issuer,
        authority=row.authority,
        reference=row.reference,
        document=SignedDocument(row.document_sha256, row.document_location),
        recorded=Step(row.recorder, row.recorded),
        secret_until=date.fromisoformat(row.secret_until) if row.secret_until else None,
        activated=Step(row.activator, row.activated) if row.activated else None,
        revoked=Step(row.revoker, row.revoked) if row.revoked else None,
        note=row.note,
    )
