"""Erasing a person, and what keeps a person from being erased: the rules.

Two decisions meet here, and both stay on record: that somebody is erased (Art. 17(1) GDPR), and
that somebody is not (Art. 17(3)). A key that is destroyed by mistake has destroyed evidence: so an
officer's erasure, and an officer's end of a hold, take another officer.
"""

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

from runtime.fault import Fault
from runtime.four_eyes import require_another

# How long backups of the key database are kept at most: shorter than the month of Art. 12(3).
BACKUPS_KEPT = timedelta(days=30)

_STAFF = re.compile(r"spiffe://[^/]+/staff/.+")
_APP = re.compile(r"spiffe://[^/]+/app/.+")
_SERVICE = re.compile(r"spiffe://[^/]+/svc/.+")


class Ground(Enum):
    """Why somebody is erased: Art. 17(1)(a) to (f)."""

    NO_LONGER_NEEDED = "no_longer_needed"
    WITHDRAWAL = "withdrawal"
    OBJECTION = "objection"
    UNLAWFUL = "unlawful"
    LEGAL_OBLIGATION = "legal_obligation"
    CHILD = "child"


class HoldKind(Enum):
    """Why somebody is not erased: Art. 17(3)(b) and (e)."""

    LEGAL_OBLIGATION = "legal_obligation"
    LEGAL_CLAIM = "legal_claim"


class ErasureState(Enum):
    """How far an erasure is."""

    ASKED = "asked"
    CANCELLED = "cancelled"
    ERASED = "erased"


class HoldState(Enum):
    """How far a hold is."""

    PLACED = "placed"
    LIFT_ASKED = "lift_asked"
    LIFTED = "lifted"


@dataclass(frozen=True, slots=True)
class Step:
    """Who did something, and when."""

    who: str
    time: datetime


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A party's row of keys as it lies in the key database, without what is in it."""

    pseudonym: bytes
    month: str  # of the key-encryption key
    fingerprint: bytes  # SHA-256 of the wrapped keys


@dataclass(frozen=True, slots=True)
class Destroyed:
    """What was destroyed, and how far it reached."""

    keys: Wrapped
    event_id: str  # of the event that tells of it
    entries: int  # sealed with the keys, at least in part
    log_size: int  # among so many


@dataclass(frozen=True, slots=True)
class Erasure:
    """One person's erasure."""

    name: str  # erasures/…
    pseudonym: bytes
    ground: Ground
    asked: Step
    erased: Step | None = None
    cancelled: Step | None = None
    destroyed: Destroyed | None = None

    @property
    def state(self) -> ErasureState:
        """Tell how far it is."""
        if self.erased:
            return ErasureState.ERASED
        return ErasureState.CANCELLED if self.cancelled else ErasureState.ASKED

    def confirm(self, by: Step, destroyed: Destroyed) -> "Erasure":
        """Carry it out: only by another than who asked."""
        self.require_waiting()
        require_another(by.who, self.asked.who, self.name)
        return replace(self, erased=by, destroyed=destroyed)

    def at_once(self, by: Step, destroyed: Destroyed) -> "Erasure":
        """Carry it out for a service at which the person deleted their account."""
        self.require_waiting()
        return replace(self, erased=by, destroyed=destroyed)

    def cancel(self, by: Step) -> "Erasure":
        """Call it off."""
        self.require_waiting()
        return replace(self, cancelled=by)

    def require_waiting(self) -> None:
        """Refuse what was carried out or called off."""
        if self.state is not ErasureState.ASKED:
            raise _wrong_state(self.state)


@dataclass(frozen=True, slots=True)
class Hold:
    """What keeps one person from erasure."""

    name: str  # holds/…
    pseudonym: bytes
    kind: HoldKind
    reference: str  # under what it is found where it comes from; names nobody
    placed: Step
    lift_asked: Step | None = None
    lifted: Step | None = None

    @property
    def state(self) -> HoldState:
        """Tell how far it is."""
        if self.lifted:
            return HoldState.LIFTED
        return HoldState.LIFT_ASKED if self.lift_asked else HoldState.PLACED

    def lift(self, by: Step) -> "Hold":
        """Ask to lift it, or lift it when another has asked."""
        if self.lifted:
            raise _wrong_state(self.state)
        if self.lift_asked is None:
            return replace(self, lift_asked=by)
        require_another(by.who, self.lift_asked.who, self.name)
        return replace(self, lifted=by)


def require_erasable(party: str, *, is_staff: bool = False) -> None:
    """Refuse with NOT_ERASABLE whoever is kept by law: who acts for the group.

    That staff, apps and services did what they did is the record that others rely on (Art. 5(2),
    30, 17(3)(b) GDPR). An account that is staff is kept as staff.
    """
    kinds = (("staff", _STAFF), ("app", _APP), ("service", _SERVICE))
    kind = next((kind for kind, shape in kinds if shape.fullmatch(party)), "")
    if kind or is_staff:
        raise Fault(
            "NOT_ERASABLE",
            "who acts for the group is kept on record by law",
            metadata={"kind": kind or "staff"},
        )


def unknown_party() -> Fault:
    """Refuse because nobody has keys under a name; it was never there, or it was erased."""
    return Fault("NOT_FOUND", "nobody has keys under this name", metadata={"resource": "account"})


def held(hold: Hold) -> Fault:
    """Refuse an erasure because of a hold, which is named by its reference alone."""
    return Fault(
        "ERASURE_HELD",
        f"the legal hold {hold.reference} keeps this person from erasure",
        metadata={"hold": hold.name, "reference": hold.reference},
    )


def already_asked(erasure: Erasure) -> Fault:
    """Refuse to ask for the same erasure again."""
    return Fault(
        "ERASURE_ASKED",
        "this erasure was asked for, and waits for another officer",
        metadata={"resource": erasure.name},
    )


def _wrong_state(state: ErasureState | HoldState) -> Fault:
    return Fault(
        "WRONG_STATE", f"not possible while {state.value}", metadata={"state": state.value}
    )
