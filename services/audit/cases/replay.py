"""Erases again whom the log says was erased: a restored backup of the keys must not undo it.

The log is the ledger of erasures: it is kept for longer than any backup of the keys, and it cannot
be changed. So after a restore of the key database, and at every start, what it tells is done again.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from runtime import logs
from services.audit.domain.entry import Facet, StoredEntry
from services.audit.domain.erasure_ports import KeyRecords, KeyStore
from services.audit.domain.ports import Filter, Keys, LogStore, OwnEvents
from services.audit.domain.sealing import open_entry

log = logs.get(__name__)

_ERASE, _DESTROY = (4020).to_bytes(2), (4051).to_bytes(2)
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
        go on from the number that the log knows.
        """
        # Before the events that wait are counted: it cannot be ahead of them but by a restore.
        last = await self.stored.last_sequence("audit")
        told = [entry async for entry in self._told()]
        fields = [await self._fields(entry) for entry in told]
        pseudonyms = {bytes.fromhex(f["pseudonym"]) for f in fields if "pseudonym" in f}
        months = {f["key"]: e.sealed.time for e, f in zip(told, fields, strict=True) if "key" in f}

        def again(records: KeyRecords) -> int:
            for month in months.keys() - records.destroyed_months().keys():
                records.destroy_month(month, months[month])
            return records.destroy(pseudonyms)

        gone = await self.store.write(again) if told else 0
        if gone:
            await self.store.scrub()
            log.warning("keys of erased people came back, and were destroyed again", count=gone)
        if (waiting := await self.own.behind(last)) is not None:
            known = await self.stored.by_event_id(waiting)
            await self.own.catch_up(last, {entry.sealed.event_id for entry in known})
            log.warning("audit's own events go on from the log's number", sequence=last)
        return gone

    async def _told(self) -> AsyncIterator[StoredEntry]:
        wanted = Filter({Facet.EVENT: [_ERASE, _DESTROY], Facet.OUTCOME: [b"ok"]}, producer="audit")
        after: int | None = None
        while True:
            found = await self.stored.select(wanted, after=after, newest_first=False, limit=_PAGE)
            for entry in found.entries:
                yield entry
            if (after := found.more) is None:
                return

    async def _fields(self, entry: StoredEntry) -> dict[str, str]:
        keys = await self.keys.of({section.pseudonym for section in entry.sealed.sections})
        return dict(open_entry(self.origin, entry, keys).event.fields)
