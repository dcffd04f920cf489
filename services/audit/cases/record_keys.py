"""Puts on record which keys sign the log from now on, when they are not those of before.

The entry is the first thing that the new key signs, and during a change the old one signs it too:
who has pinned the old key learns the new one from the log itself, under a signature he believes.
"""

import asyncio
from dataclasses import dataclass

from runtime.clock import Clock
from runtime.event import Event
from services.audit.cases.record import Record
from services.audit.domain.log_keys import LogKeys
from services.audit.domain.note import MalformedNoteError, open_note
from services.audit.domain.ports import LogStore


@dataclass(frozen=True, slots=True)
class RecordKeys:
    """Runs beside the sequencer, before it signs anything."""

    stored: LogStore
    keys: LogKeys
    record: Record
    clock: Clock

    async def open(self) -> None:
        """Compare the keys of now with those below the newest checkpoint."""
        note = await self.stored.newest_note()
        if note is None:
            return
        try:
            signatures = open_note(note, self.keys.verifiers).signatures
        except MalformedNoteError:  # the writer, which opens next, says that it cannot go on
            return
        before = {signature.key for signature in signatures}
        now = [signer.key for signer in self.keys.signers]
        if before == set(now):
            return
        fields = {
            "newest": str(now[0]),
            "sign": " ".join(map(str, now)),
            "ended": " ".join(sorted(str(key) for key in before.difference(now))),
        }
        await self.record(
            Event(
                action="audit:key:rotate",
                outcome="success",
                time=self.clock.now(),
                resource=f"keys/{now[0].key_id.hex()}",
                fields={name: value for name, value in fields.items() if value},
            )
        )

    async def run(self) -> None:
        """Stay for as long as the sequencer does: keys change at a start alone."""
        await asyncio.get_running_loop().create_future()
