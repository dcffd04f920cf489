"""The life of a legal instrument: recorded, put in force by another officer, revoked.

    drafted ── activate (not by its author) ──▶ active ── revoke ──▶ revoked
    drafted ── revoke ──▶ revoked

What it says never changes: who made a mistake revokes it and records another.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from runtime.fault import Fault
from runtime.four_eyes import require_another
from services.sharing.domain.records import Instrument, SignedDocument


class InstrumentKind(StrEnum):
    """What kind of paper orders the disclosure. No rule tells them apart; people do."""

    COURT_ORDER = "court_order"
    JUDGMENT = "judgment"
    WARRANT = "warrant"
    SUBPOENA = "subpoena"
    PRODUCTION_ORDER = "production_order"
    STATUTORY_REQUEST = "statutory_request"
    REGULATORY_REQUEST = "regulatory_request"
    EMERGENCY_REQUEST = "emergency_request"
    TREATY_REQUEST = "treaty_request"


class InstrumentState(StrEnum):
    """Where an instrument stands; its dates count besides."""

    DRAFT = "draft"
    ACTIVE = "active"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Step:
    """Who did it, and when."""

    actor: str
    time: datetime


@dataclass(frozen=True, slots=True)
class LegalInstrument:
    """What was received, who recorded it, who put it in force and who revoked it.

    `orders` is what a decision reads. `secret_until` is the last day on which the person may not
    be told.
    """

    orders: Instrument
    kind: InstrumentKind
    issuer: str  # country
    authority: str
    reference: str
    document: SignedDocument
    recorded: Step
    secret_until: date | None = None
    activated: Step | None = None
    revoked: Step | None = None
    note: str = ""  # why it was revoked

    @property
    def name(self) -> str:
        """Return `instruments/…`."""
        return self.orders.id

    @property
    def state(self) -> InstrumentState:
        """Return where it stands now."""
        if self.revoked:
            return InstrumentState.REVOKED
        return InstrumentState.ACTIVE if self.activated else InstrumentState.DRAFT

    def in_force(self, at: datetime | None = None) -> bool:
        """Tell whether it is in force, or was at an instant: its steps count from when they were.

        Its dates are judged by the decision.
        """

        def taken(step: Step | None) -> bool:
            return step is not None and (at is None or step.time <= at)

        return taken(self.activated) and not taken(self.revoked)

    def activate(self, actor: str, now: datetime) -> "LegalInstrument":
        """Put it in force, by somebody other than who recorded it."""
        self._require(self.state is InstrumentState.DRAFT)
        require_another(actor, self.recorded.actor, self.name)
        return replace(self, activated=Step(actor, now))

    def revoke(self, actor: str, now: datetime, note: str) -> "LegalInstrument":
        """End it for good, at once and by one alone: less is disclosed."""
        self._require(self.state is not InstrumentState.REVOKED)
        return replace(self, revoked=Step(actor, now), note=note)

    def _require(self, allowed: bool) -> None:  # noqa: FBT001  reads as a sentence
        if not allowed:
            raise Fault(
                "WRONG_STATE",
                f"the instrument is {self.state}",
                metadata={"resource": self.name, "state": self.state.value},
            )
