"""Ends erasures: destroys a month's key-encryption key, so that no backup can be unwrapped.

First the month is taken out of use, then its file is removed, where that may be, and only once it
is gone the log is told and the erasures of the month are complete: a claim of this kind must not
come before the fact.
"""

from dataclasses import dataclass

from runtime.clock import Clock
from runtime.event import Event
from services.audit.domain.erasure_ports import KeyRecords, KeyStore


class KekInUseError(Exception):
    """A month's key-encryption key cannot be destroyed; says why, and what to do."""


@dataclass(frozen=True, slots=True)
class DestroyKek:
    """The two steps around the removal of the file; each may be repeated."""

    store: KeyStore
    clock: Clock

    async def retire(self, month: str) -> None:
        """Take a month out of use: no process uses the key any more, while its file exists or not.

        KekInUseError while it is the newest, or wraps rows.
        """
        now = self.clock.now()

        def unit(records: KeyRecords) -> None:
            if month in records.destroyed_months():
                return
            if not records.knows_month(month):
                raise KekInUseError(f"no row was ever wrapped under {month}")
            if month >= records.newest_month():
                raise KekInUseError(f"{month} wraps what is new: make a newer key first (keygen)")
            if count := records.wrapped_under(month):
                raise KekInUseError(f"{count} rows are wrapped under {month}: run `rewrap` first")
            records.retire_month(month, now)

        await self.store.write(unit)

    async def end(self, month: str, who: str) -> None:
        """Note that the file of a retired month is gone, and let the log know."""
        now = self.clock.now()

        def unit(records: KeyRecords) -> None:
            if month in records.destroyed_months():
                return
            records.destroy_month(month, now)
            fields = {"kind": "kek", "key": month}
            records.publish(Event("audit:key:destroy", "ok", now, actor=who, fields=fields))

        await self.store.write(unit)
