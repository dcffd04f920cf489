"""Shows erasures and holds: whose, while that can be told, and the proof of what was destroyed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.audit.cases.prove_inclusion import InclusionProof, ProveInclusion
from services.audit.cases.read_entries import ReadEntries
from services.audit.domain.erasure import Erasure, Hold
from services.audit.domain.erasure_ports import KeyRecords, KeyStore, Part
from services.audit.domain.ports import LogStore


@dataclass(frozen=True, slots=True)
class Shown:
    """Erasures or holds, and what is known around them now."""

    erasures: Sequence[Erasure]
    holds: Sequence[Hold]
    accounts: Mapping[bytes, str]  # by pseudonym, of those whose keys exist
    months: Mapping[str, datetime]  # whose key-encryption key was destroyed, and when


class ShowErasures:
    """For officers and auditors."""

    def __init__(
        self, store: KeyStore, log: LogStore, entries: ReadEntries, inclusion: ProveInclusion
    ) -> None:
        self._store = store
        self._log = log
        self._entries = entries
        self._inclusion = inclusion

    async def erasure(self, name: str) -> Shown:
        """Return one erasure; NOT_FOUND without it."""
        return await self._store.read(lambda records: _around(records, [records.erasure(name)], []))

    async def erasures(self, part: Part) -> Shown:
        """Return erasures, newest first."""
        return await self._store.read(lambda records: _around(records, records.erasures(part), []))

    async def hold(self, name: str) -> Shown:
        """Return one hold; NOT_FOUND without it."""
        return await self._store.read(lambda records: _around(records, [], [records.hold(name)]))

    async def holds(self, part: Part) -> Shown:
        """Return holds, newest first."""
        return await self._store.read(lambda records: _around(records, [], records.holds(part)))

    async def proof(self, erasure: Erasure) -> InclusionProof | None:
        """Prove that the log tells of an erasure; None while it does not yet."""
        told = erasure.destroyed and await self._log.by_event_id([erasure.destroyed.event_id])
        if not told:
            return None
        return await self._inclusion.of(await self._entries.by_index(told[0].index))


def _around(records: KeyRecords, erasures: Sequence[Erasure], holds: Sequence[Hold]) -> Shown:
    about = {one.pseudonym for one in erasures} | {one.pseudonym for one in holds}
    return Shown(erasures, holds, records.whose(about), records.destroyed_months())
