"""Accept an invitation: bind its role to the acting person's account."""

from dataclasses import dataclass

from runtime.call import Way
from runtime.clock import Clock
from runtime.event import Event
from services.account.cases.authenticate import roles_of
from services.account.domain import faults
from services.account.domain.ports import Store, Transaction
from services.account.domain.secret import digest, well_formed


@dataclass(frozen=True, slots=True)
class AcceptInvitation:
    """Binds a role once; the secret alone is not enough, nor is the account alone."""

    store: Store
    clock: Clock

    async def __call__(self, secret: str, account: str, way: Way) -> frozenset[str]:
        """Return the roles that the account now has."""
        if not well_formed(secret):
            raise faults.invitation_unknown()
        now = self.clock.now()

        def accept(tx: Transaction) -> frozenset[str]:
            invitation = tx.staff.invitation(digest(secret))
            if invitation is None:
                raise faults.invitation_unknown()
            invitation.require_open(now, account)
            if tx.accounts.get(account) is None:
                raise faults.account_not_active()
            if not invitation.accepted_by:
                tx.staff.accept(invitation, account, now)
                tx.publish(
                    Event(
                        "account:staff:accept",
                        "ok",
                        now,
                        account=account,
                        actor=account,
                        resource=f"invitations/{invitation.digest.hex()[:16]}",
                        fields={"role": invitation.role.value},
                        app=way.app,
                        trace=way.trace,
                    )
                )
            return roles_of(tx, account)

        return await self.store.write(accept)
