"""Shows entries to an auditor: found by pseudonym, opened with the keys that still exist."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from runtime.event_names import beginning
from services.audit.domain.entry import Facet, OpenedEntry, StoredEntry
from services.audit.domain.faults import no_entry
from services.audit.domain.ports import Filter, Keys, LogStore, PartyKeys
from services.audit.domain.sealing import ORGANISATION, open_entry, tag
from services.audit.domain.wanted import Wanted

# Leaves of one page together; opened they are sent a second time, and a message holds 4 MiB.
PAGE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Page:
    """Some entries in order, and the index beyond which the list goes on; None at its end."""

    entries: Sequence[OpenedEntry]
    cursor: int | None = None

    def within(self, size: int) -> "Page":
        """Return what of it lies among the first `size` entries; beyond them the list ends."""
        covered = [entry for entry in self.entries if entry.stored.index < size]
        return Page(covered, None if len(covered) < len(self.entries) else self.cursor)


@dataclass(frozen=True, slots=True)
class _Found:
    """A page before it is opened, and of whom alone it is opened; None: of everyone."""

    entries: Sequence[StoredEntry] = ()
    cursor: int | None = None
    about: Collection[bytes] | None = None


class ReadEntries:
    """Lists and gets entries of the log `origin`."""

    def __init__(self, origin: str, log: LogStore, keys: Keys) -> None:
        self._origin = origin
        self._log = log
        self._keys = keys

    async def shown(
        self,
        wanted: Wanted,
        *,
        after: int | None,
        newest_first: bool,
        size: int,
        on_record: Callable[[int], Awaitable[None]],
    ) -> Page:
        """Return at most `size` matching entries beyond index `after`, when that is on record.

        `on_record` writes down how many are about to be shown; meanwhile they are opened.
        """
        found = await self._found(wanted, after=after, newest_first=newest_first, size=size)
        writing = asyncio.ensure_future(on_record(len(found.entries)))
        try:
            return await self._opened(found)
        finally:
            await writing  # without it nothing is shown

    async def matching(
        self, wanted: Wanted, *, after: int | None, newest_first: bool, size: int
    ) -> Page:
        """Return at most `size` matching entries beyond index `after`."""
        found = await self._found(wanted, after=after, newest_first=newest_first, size=size)
        return await self._opened(found)

    async def _found(
        self, wanted: Wanted, *, after: int | None, newest_first: bool, size: int
    ) -> "_Found":
        names = set(wanted.parties.values())
        keys = await self._keys.find({*names, ORGANISATION})
        if not names <= keys.keys():
            # Nothing was ever sealed for this party, or its keys are destroyed: in both cases no
            # one can say which entries would be its.
            return _Found()
        asked = _filter(wanted, keys)
        if not all(asked.facets.values()):
            return _Found()  # what nothing is named, nothing is found under
        selection = await self._log.select(
            asked, after=after, newest_first=newest_first, limit=size
        )
        fitting = fitting_part(selection.entries)
        about = {keys[wanted.account].pseudonym} if wanted.account else None
        cut = len(fitting) < len(selection.entries)
        return _Found(fitting, fitting[-1].index if cut else selection.more, about)

    async def _opened(self, found: "_Found") -> Page:
        if not found.entries:
            return Page((), found.cursor)
        return Page(await self._open(found.entries, found.about), found.cursor)

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


def _filter(wanted: Wanted, keys: Mapping[str, PartyKeys]) -> Filter:
    """Translate names into what entries are found under."""
    facets: dict[Facet, list[bytes]] = {}
    if wanted.account:
        facets[Facet.PERSON] = [keys[wanted.account].pseudonym]
    if wanted.actor:
        acting = keys.get(wanted.actor)
        facets[Facet.ACTOR] = [acting.pseudonym if acting else wanted.actor.encode()]
    if wanted.app:
        facets[Facet.APP] = [wanted.app.encode()]
    if wanted.trace_id:
        facets[Facet.TRACE] = [bytes.fromhex(wanted.trace_id)]
    if wanted.action_prefix:
        facets[Facet.EVENT] = [number.to_bytes(2) for number in beginning(wanted.action_prefix)]
    if wanted.outcome:
        facets[Facet.OUTCOME] = [wanted.outcome.encode()]
    organisation = keys.get(ORGANISATION)
    tagged = (
        (Facet.RECIPIENT, wanted.recipient),
        (Facet.CONTRACT, wanted.contract),
    )
    for facet, name in tagged:
        if name:  # without the organisation's keys no entry was ever about one
            facets[facet] = [tag(organisation, facet, name)] if organisation else []
    return Filter(
        facets,
        start_time=wanted.start_time,
        end_time=wanted.end_time,
        producer=wanted.producer,
    )


def fitting_part(stored: Sequence[StoredEntry]) -> Sequence[StoredEntry]:
    """Return as many as fit a message, always at least one."""
    total = 0
    for count, entry in enumerate(stored):
        total += len(entry.leaf)
        if total > PAGE_BYTES and count:
            return stored[:count]
    return stored
