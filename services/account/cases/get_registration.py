"""Show a registration again that is still open."""

from dataclasses import dataclass

from runtime.clock import Clock
from services.account.domain import faults
from services.account.domain.ports import Store, Vault
from services.account.domain.registration import Registration


@dataclass(frozen=True, slots=True)
class GetRegistration:
    """Opens the sealed secret; nothing of it is kept here."""

    store: Store
    vault: Vault
    clock: Clock

    async def __call__(self, secret: str) -> Registration:
        """Return the registration."""
        registration = self.vault.open_registration(secret)
        registration.require_open(self.clock.now())
        if await self.store.read(lambda tx: tx.flows.registered(registration.flow)) is not None:
            raise faults.registration_used()
        return registration
