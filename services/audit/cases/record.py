"""Put on record what audit itself does: who read what and why, and who erased whom.

An append is not recorded: its entry is the record, and recording it would never end.
"""

from dataclasses import dataclass

from runtime.event import Event
from services.audit.domain.ports import OwnEvents


@dataclass(frozen=True, slots=True)
class Record:
    """Call it before anything is shown: what cannot be recorded is not done."""

    own: OwnEvents

    async def __call__(self, *events: Event) -> None:
        """Return when the events are durable; the relay carries them into the log.

        UNAVAILABLE or OVERLOADED when they cannot be. ValueError for an event that is not audit's.
        """
        if not all(event.action.startswith("audit:") for event in events):
            raise ValueError("audit records of itself what is named audit:…")
        await self.own.add(events)
