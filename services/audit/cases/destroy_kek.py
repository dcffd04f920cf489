"""Ends erasures: destroys a month's key-encryption key, so that no backup can be unwrapped."""

from dataclasses import dataclass

from runtime.clock import Clock
from runtime.event import Event
from services.audit.domain.erasure_ports import KeyRecords, KeyStore


class KekInUseError(Exception):
    """A month's key-encryption key cannot be destroyed; says why, and what to do."""


@dataclass(frozen=True, slots=True)
class DestroyKek:
    """Takes a month out of use for good; the file itself is removed afterwards."""

    store: KeyStore
    clock: Clock

    async def __call__(self, month: str, who: str) -> bool:
        """Mark the month destroyed, and let the log know; False when it was so already.

        KekInUseError while it is the newest, or wraps rows. From then on no process uses the key,
        even where its file comes back.
        """
        now = self.clock.now()

        def unit(records: KeyRecords) -> bool:
            if month in records.destroyed_months():
                return False
            if not records.knows_month(month):
                raise KekInUseError(f"no row was ever wrapped under {month}")
            if month >= records.newest_month():
                raise KekInUseError(f"{month} wraps what is new: make a newer key first (keygen)")
            if count := records.wrapped_under(month):
                raise KekInUseError(f"{count} rows are wrapped under {month}: run `rewrap` first")
            records.destroy_month(month, now)
            records.publish(
                Event(
                    "audit:key:destroy",
                    "ok",
                    now,
                    actor=who,
                    fields={"kind": "kek", "key": month},
                )
            )
            return True

        return await self.store.write(unit)
