"""What officers keep beside contracts: legal instruments, what ends when, who was told."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from services.portal.domain.sharing import Document, last_part


class ExpiryKind(StrEnum):
    """What ends; the value is the catalog's key."""

    TERM = "term"
    DUE_DILIGENCE = "due_diligence"
    SAFEGUARD = "safeguard"
    INSTRUMENT = "instrument"


@dataclass(frozen=True)
class Expiry:
    """Something in force that counts through the end of a day."""

    day: date
    kind: ExpiryKind
    resource: str
    recipient: str
    safeguard: str

    @property
    def path(self) -> str:
        """Return where it is shown."""
        return f"/officer/{self.resource}"


class InstrumentKind(StrEnum):
    """What kind of paper it is; the value is the catalog's key."""

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
    """Where an instrument stands; the value is the catalog's key."""

    DRAFT = "draft"
    ACTIVE = "active"
    REVOKED = "revoked"


@dataclass(frozen=True)
class Paper:
    """What an instrument says."""

    kind: InstrumentKind
    issuer: str
    authority: str
    reference: str
    account: str
    categories: Sequence[str]
    on: date
    expires: date
    secret_until: date | None
    document: Document | None  # None in what the person sees


@dataclass(frozen=True)
class Instrument:
    """A legal instrument; who did what with it is empty in what the person sees."""

    name: str
    paper: Paper
    state: InstrumentState
    recorder: str
    recorded: datetime
    activator: str = ""
    activated: datetime | None = None
    revoker: str = ""
    revoked: datetime | None = None
    note: str = ""

    @property
    def key(self) -> str:
        """Return the last part of the name."""
        return last_part(self.name)

    def own_work(self, officer: str) -> bool:
        """Tell whether the officer recorded what waits for a second person."""
        return self.state is InstrumentState.DRAFT and self.recorder == officer


class NoticeState(StrEnum):
    """Where a notice to a recipient stands; the value is the catalog's key."""

    PENDING = "pending"
    ACKNOWLEDGED = "acknowledged"
    FAILED = "failed"


class Cause(StrEnum):
    """Why a recipient may use no longer what it received; the value is the catalog's key."""

    CONSENT_WITHDRAWN = "consent_withdrawn"
    SHARING_STOPPED = "sharing_stopped"
    OBJECTED = "objected"
    OPTED_OUT = "opted_out"
    ACCOUNT_DELETED = "account_deleted"
    CONTRACT_TERMINATED = "contract_terminated"
    CONSENT_REFUSED = "consent_refused"
    CONSENT_EXPIRED = "consent_expired"
    CONSENT_REVOKED = "consent_revoked"
    CONSENT_INVALIDATED = "consent_invalidated"
    PROCESSING_RESTRICTED = "processing_restricted"


@dataclass(frozen=True)
class Revocation:
    """A notice to a recipient, and what came of it."""

    name: str
    recipient: str
    cause: Cause
    decisions: Sequence[str]
    contract: str
    state: NoticeState
    created: datetime
    deadline: datetime
    overdue: bool
    attempts: int
    attempted: datetime | None
    problem: str
    acknowledged: datetime | None
    acknowledger: str
    note: str

    @property
    def key(self) -> str:
        """Return the last part of the name."""
        return last_part(self.name)

    @property
    def open(self) -> bool:
        """Tell whether anything is left to do."""
        return self.state is not NoticeState.ACKNOWLEDGED


@dataclass(frozen=True)
class Shown:
    """Which notices to show: the value is the catalog's key and the page's query."""

    state: NoticeState | None = None
    overdue: bool = False
