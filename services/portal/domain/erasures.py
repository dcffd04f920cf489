"""Who is erased from what the log can tell, and who is kept from it, as officers see it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Ground(StrEnum):
    """Why somebody is erased; the value is the catalog's key."""

    WITHDRAWAL = "withdrawal"
    OBJECTION = "objection"
    NO_LONGER_NEEDED = "no_longer_needed"
    UNLAWFUL = "unlawful"
    LEGAL_OBLIGATION = "legal_obligation"
    CHILD = "child"


class ErasureState(StrEnum):
    """How far an erasure is; the value is the catalog's key."""

    ASKED = "asked"
    CANCELLED = "cancelled"
    ERASED = "erased"
    COMPLETE = "complete"


class HoldKind(StrEnum):
    """Why somebody is kept; the value is the catalog's key."""

    LEGAL_OBLIGATION = "legal_obligation"
    LEGAL_CLAIM = "legal_claim"


class HoldState(StrEnum):
    """How far a hold is; the value is the catalog's key."""

    PLACED = "placed"
    LIFT_ASKED = "lift_asked"
    LIFTED = "lifted"


@dataclass(frozen=True, slots=True)
class Erasure:
    """One person's erasure."""

    key: str
    account: str  # empty once nothing can tell any more
    ground: Ground
    state: ErasureState
    asker: str
    confirmer: str
    canceller: str
    asked: datetime
    erased: datetime | None
    cancelled: datetime | None
    entries: int
    log_size: int
    fingerprint: str  # hexadecimal
    kek_month: str
    kek_destroyed: datetime | None
    backups_end: datetime | None
    index: int | None = None  # of its proof in the log

    def second(self, officer: str) -> bool:
        """Tell whether the officer is surely another than who asked."""
        return self.asker.startswith("accounts/") and self.asker != officer


@dataclass(frozen=True, slots=True)
class Hold:
    """What keeps one person from erasure."""

    key: str
    account: str
    kind: HoldKind
    reference: str
    state: HoldState
    lift_asker: str
    placed: datetime

    def liftable(self, officer: str) -> bool:
        """Tell whether the officer can take the next step to its end."""
        if self.state is HoldState.LIFT_ASKED:
            return self.lift_asker.startswith("accounts/") and self.lift_asker != officer
        return self.state is HoldState.PLACED
