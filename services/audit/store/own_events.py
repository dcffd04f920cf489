"""What audit itself says to the log, until it is there: an outbox in the key database."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from accord.audit.v1.append_service_pb2 import NewEntry
from sqlalchemy import Connection, delete, select, update

from runtime.db import Database, insert_missing
from runtime.event import Event
from runtime.outbox import publish
from services.audit.store.tables import KEYS, outbox

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_relay = KEYS.tables["outbox_relay"]


class StoredOwnEvents:
    """Audit's own outbox; its relay calls this service as the others' relays do."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, events: Sequence[Event]) -> None:
        """Write events, durable on return."""
        await self._database.write(lambda tx: publish(tx, outbox, *events))

    async def waiting(self) -> tuple[int, Sequence[str]]:
        """Return the number of the last event that left, and the ids of those that wait."""

        def query(tx: Connection) -> tuple[int, Sequence[str]]:
            removed = tx.execute(select(_relay.c.last_sequence)).scalar() or 0
            rows = select(outbox.c.event).order_by(outbox.c.xid, outbox.c.id)
            events = tx.execute(rows).scalars()
            return removed, [NewEntry.FromString(event).event_id for event in events]

        return await self._database.read(query)

    async def catch_up(self, last: int, known: Collection[str]) -> None:
        """Remove the events that the log knows; the others get the numbers behind `last`."""

        def unit(tx: Connection) -> None:
            for id_, event in tx.execute(select(outbox.c.id, outbox.c.event)).all():
                if NewEntry.FromString(event).event_id in known:
                    tx.execute(delete(outbox).where(outbox.c.id == id_))
            # Of a key database that was begun anew, the relay has no memory yet.
            first = {"name": "audit", "last_sequence": last, "holder": "", "lease_until": _LONG_AGO}
            insert_missing(tx, _relay, [first])
            tx.execute(update(_relay).values(last_sequence=last))

        await self._database.write(unit)
