"""Roles of staff and the invitations by which people come to them."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum

from runtime.fault import invalid
from services.account.domain import faults

LIFE = timedelta(days=7)
_MAX_NAME = 100


class Role(Enum):
    """A role that one is invited to; being a person needs no invitation."""

    OFFICER = "officer"
    AUDITOR = "auditor"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Invitation:
    """An invitation to a role; its secret is with the invited alone."""

    digest: bytes  # of the secret
    role: Role
    display_name: str = field(repr=False)
    inviter: str  # SPIFFE id
    expires: datetime
    accepted_by: str = ""  # account

    def require_open(self, now: datetime, account: str = "") -> None:
        """Refuse an invitation that another account accepted, or that is too old."""
        if self.accepted_by and self.accepted_by != account:
            raise faults.invitation_used()
        if not self.accepted_by and now >= self.expires:
            raise faults.invitation_expired()


def display_name(text: str) -> str:
    """Check how the invited person is called."""
    name = " ".join(text.split())
    if not 1 <= len(name) <= _MAX_NAME or not name.isprintable():
        raise invalid("display_name", f"must be 1 to {_MAX_NAME} printable characters")
    return name
