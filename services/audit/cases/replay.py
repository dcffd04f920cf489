"""Erases again whom the log says was erased: a restored backup of the keys must not undo it.

The log is the ledger of erasures: it is kept for longer than any backup of the keys, and it cannot
be changed. So after a restore of the key database, and at every start, what it tells is done again.
Whose keys were destroyed, and which month, stands there in clear: no key is needed to know it. Of
a database that came from a backup, holds and erasures too are brought to where the log saw them.
"""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from runtime import logs
from services.audit.cases.replayed_steps import Steps
from services.audit.domain.entry import Facet, StoredEntry
from services.audit.domain.erasure_ports import KeyRecords, KeyStore
from services.audit.domain.faults import LogDamagedError
from services.audit.domain.ports import Filter, Keys, LogStore, OwnEvents

log = logs.get(__name__)

_ERASE, _DESTROY = 4020, 4051
_STEPS = (_ERASE, 4021, 4022, 4030, 4031, 4032)  # of erasures and holds
_PSEUDONYM, _MONTH = re.compile(r"[0-9a-f]{32}"), re.compile(r"\d{4}-\d{2}")
_PAGE = 500


@dataclass(frozen=True, slots=True)
class Replay:
    """Run it before anything is served from a key database that may come from a backup."""

    origin: str
    stored: LogStore
    keys: Keys
    store: KeyStore
    own: OwnEvents

    async def __call__(self) -> int:
        """Delete the keys of all whom the log tells the erasure of; return how many had some.

        A month whose key-encryption key was destroyed is marked so again, and audit's own events
        go on from the number that the log knows. LogDamagedError for an entry that tells of an
        end, and not of whose.
        """
        # Before the events that wait are counted: it cannot be ahead of them but by a restore.
        last = await self.stored.last_sequence("audit")
        pseudonyms: set[bytes] = set()
        months: dict[str, datetime] = {}
        async for page in self._told(_ERASE, _DESTROY):
            for entry in page:
                ended = _ended(entry)
                if entry.sealed.event == _ERASE:
                    pseudonyms.add(bytes.fromhex(ended))
                else:
                    months[ended] = entry.sealed.time

        def again(records: KeyRecords) -> int:
            for month in months.keys() - records.destroyed_months().keys():
                records.destroy_month(month, months[month])
            return records.destroy(pseudonyms)

        gone = await self.store.write(again) if pseudonyms or months else 0
        if gone:
            await self.store.scrub()
            log.warning("keys of erased people came back, and were destroyed again", count=gone)
        await self._catch_up(last)
        return gone

    async def _catch_up(self, last: int) -> None:
        """Bring a database that knows less than the log to where the log is."""
        left, waiting = await self.own.waiting()
        said = waiting[: max(0, last - left)]
        known = {entry.sealed.event_id for entry in await self.stored.by_event_id(waiting)}
        if last - left <= len(said) and known.issuperset(said):
            return
        steps = Steps()
        async for page in self._told(*_STEPS):
            found = await self.keys.of({s.pseudonym for e in page for s in e.sealed.sections})
            for entry in page:
                steps.add(self.origin, entry, found)
        await self.store.write(steps.repeat)
        await self.own.catch_up(last, known)
        log.warning("audit's own events go on from the log's number", sequence=last)
        if steps.unread:
            # Without whom they hold they cannot be put back: the officers have to.
            log.error("steps of holds and erasures cannot be read: repeat them", at=steps.unread)

    async def _told(self, *events: int) -> AsyncIterator[list[StoredEntry]]:
        facets = {Facet.EVENT: [e.to_bytes(2) for e in events], Facet.OUTCOME: [b"ok"]}
        wanted = Filter(facets, producer="audit")
        after: int | None = None
        while True:
            found = await self.stored.select(wanted, after=after, newest_first=False, limit=_PAGE)
            yield list(found.entries)
            if (after := found.more) is None:
                return


def _ended(entry: StoredEntry) -> str:
    """Return what an entry tells the end of. What is not known cannot be ended again."""
    ended = entry.sealed.destroyed
    shape = _PSEUDONYM if entry.sealed.event == _ERASE else _MONTH
    if shape.fullmatch(ended) is None:
        raise LogDamagedError(f"entry {entry.index}: {entry.sealed.action} does not say of what")
    return ended
