"""Units of work over account's database."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Connection

from runtime import idempotency
from runtime.db import Database
from runtime.event import Event
from runtime.outbox import publish
from runtime.seal import Sealer
from services.account.domain.ports import Transaction
from services.account.store.accounts import SqlAccounts
from services.account.store.flows import SqlFlows
from services.account.store.links import SqlLinks
from services.account.store.sessions import SqlSessions
from services.account.store.staff import SqlStaff
from services.account.store.tables import outbox, requests

T = TypeVar("T")


class SqlTransaction:
    """`domain.ports.Transaction` over one connection."""

    def __init__(self, tx: Connection, sealer: Sealer) -> None:
        self._tx = tx
        self.accounts = SqlAccounts(tx, sealer)
        self.flows = SqlFlows(tx)
        self.links = SqlLinks(tx, sealer)
        self.sessions = SqlSessions(tx)
        self.staff = SqlStaff(tx, sealer)

    def publish(self, event: Event) -> None:
        """Put an event into the outbox."""
        publish(self._tx, outbox, event)

    def once(
        self, scope: str, request_id: str, content: str, now: datetime, change: Callable[[], str]
    ) -> str:
        """Run `change` unless this request was answered before; return the answer."""
        return idempotency.once(
            self._tx,
            requests,
            scope=scope,
            request_id=request_id,
            content=content.encode(),
            now=now,
            change=lambda: change().encode(),
        ).decode()


@dataclass(frozen=True, slots=True)
class SqlStore:
    """`domain.ports.Store` over a database and the sealing key."""

    db: Database
    sealer: Sealer

    async def write(self, unit: Callable[[Transaction], T]) -> T:
        """Run a unit that may change things; durable when this returns."""
        return await self.db.write(lambda tx: unit(SqlTransaction(tx, self.sealer)))

    async def read(self, unit: Callable[[Transaction], T]) -> T:
        """Run a unit that only reads."""
        return await self.db.read(lambda tx: unit(SqlTransaction(tx, self.sealer)))
