"""Shows entries to a reader: found by pseudonym, opened with the keys that still exist."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.audit.domain.entry import OpenedEntry, StoredEntry
from services.audit.domain.faults import no_entry
from services.audit.domain.ports import Filter, Keys, LogStore
from services.audit.domain.sealing import open_entry

# Leaves of one page together; opened they are sent a second time, and a message holds 4 MiB.
_PAGE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a reader filters by, in names; None does not matter."""

    account: str | None = None
    actor: str | None = None
    action_prefix: str | None = None
    trace_id: str | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None
    producer: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Some entries in order, and whether more follow."""

    entries: Sequence[OpenedEntry]
    more: bool


class ReadEntries:
    """Lists and gets entries of the log `origin`."""

    def __init__(self, origin: str, log: LogStore, keys: Keys) -> None:
        self._origin = origin
        self._log = log
        self._keys = keys

    async def matching(
        self, wanted: Wanted, *, after: int | None, newest_first: bool, size: int
    ) -> Page:
        """Return at most `size` matching entries beyond index `after`."""
        names = {name for name in (wanted.account, wanted.actor) if name is not None}
        keys = await self._keys.find(names)
        if len(keys) < len(names):
            # Nothing was ever sealed for this party, or its keys are destroyed: in both cases no
            # one can say which entries would be its.
            return Page((), more=False)
        stored = await self._log.select(
            Filter(
                account_pseudonym=keys[wanted.account].pseudonym if wanted.account else None,
                actor_pseudonym=keys[wanted.actor].pseudonym if wanted.actor else None,
                action_prefix=wanted.action_prefix,
                trace_id=wanted.trace_id,
                start_time=wanted.start_time,
                end_time=wanted.end_time,
                producer=wanted.producer,
            ),
            after=after,
            newest_first=newest_first,
            limit=size + 1,
        )
        fitting = _fitting(stored[:size])
        about = {keys[wanted.account].pseudonym} if wanted.account else None
        return Page(await self._open(fitting, about), more=len(fitting) < len(stored))

    async def by_index(self, index: int) -> OpenedEntry:
        """Return the entry at a place in the log; NOT_FOUND beyond its end."""
        stored = await self._log.by_index(index)
        if stored is None:
            raise no_entry(str(index))
        return (await self._open([stored]))[0]

    async def by_event_id(self, event_id: str) -> OpenedEntry:
        """Return the entry of an event; NOT_FOUND when the log has none."""
        stored = await self._log.by_event_id([event_id])
        if not stored:
            raise no_entry(event_id)
        return (await self._open(stored))[0]

    async def _open(
        self, stored: Sequence[StoredEntry], about: Collection[bytes] | None = None
    ) -> list[OpenedEntry]:
        keys = await self._keys.of(
            {
                section.pseudonym
                for entry in stored
                for number, section in enumerate(entry.sealed.sections)
                if about is None or number < entry.sealed.own_sections or section.pseudonym in about
            }
        )
        return [open_entry(self._origin, entry, keys, about) for entry in stored]


def _fitting(stored: Sequence[StoredEntry]) -> Sequence[StoredEntry]:
    """Return as many as fit a message, always at least one."""
    total = 0
    for count, entry in enumerate(stored):
        total += len(entry.leaf)
        if total > _PAGE_BYTES and count:
            return stored[:count]
    return stored
