"""What audit itself says to the log, until it is there: an outbox in the key database."""

from collections.abc import Sequence

from runtime.db import Database
from runtime.event import Event
from runtime.outbox import publish
from services.audit.store.tables import outbox


class StoredOwnEvents:
    """Audit's own outbox; its relay calls this service as the others' relays do."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, events: Sequence[Event]) -> None:
        """Write events, durable on return."""
        await self._database.write(lambda tx: publish(tx, outbox, *events))
