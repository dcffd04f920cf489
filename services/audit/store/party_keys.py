"""Parties' keys in a database of their own, wrapped, with backups shorter than the log's.

A party's row is all that ties a name to its pseudonym and opens its sections. Delete the row, and
once no backup of it can be unwrapped any more nothing of the party can be read in the log.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, bindparam, select, update

from runtime.db import Database, insert_missing
from services.audit.domain.faults import log_unavailable
from services.audit.domain.sealing import ORGANISATION
from services.audit.store.key_encryption import MONTH_SIZE
from services.audit.store.key_ring import (
    KeyRing,
    KeyRings,
    StoredPartyKeys,
    by_party,
    waits_under,
)
from services.audit.store.tables import outbox, party_keys

T = TypeVar("T")
Find = Callable[[Collection[str]], Mapping[str, StoredPartyKeys]]


class StoredKeys:
    """The key database. Each use asks whether its generation is still that of the keys in memory.

    What is kept in memory spares reading and unwrapping, and nothing else: a key that was deleted
    by whomever, in whichever process, is gone for the next use here.
    """

    def __init__(self, database: Database, kek_directory: Path) -> None:
        self._database = database
        self.rings = KeyRings(kek_directory)

    async def ensure(self, parties: Collection[str]) -> Mapping[str, StoredPartyKeys]:
        """Return the keys of all parties, making those that are missing."""
        found = await self.find(parties)
        while missing := [party for party in parties if party not in found]:
            await self._database.write(lambda tx, absent=missing: self._make(tx, absent))  # type: ignore[misc]  # bound now
            # Read what is there now: another writer may have been first, or have erased one since.
            found = {**found, **await self.find(missing)}
        return found

    async def use(self, work: Callable[[Find], T]) -> T:
        """Do work in a thread, with what finds the keys of the parties that have some."""
        return await self._database.read(lambda tx: work(partial(self._find, tx)))

    async def find(self, parties: Collection[str]) -> Mapping[str, StoredPartyKeys]:
        """Return the keys of the parties that have some."""
        return await self.use(lambda find: find(parties))

    def _find(self, tx: Connection, parties: Collection[str]) -> Mapping[str, StoredPartyKeys]:
        ring = self.rings.at(tx)
        held = ring.held(parties)
        rows = ring.rows_of(tx, [name for name in parties if name not in held])
        return {**held, **by_party(ring.unwrapped(rows))}

    async def of(self, pseudonyms: Collection[bytes]) -> Mapping[bytes, StoredPartyKeys]:
        """Return the keys that still exist behind pseudonyms."""

        def query(tx: Connection) -> Mapping[bytes, StoredPartyKeys]:
            ring = self.rings.at(tx)
            held = ring.behind(pseudonyms)
            rows = ring.rows_behind(tx, [each for each in pseudonyms if each not in held])
            return {**held, **{keys.pseudonym: keys for keys in ring.unwrapped(rows)}}

        return await self._database.read(query)

    async def months_without_kek(self) -> list[str]:
        """Return the months under which rows are wrapped although their key is not here."""
        return await self._database.read(lambda tx: _wrapped_without(tx, self.rings.at(tx)))

    async def why_closed(self) -> str | None:
        """Say why the keys must not be used as they are, and what to do; None when they may.

        Going on would give everyone wrapped under a key that is not here new pseudonyms, as if
        they were erased. Their rows may be given up for good; never the organisation's, with which
        the record of what was done to whom is sealed.
        """
        if not (months := await self.months_without_kek()):
            return await self._database.read(lambda tx: _why_sealed(tx, self.rings.at(tx)))
        if await self.find([ORGANISATION]):
            remedy = "put it back, or delete the rows of party_keys to erase their parties"
        else:
            remedy = (
                "the organisation's own keys are among them. Put it back or, if it was destroyed, "
                "restore a backup of the keys that was taken after `rewrap`"
            )
        named = ", ".join(months)
        return f"keys are wrapped under {named}, whose .kek is not here: {remedy}"

    async def rewrap(self, most: int) -> int:
        """Wrap up to `most` rows of older months under the newest key; return how many were.

        So is what audit has yet to say, `most` rows of it.

        Parties keep their keys and pseudonyms. May be called while the service runs, and again.
        """

        def batch(tx: Connection) -> int:
            ring = self.rings.at_newest(tx)
            older = [month for month in ring.keks if month != ring.newest.month]
            wrapped = party_keys.c.kek.in_(older)
            rows = tx.execute(select(party_keys).where(wrapped).limit(most)).all()
            if rows:
                anew = [{**ring.wrapped_anew(row), "before": row.lookup} for row in rows]
                one = party_keys.c.lookup == bindparam("before")
                tx.execute(update(party_keys).where(one), anew)
            waits = waits_under.in_([month.encode() for month in older])
            events = tx.execute(select(outbox.c.id, outbox.c.event).where(waits).limit(most)).all()
            for id_, event in events:
                sealed = ring.newest.seal(ring.unseal(event))
                tx.execute(update(outbox).where(outbox.c.id == id_).values(event=sealed))
            return len(rows) + len(events)

        return await self._database.write(batch)

    def _make(self, tx: Connection, parties: Sequence[str]) -> None:
        ring = self.rings.at_newest(tx)
        known = {ring.unwrap(row).party for row in ring.rows_of(tx, parties)}
        making = ORGANISATION in parties and ORGANISATION not in known
        if making and (_wrapped_without(tx, ring) or _sealed_without(tx, ring)):
            # It may have keys that a key-encryption key would open which is not here.
            raise log_unavailable()
        rows = [ring.new_row(party) for party in parties if party not in known]
        insert_missing(tx, party_keys, rows)


def _wrapped_without(tx: Connection, ring: KeyRing) -> list[str]:
    wrapping = tx.execute(select(party_keys.c.kek).distinct()).scalars()
    return sorted(set(wrapping) - ring.keks.keys())


def _sealed_without(tx: Connection, ring: KeyRing) -> list[str]:
    sealing = tx.execute(select(waits_under).distinct()).scalars()
    return sorted(set(map(bytes.decode, sealing)) - ring.keks.keys())


def _why_sealed(tx: Connection, ring: KeyRing) -> str | None:
    """Say what to do with events that nothing here opens: a backup from before `rewrap` has some.

    A key is destroyed when no row is under it. So they have left since, or were wrapped anew in the
    database that was lost.
    """
    if not (months := _sealed_without(tx, ring)):
        return None
    kind = "bytea" if tx.dialect.name == "postgresql" else "blob"
    named = ", ".join(f"CAST('{month}' AS {kind})" for month in months)
    step = f"DELETE FROM outbox WHERE substr(event, 1, {MONTH_SIZE}) IN ({named})"  # noqa: S608  read by people
    return (
        f"events in the table outbox are encrypted under {', '.join(months)}, whose .kek is not "
        "here: put it back or, if it was destroyed, delete them, since they are in the log already "
        f"or lost. In the key database: {step}; then again what was refused"
    )
