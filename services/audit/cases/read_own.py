"""Shows people and apps the entries that concern themselves, and nothing of anybody else."""

from collections.abc import Collection, Mapping, Sequence

from runtime.call import Caller
from runtime.clock import Clock
from services.audit.cases.read_entries import PAGE_BYTES, Page, fitting_part
from services.audit.domain import own
from services.audit.domain.entry import Facet, OpenedEntry, StoredEntry
from services.audit.domain.faults import no_entry
from services.audit.domain.ports import Filter, Keys, LogStore, PartyKeys, Selection
from services.audit.domain.sealing import open_entry

_LOOKS = 10  # how often one page looks on past entries that are not shown
_ORDERS = 200  # entries about legal instruments in one look


class ReadOwn:
    """A person's or an app's own entries of the log `origin`."""

    def __init__(self, origin: str, log: LogStore, keys: Keys, clock: Clock) -> None:
        self._origin = origin
        self._log = log
        self._keys = keys
        self._clock = clock

    async def of_person(self, account: str, *, after: int | None, size: int) -> Page:
        """Return entries about the person or of what they did, newest first."""
        mine = await self._key(account)
        if mine is None:
            return Page(())
        secret = await self._secret(mine)
        shown, total = list[OpenedEntry](), 0
        for _ in range(_LOOKS):
            found = await self._found(_under(mine), after, size)
            for at, each in enumerate(found.entries):
                opened = self._for_person(each, mine, secret)
                if opened is None:
                    continue
                total += len(each.leaf)
                if shown and total > PAGE_BYTES:
                    return Page(shown, shown[-1].stored.index)
                shown.append(opened)
                if len(shown) == size:
                    last = at + 1 == len(found.entries)
                    return Page(shown, found.more if last else each.index)
            after = found.more
            if after is None:
                break
        return Page(shown, after)

    async def one_of_person(self, account: str, index: int) -> OpenedEntry:
        """Return an entry of those; NOT_FOUND for any other, whether it exists or not."""
        mine = await self._key(account)
        stored = await self._log.by_index(index)
        if mine is None or stored is None or not _under(mine) & set(stored.sealed.postings):
            raise no_entry(str(index))
        opened = self._for_person(stored, mine, await self._secret(mine))
        if opened is None:
            raise no_entry(str(index))
        return opened

    async def of_app(self, app: Caller, *, after: int | None, size: int) -> Page:
        """Return entries of what the app did or what came through it, newest first."""
        found = await self._found(_of_app(app), after, size)
        fitting = fitting_part(found.entries)
        cut = len(fitting) < len(found.entries)
        cursor = fitting[-1].index if cut else found.more
        return Page(await self._for_app(fitting), cursor)

    async def one_of_app(self, app: Caller, index: int) -> OpenedEntry:
        """Return an entry of those; NOT_FOUND for any other, whether it exists or not."""
        stored = await self._log.by_index(index)
        if stored is None or not _of_app(app) & set(stored.sealed.postings):
            raise no_entry(str(index))
        return (await self._for_app([stored]))[0]

    async def _key(self, name: str) -> PartyKeys | None:
        return (await self._keys.find([name])).get(name)

    async def _found(
        self, keys: Collection[tuple[Facet, bytes]], after: int | None, limit: int
    ) -> Selection:
        """Return the newest entries that stand under any of the keys, each once."""
        found = [
            await self._log.select(
                Filter({facet: [key]}), after=after, newest_first=True, limit=limit
            )
            for facet, key in keys
        ]
        # What one search has not looked at yet may lie between the finds of the other.
        reached = max((each.more for each in found if each.more is not None), default=-1)
        merged = {entry.index: entry for each in found for entry in each.entries}
        entries = [merged[index] for index in sorted(merged, reverse=True) if index >= reached]
        if len(entries) > limit:
            return Selection(entries[:limit], entries[limit - 1].index)
        return Selection(entries, reached if reached >= 0 else None)

    async def _secret(self, mine: PartyKeys) -> frozenset[str]:
        """Return the legal instruments about a person that they must not be told of today."""
        today = self._clock.now().date()
        orders = {Facet.PERSON: [mine.pseudonym], Facet.EVENT: own.ORDERS}
        wanted = Filter(orders, producer="sharing")
        after, secret = None, set[str]()
        while True:  # bounded by how many instruments are about one person
            found = await self._log.select(wanted, after=after, newest_first=True, limit=_ORDERS)
            for each in found.entries:
                opened = open_entry(self._origin, each, _only(mine), _own(mine))
                secret.add(own.order(opened, today))
            after = found.more
            if after is None:
                return frozenset(secret) - {""}

    def _for_person(
        self, stored: StoredEntry, mine: PartyKeys, secret: Collection[str]
    ) -> OpenedEntry | None:
        everything = open_entry(self._origin, stored, _only(mine), _own(mine))
        seen = own.of_person(everything, secret)
        if seen is None:
            return None
        return open_entry(self._origin, stored, _only(mine), _own(mine), seen.__contains__)

    async def _for_app(self, stored: Sequence[StoredEntry]) -> list[OpenedEntry]:
        keys = await self._keys.of(
            {section.pseudonym for entry in stored for section in entry.sealed.sections}
        )
        shown = []
        for each in stored:
            seen = own.of_app(open_entry(self._origin, each, keys))
            shown.append(open_entry(self._origin, each, keys, None, seen.__contains__))
        return shown


def _under(mine: PartyKeys) -> frozenset[tuple[Facet, bytes]]:
    """Return under what a person's own entries are found: as whom they are about, as who acts."""
    return frozenset({(Facet.PERSON, mine.pseudonym), (Facet.ACTOR, mine.pseudonym)})


def _of_app(app: Caller) -> frozenset[tuple[Facet, bytes]]:
    """Return under what an app's entries are found: as who acts, and as what called."""
    acting, called = app.spiffe_id.encode(), f"app/{app.name}".encode()
    return frozenset({(Facet.ACTOR, acting), (Facet.APP, called)})


def _only(mine: PartyKeys) -> Mapping[bytes, PartyKeys]:
    """Return the one key that a person's own entries are opened with."""
    return {mine.pseudonym: mine}


def _own(mine: PartyKeys) -> frozenset[bytes]:
    return frozenset({mine.pseudonym})
