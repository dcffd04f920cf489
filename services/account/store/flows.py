"""Flows at rest: a digest, an expiry, and whether they were taken."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, select, update

from services.account.domain import faults, registration
from services.account.domain.flow import Flow, Purpose
from services.account.domain.profile import Field
from services.account.store.tables import flows

# A registration of a flow may be open this long after it; until then the row must say whether it
# was used. Twice that, for clocks.
_KEEP = 2 * registration.LIFE + timedelta(hours=1)


class SqlFlows:
    """`domain.ports.Flows` over one transaction."""

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def add(self, flow: Flow, now: datetime) -> None:
        """Add a flow, and forget those that ended long ago."""
        self._tx.execute(delete(flows).where(flows.c.expires < now - _KEEP))
        self._tx.execute(
            flows.insert().values(
                digest=flow.digest,
                purpose=flow.purpose.value,
                provider=flow.provider,
                account=flow.account,
                imports=" ".join(sorted(field.value for field in flow.imports)),
                expires=flow.expires,
            )
        )

    def take(self, digest: bytes, now: datetime) -> Flow:
        """Take a flow by one conditional UPDATE: of many at once, one sees its row."""
        row = self._tx.execute(
            update(flows)
            .where(flows.c.digest == digest, flows.c.taken.is_(None))
            .values(taken=now)
            .returning(flows)
        ).one_or_none()
        if row is None:
            known = self._tx.execute(select(flows.c.digest).where(flows.c.digest == digest))
            raise faults.flow_unknown() if known.first() is None else faults.flow_replayed()
        return Flow(
            digest=row.digest,
            purpose=Purpose(row.purpose),
            provider=row.provider,
            account=row.account,
            imports=frozenset(Field(value) for value in row.imports.split()),
            expires=row.expires,
        )

    def registered(self, digest: bytes) -> str | None:
        """Return the account to which a flow's proof led."""
        return self._tx.execute(
            select(flows.c.registered).where(flows.c.digest == digest)
        ).scalar_one_or_none()

    def register(self, digest: bytes, account: str) -> bool:
        """Note it by one conditional UPDATE, so that a proof leads to one account."""
        changed = self._tx.execute(
            update(flows)
            .where(flows.c.digest == digest, flows.c.registered.is_(None))
            .values(registered=account)
        )
        return changed.rowcount == 1
