"""The facts that a decision rests on. Every moment is aware and in UTC; every day is a UTC day."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum


class SubjectStatus(StrEnum):
    """What an account allows at all."""

    ACTIVE = "active"
    FROZEN = "frozen"
    RESTRICTED = "restricted"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Subject:
    """A person as account told us, at one version."""

    account: str
    jurisdiction: str
    birth_date: date | None
    status: SubjectStatus
    since: datetime
    version: int


@dataclass(frozen=True, slots=True)
class Guest:
    """A visitor without an account, known by the session alone."""

    jurisdiction: str
    session: str


@dataclass(frozen=True, slots=True)
class Recipient:
    """An organisation that may receive data; `name` is `recipients/…`."""

    name: str
    display_name: str
    kind: str
    jurisdiction: str
    created: datetime


class ContractState(StrEnum):
    """Where a contract version stands."""

    DRAFT = "draft"
    UNDER_REVIEW = "under_review"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    TERMINATED = "terminated"


@dataclass(frozen=True, slots=True)
class DueDiligence:
    """An examination of the recipient; counts from `on` through the end of `expires`."""

    passed: bool
    on: date
    expires: date


@dataclass(frozen=True, slots=True)
class SignedDocument:
    """The signed paper: SHA-256 of its bytes in hexadecimal, and where it lies."""

    sha256: str
    location: str


@dataclass(frozen=True, slots=True)
class Terms:
    """What one version of a contract says; counts from `effective` through `expires`."""

    purposes: frozenset[str]
    categories: frozenset[str]  # leaves or prefixes
    origins: frozenset[str]  # countries, areas or "*"
    destinations: frozenset[str]  # countries, areas or "*"
    effective: date
    expires: date
    safeguards: frozenset[str] = frozenset()
    due_diligence: DueDiligence | None = None
    subprocessors: frozenset[str] = frozenset()
    confidentiality: bool = False
    delete_on_termination: bool = False
    document: SignedDocument | None = None


@dataclass(frozen=True, slots=True)
class Contract:
    """One version of an agreement as a decision sees it: `contracts/…`, its state, its terms."""

    name: str
    version: int
    state: ContractState
    terms: Terms

    @property
    def version_name(self) -> str:
        """Return the name of this very version."""
        return f"{self.name}/versions/{self.version}"


class ConsentState(StrEnum):
    """What the person said, as it stands now."""

    GIVEN = "given"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Scope:
    """For what, of which data, with whom. `service` empty: any."""

    service: str
    purposes: frozenset[str]
    categories: frozenset[str]  # leaves or prefixes
    recipient: str  # recipients/…, a kind, or a kind prefix


@dataclass(frozen=True, slots=True)
class Consent:
    """An answer of the person. `at` is when it was given or refused; a withdrawal keeps it."""

    name: str
    scope: Scope
    state: ConsentState
    at: datetime
    expires: datetime | None = None  # the first moment at which it counts no more
    withdrawn: datetime | None = None
    notice: str = ""
    language: str = ""


class PreferenceKind(StrEnum):
    """The kinds of standing choices."""

    OPT_OUT = "opt_out"
    OBJECT_TO = "object_to"
    STOP_SHARING_WITH = "stop_sharing_with"
    ACCEPTED_NOTICE = "accepted_notice"


# What a person can opt out of.
OPT_OUTS = ("direct_marketing", "personalisation")


@dataclass(frozen=True, slots=True)
class Preference:
    """A choice that stands until it is lifted; `at` is when it was made."""

    name: str
    kind: PreferenceKind
    value: str  # an opt-out, a purpose, a recipient or kind (prefix), a notice id
    at: datetime
    lifted: datetime | None = None


@dataclass(frozen=True, slots=True)
class Instrument:
    """A legal instrument that orders a disclosure; counts from `on` through `expires`."""

    id: str
    account: str
    categories: frozenset[str]  # leaves or prefixes
    on: date
    expires: date
