"""Tell sharing what it did not acknowledge at once, until it does."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from runtime import logs
from runtime.fault import Fault
from services.account.domain.ports import Sharing, Store

log = logs.get(__name__)

_BATCH = 64
_WITHIN = timedelta(seconds=2)
_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 30.0


@dataclass(frozen=True, slots=True)
class FeedSharing:
    """Runs beside the server; versions make repeated and overtaken deliveries harmless."""

    store: Store
    sharing: Sharing

    async def run(self) -> None:
        """Deliver for ever, pausing longer while sharing is away."""
        pause = _PAUSE_S
        while True:
            try:
                delivered = await self.deliver()
            except Fault as fault:
                log.warning("feeding sharing failed", reason=fault.reason)
                delivered = False
            pause = _PAUSE_S if delivered else min(pause * 2, _LONGEST_PAUSE_S)
            await asyncio.sleep(pause)

    async def deliver(self) -> bool:
        """Deliver what is waiting; return whether sharing acknowledged all of it."""
        for account in await self.store.read(lambda tx: tx.accounts.untold(_BATCH)):
            if not await self.sharing.tell(account, _WITHIN):
                return False
            name, version = account.name, account.version
            await self.store.write(lambda tx, n=name, v=version: tx.accounts.told(n, v))  # type: ignore[misc]  # bound now
        return True
