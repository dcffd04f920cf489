"""Lets a log begin only where none was: its key may have signed another that is lost."""

import asyncio
from dataclasses import dataclass

from services.audit.domain.faults import LogDamagedError
from services.audit.domain.ports import LogStore, OwnEvents


@dataclass(frozen=True, slots=True)
class BeginLog:
    """Runs beside the sequencer, before it signs the first checkpoint of a log that looks new."""

    stored: LogStore
    own: OwnEvents

    async def open(self) -> None:
        """Refuse an empty database when audit remembers that a log took events of its own.

        LogDamagedError then: with the tiles lost too, nothing else here knows of that log.
        """
        if await self.stored.newest_note() is not None:
            return
        taken, _ = await self.own.waiting()
        if taken:
            raise LogDamagedError(
                "neither the database nor the tile directory holds a log, and the key database "
                f"knows of one that took {taken} events of audit's own: to begin anew would sign a "
                "second history. Put the tile directory or a mirror of it back and run "
                "`python -m services.audit rebuild`, or restore a backup"
            )

    async def run(self) -> None:
        """Stay for as long as the sequencer does: a log begins once."""
        await asyncio.get_running_loop().create_future()
