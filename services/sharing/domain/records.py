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

    def age(self, today: date) -> int | None:
        """Return the age in full years; None when the birth date is unknown."""
        born = self.birth_date
        if born is None:
            return None
        had_birthday = (today.month, today.day) >= (born.month, born.day)
        return today.year - born.year - (not had_birthday)


@dataclass(frozen=True, slots=True)
class Guest:
    """A visitor without an account, known by the session alone."""

    jurisdiction: str
    session: str

    @property
    def holder(self) -> str:
        """Return the name under which the records keep what is known of the visitor."""
        return f"guests/{self.session}"


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
class Subprocessor:
    """One who works for the recipient, or for another sub-processor: its `parent`."""

    name: str
    jurisdiction: str
    activity: str
    parent: str = ""  # empty: the recipient


class SccModule(StrEnum):
    """The four modules of the standard contractual clauses of the EU (2021/914)."""

    CONTROLLER_TO_CONTROLLER = "controller_to_controller"
    CONTROLLER_TO_PROCESSOR = "controller_to_processor"
    PROCESSOR_TO_PROCESSOR = "processor_to_processor"
    PROCESSOR_TO_CONTROLLER = "processor_to_controller"


@dataclass(frozen=True, slots=True)
class SafeguardDetail:
    """What stands behind a transfer safeguard; counts through `expires`, None: with the contract.

    `reference` names the adequacy decision, approval, permission or clause it rests on.
    """

    safeguard: str
    scc_module: SccModule | None = None
    reference: str = ""
    impact_assessment: str = ""
    expires: date | None = None


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
    subprocessor_chain: tuple[Subprocessor, ...] = ()  # by name; details of some of the names
    safeguard_details: tuple[SafeguardDetail, ...] = ()  # by key; details of some of the keys
    obligations: tuple[str, ...] = ()

    def safeguards_on(self, day: date) -> frozenset[str]:
        """Return the safeguards that count on a day of the contract."""
        ended = {
            detail.safeguard
            for detail in self.safeguard_details
            if detail.expires is not None and detail.expires < day
        }
        return self.safeguards - ended if ended else self.safeguards


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
    """How a consent stands: the ten states of the W3C Data Privacy Vocabulary 2.3."""

    UNKNOWN = "unknown"  # nothing is on record; never kept
    REQUESTED = "requested"  # asked, not answered
    DEFERRED = "deferred"  # asked, and put off
    REFUSED = "refused"
    GIVEN = "given"
    RENEWED = "renewed"  # given before, and confirmed
    EXPIRED = "expired"  # was valid to its end; never kept, the clock says so
    WITHDRAWN = "withdrawn"  # by the person
    REVOKED = "revoked"  # by anyone else
    INVALIDATED = "invalidated"  # found to be no consent at all: as if never given


# On these alone data may be shared, until they expire.
VALID_CONSENTS = frozenset({ConsentState.GIVEN, ConsentState.RENEWED})
# What was said about the question itself: the latest of these decides.
_ANSWERS = VALID_CONSENTS | {ConsentState.REFUSED}


class IndicationMethod(StrEnum):
    """How somebody let us know."""

    PORTAL_FORM = "portal_form"  # signed in to the portal
    APP_FORM = "app_form"  # on a page of the service, as its guest
    GUARDIAN_FORM = "guardian_form"  # a form that the guardian filled in
    SPOKEN_TO_STAFF = "spoken_to_staff"
    WRITTEN = "written"  # a letter or a message to us
    RECORD = "record"  # nobody said it: staff put the record right


class Indicator(StrEnum):
    """Who let us know."""

    PERSON = "person"
    GUARDIAN = "guardian"
    REPRESENTATIVE = "representative"
    CONTROLLER = "controller"  # we ourselves: a request, a revocation


@dataclass(frozen=True, slots=True)
class Indication:
    """How and by whom something was said; `name` of a guardian or representative, else empty."""

    method: IndicationMethod = IndicationMethod.PORTAL_FORM
    by: Indicator = Indicator.PERSON
    name: str = ""


@dataclass(frozen=True, slots=True)
class Scope:
    """For what, of which data, with whom. `service` empty: any."""

    service: str
    purposes: frozenset[str]
    categories: frozenset[str]  # leaves or prefixes
    recipient: str  # recipients/…, a kind, or a kind prefix


@dataclass(frozen=True, slots=True)
class Consent:
    """What the person said to one question, as its newest revision says.

    `at` is when it was given, renewed, refused or asked; what ends it keeps that. `withdrawn` is
    when it was withdrawn, revoked or invalidated. `indication` tells about the newest revision.
    """

    name: str
    scope: Scope
    state: ConsentState
    at: datetime
    expires: datetime | None = None  # the first moment at which it counts no more
    withdrawn: datetime | None = None
    notice: str = ""
    language: str = ""
    indication: Indication = Indication()
    ahead: datetime | None = None  # `at`, if it was recorded before that: it counts only from then

    @property
    def answered(self) -> bool:
        """Tell whether this revision says yes or no to the question itself."""
        return self.state in _ANSWERS

    def state_at(self, now: datetime) -> ConsentState:
        """Return how it stands; what expired before it was ended stays expired."""
        if self.state is ConsentState.INVALIDATED or self.expires is None:
            return self.state
        if self.state in VALID_CONSENTS:
            return ConsentState.EXPIRED if self.expires <= now else self.state
        if self.withdrawn is not None and self.expires <= self.withdrawn:
            return ConsentState.EXPIRED
        return self.state


@dataclass(frozen=True, slots=True)
class ConsentRevision:
    """One step in the life of a consent, counted from 1, and when it was recorded."""

    number: int
    consent: Consent
    recorded: datetime


class PreferenceKind(StrEnum):
    """The kinds of standing choices."""

    OPT_OUT = "opt_out"
    OBJECT_TO = "object_to"
    STOP_SHARING_WITH = "stop_sharing_with"
    ACCEPTED_NOTICE = "accepted_notice"
    RESTRICT = "restrict"  # leave the data alone: gate 2 reads it beside the account's status


# What a person can opt out of.
OPT_OUTS = ("direct_marketing", "personalisation")
# The one value of a restriction: it is of everything.
RESTRICTION = "all"


@dataclass(frozen=True, slots=True)
class Preference:
    """A choice that stands until it is lifted; `at` is when it was made."""

    name: str
    kind: PreferenceKind
    value: str  # an opt-out, a purpose, a recipient or kind (prefix), a notice id; RESTRICTION
    at: datetime
    lifted: datetime | None = None
    ahead: datetime | None = None  # `at`, if it was recorded before that: it counts only from then
    app: str = ""  # whose guest chose: sessions of two apps may bear the same id; empty: a person


@dataclass(frozen=True, slots=True)
class Instrument:
    """A legal instrument that orders a disclosure; counts from `on` through `expires`."""

    id: str
    account: str
    categories: frozenset[str]  # leaves or prefixes
    on: date
    expires: date
