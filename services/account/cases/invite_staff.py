"""Invite someone to a role of staff."""

from dataclasses import dataclass, field

from runtime.call import Way
from runtime.clock import Clock
from runtime.event import Event
from runtime.ids import request_uuid
from services.account.domain import staff
from services.account.domain.ports import Store, Transaction, Vault
from services.account.domain.secret import digest
from services.account.domain.staff import Invitation, Role


@dataclass(frozen=True, slots=True)
class Invited:
    """An invitation with its secret, shown this once."""

    secret: str = field(repr=False)
    invitation: Invitation


@dataclass(frozen=True, slots=True)
class InviteStaff:
    """Invites; the secret follows from the request, so a repeated request gets the same one."""

    store: Store
    vault: Vault
    clock: Clock

    async def __call__(
        self, role: Role, display_name: str, request_id: str, inviter: str, way: Way
    ) -> Invited:
        """Return the invitation and its secret."""
        now = self.clock.now()
        request_id = request_uuid(request_id)
        secret = self.vault.derive("invitation", inviter, request_id)
        invitation = Invitation(
            digest(secret), role, staff.display_name(display_name), inviter, now + staff.LIFE
        )

        def invite(tx: Transaction) -> Invitation:
            def add() -> str:
                tx.staff.invite(invitation)
                tx.publish(
                    Event(
                        "account:staff:invite",
                        "ok",
                        now,
                        actor=inviter,
                        resource=f"invitations/{invitation.digest.hex()[:16]}",
                        fields={"role": role.value},
                        app=way.app,
                        trace=way.trace,
                    )
                )
                return ""

            content = f"{role.value}\0{invitation.display_name}"
            tx.once("invite:" + inviter, request_id, content, now, add)
            return tx.staff.invitation(invitation.digest) or invitation

        return Invited(secret, await self.store.write(invite))
