"""A proven identity on its way to an account; it rests with the browser, sealed, never with us."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from services.account.domain import faults
from services.account.domain.profile import Identity

LIFE = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Registration:
    """What the sealed secret holds; `flow` binds it to the one flow that proved it."""

    flow: bytes  # digest of the flow's secret
    identity: Identity
    expires: datetime

    def require_open(self, now: datetime) -> None:
        """Refuse with REGISTRATION_EXPIRED when it is too old."""
        if now >= self.expires:
            raise faults.registration_expired()
