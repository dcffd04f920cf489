"""Invitations and roles at rest."""

from datetime import datetime

from sqlalchemy import Connection, select, update

from runtime.db import insert_missing
from runtime.seal import Sealer
from services.account.domain import faults
from services.account.domain.staff import Invitation, Role
from services.account.store.tables import invitations, staff_roles

_PURPOSE = "display_name"


class SqlStaff:
    """`domain.ports.Staff` over one transaction."""

    def __init__(self, tx: Connection, sealer: Sealer) -> None:
        self._tx = tx
        self._sealer = sealer

    def invite(self, invitation: Invitation) -> None:
        """Add an invitation."""
        place = invitation.digest.hex()
        self._tx.execute(
            invitations.insert().values(
                digest=invitation.digest,
                role=invitation.role.value,
                display_name=self._sealer.seal(invitation.display_name, _PURPOSE, place),
                inviter=invitation.inviter,
                expires=invitation.expires,
                accepted_by="",
            )
        )

    def invitation(self, digest: bytes) -> Invitation | None:
        """Return an invitation."""
        row = self._tx.execute(
            select(invitations).where(invitations.c.digest == digest)
        ).one_or_none()
        if row is None:
            return None
        return Invitation(
            digest=row.digest,
            role=Role(row.role),
            display_name=self._sealer.open(row.display_name, _PURPOSE, digest.hex()),
            inviter=row.inviter,
            expires=row.expires,
            accepted_by=row.accepted_by,
        )

    def accept(self, invitation: Invitation, account: str, now: datetime) -> None:
        """Bind the role; the conditional UPDATE lets one account win."""
        changed = self._tx.execute(
            update(invitations)
            .where(invitations.c.digest == invitation.digest, invitations.c.accepted_by == "")
            .values(accepted_by=account, accepted=now)
        )
        if changed.rowcount != 1:
            raise faults.invitation_used()
        row: dict[str, object] = {
            "account": account,
            "role": invitation.role.value,
            "invitation": invitation.digest,
            "since": now,
        }
        insert_missing(self._tx, staff_roles, [row])

    def roles(self, account: str) -> frozenset[Role]:
        """Return the roles of an account."""
        rows = self._tx.execute(select(staff_roles.c.role).where(staff_roles.c.account == account))
        return frozenset(Role(role) for role in rows.scalars())
