"""The store: units of work over the tables."""

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Connection, select

from runtime.db import Database
from runtime.event import Event
from runtime.idempotency import once
from runtime.outbox import publish
from services.sharing.domain.ports import DecisionCodec, Records, Request
from services.sharing.store import tables
from services.sharing.store.consents import StoredConsents
from services.sharing.store.contracts import StoredContracts
from services.sharing.store.decisions import StoredDecisions
from services.sharing.store.disclosures import StoredDisclosures
from services.sharing.store.endings import StoredEndings
from services.sharing.store.expiries import StoredExpiries
from services.sharing.store.history import StoredHistory
from services.sharing.store.instruments import StoredInstruments
from services.sharing.store.notices import StoredNotices
from services.sharing.store.preferences import StoredPreferences
from services.sharing.store.reach import StoredReach
from services.sharing.store.recipients import StoredRecipients
from services.sharing.store.subjects import StoredSubjects

T = TypeVar("T")

# Where alembic finds the migrations.
MIGRATIONS = "services.sharing.store:migrations"
_KEPT = (
    tables.subjects,
    tables.recipients,
    tables.contracts,
    tables.consents,
    tables.preferences,
    tables.instruments,
    tables.decisions,
)


class StoredRecords:
    """Everything that is kept, on one connection."""

    __slots__ = ("_codec", "_tx")

    def __init__(self, tx: Connection, codec: DecisionCodec) -> None:
        self._tx = tx
        self._codec = codec

    @property
    def subjects(self) -> StoredSubjects:
        """Account's facts."""
        return StoredSubjects(self._tx)

    @property
    def recipients(self) -> StoredRecipients:
        """Organisations."""
        return StoredRecipients(self._tx)

    @property
    def contracts(self) -> StoredContracts:
        """Contracts."""
        return StoredContracts(self._tx)

    @property
    def consents(self) -> StoredConsents:
        """Consents."""
        return StoredConsents(self._tx)

    @property
    def preferences(self) -> StoredPreferences:
        """Standing choices."""
        return StoredPreferences(self._tx)

    @property
    def instruments(self) -> StoredInstruments:
        """Legal instruments."""
        return StoredInstruments(self._tx)

    @property
    def history(self) -> StoredHistory:
        """The records as they stood at a past moment."""
        return StoredHistory(self._tx)

    @property
    def notices(self) -> StoredNotices:
        """Notices to recipients."""
        return StoredNotices(self._tx)

    @property
    def endings(self) -> StoredEndings:
        """What ended and is still to be told."""
        return StoredEndings(self._tx)

    @property
    def expiries(self) -> StoredExpiries:
        """The calendar."""
        return StoredExpiries(self._tx)

    @property
    def decisions(self) -> StoredDecisions:
        """Decisions."""
        return StoredDecisions(self._tx, self._codec)

    def empty(self) -> bool:
        """Tell whether no fact is kept and nothing was decided."""
        return not any(self._tx.execute(select(table).limit(1)).first() for table in _KEPT)

    @property
    def disclosures(self) -> StoredDisclosures:
        """What was really sent."""
        return StoredDisclosures(self._tx)

    @property
    def reach(self) -> StoredReach:
        """Who has whose data."""
        return StoredReach(self._tx, self.decisions)

    def publish(self, event: Event) -> None:
        """Hand an event to the audit log, if and only if the unit commits."""
        publish(self._tx, tables.outbox, event)

    def once(self, request: Request[T], now: datetime, change: Callable[[], T]) -> bytes:
        """Make the change unless this request was answered before; return the encoded answer."""
        return once(
            self._tx,
            tables.requests,
            scope=request.scope,
            request_id=request.request_id,
            content=request.content,
            now=now,
            change=lambda: request.encode(change()),
        )


class SqlStore:
    """Runs units of work on a database."""

    def __init__(self, database: Database, codec: DecisionCodec) -> None:
        self._database = database
        self._codec = codec

    async def write(self, unit: Callable[[Records], T]) -> T:
        """Run a unit in a serializable transaction; durable when it returns."""
        return await self._database.write(lambda tx: unit(StoredRecords(tx, self._codec)))

    async def read(self, unit: Callable[[Records], T]) -> T:
        """Run a unit that only reads, on a snapshot."""
        return await self._database.read(lambda tx: unit(StoredRecords(tx, self._codec)))
