"""Show an open invitation to whoever holds its secret."""

from dataclasses import dataclass

from runtime.clock import Clock
from services.account.domain import faults
from services.account.domain.ports import Store
from services.account.domain.secret import digest, well_formed
from services.account.domain.staff import Invitation


@dataclass(frozen=True, slots=True)
class GetInvitation:
    """Shows it while nobody has accepted it."""

    store: Store
    clock: Clock

    async def __call__(self, secret: str) -> Invitation:
        """Return the invitation."""
        if not well_formed(secret):
            raise faults.invitation_unknown()
        invitation = await self.store.read(lambda tx: tx.staff.invitation(digest(secret)))
        if invitation is None:
            raise faults.invitation_unknown()
        invitation.require_open(self.clock.now())
        return invitation
