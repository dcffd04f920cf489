"""What audit itself says to the log, until it is there: an outbox in the key database.

It names people, of whom some are erased: its rows are encrypted under the month's key-encryption
key, so that what a database keeps of them when they are gone says nothing once that is destroyed.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from accord.audit.v1.append_service_pb2 import NewEntry
from sqlalchemy import Connection, delete, select, update

from runtime.db import Database, insert_missing
from runtime.event import Event
from runtime.outbox import append, encoded
from services.audit.store.key_ring import KeyRing
from services.audit.store.party_keys import StoredKeys
from services.audit.store.tables import KEYS, outbox

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_relay = KEYS.tables["outbox_relay"]


class StoredOwnEvents:
    """Audit's own outbox; its relay calls this service as the others' relays do."""

    def __init__(self, database: Database, keys: StoredKeys) -> None:
        self._database = database
        self._rings = keys.rings

    async def add(self, events: Sequence[Event]) -> None:
        """Write events, durable on return."""
        await self._database.write(lambda tx: publish(tx, self._rings.at_newest(tx), *events))

    def opened(self, tx: Connection, rows: Sequence[bytes]) -> Sequence[bytes]:
        """Return what rows say, for the relay."""
        return [*map(self._rings.at(tx).unseal, rows)] if rows else ()

    async def waiting(self) -> tuple[int, Sequence[str]]:
        """Return the number of the last event that left, and the ids of those that wait."""

        def query(tx: Connection) -> tuple[int, Sequence[str]]:
            removed = tx.execute(select(_relay.c.last_sequence)).scalar() or 0
            rows = select(outbox.c.event).order_by(outbox.c.xid, outbox.c.id)
            events = self.opened(tx, tx.execute(rows).scalars().all())
            return removed, [NewEntry.FromString(event).event_id for event in events]

        return await self._database.read(query)

    async def catch_up(self, last: int, known: Collection[str]) -> None:
        """Remove the events that the log knows; the others get the numbers behind `last`."""

        def unit(tx: Connection) -> None:
            ring = self._rings.at(tx)
            for id_, event in tx.execute(select(outbox.c.id, outbox.c.event)).all():
                if NewEntry.FromString(ring.unseal(event)).event_id in known:
                    tx.execute(delete(outbox).where(outbox.c.id == id_))
            # Of a key database that was begun anew, the relay has no memory yet.
            first = {"name": "audit", "last_sequence": last, "holder": "", "lease_until": _LONG_AGO}
            insert_missing(tx, _relay, [first])
            tx.execute(update(_relay).values(last_sequence=last))

        await self._database.write(unit)


def publish(tx: Connection, ring: KeyRing, *events: Event) -> None:
    """Write events in the caller's transaction, encrypted; ValueError for what none may say."""
    append(tx, outbox, [ring.newest.seal(encoded(event)) for event in events])
