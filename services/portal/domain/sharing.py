"""What sharing tells the portal: who may receive data, what was agreed, chosen and decided."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum


class Outcome(StrEnum):
    """The three answers; the value is the catalog's key."""

    PERMIT = "permit"
    DENY = "deny"
    GAP = "gap"


class ContractState(StrEnum):
    """Where a contract stands."""

    DRAFT = "draft"
    UNDER_REVIEW = "under_review"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    TERMINATED = "terminated"


class Choice(StrEnum):
    """What a person can opt out of as a whole."""

    DIRECT_MARKETING = "direct_marketing"
    PERSONALISATION = "personalisation"


class Basis(StrEnum):
    """The legal ground of a purpose or of a permit."""

    NONE = "none"
    CONSENT = "consent"
    CONTRACT = "contract"
    LEGAL_OBLIGATION = "legal_obligation"
    LEGITIMATE_INTEREST = "legitimate_interest"
    NOT_PERSONAL = "not_personal"


# The rows of the notices that no objection stops are not among the words of the rules, so their
# purposes are named here.
_NOT_OBJECTIONABLE = frozenset({"legal_claims"})


def last_part(name: str) -> str:
    """Return the last part of a resource name, for addresses inside the portal."""
    return name.rpartition("/")[2]


@dataclass(frozen=True)
class Kind:
    """A kind of recipient, and what it takes before anything is shared with it."""

    key: str
    contract: bool
    due_diligence: bool
    confidentiality: bool


@dataclass(frozen=True)
class Purpose:
    """A purpose, and the basis it rests on unless a notice says otherwise."""

    key: str
    basis: Basis


@dataclass(frozen=True)
class Category:
    """A leaf category of data."""

    key: str
    sensitive: bool

    @property
    def group(self) -> str:
        """Return the part before the dot, under which forms show it."""
        return self.key.partition(".")[0]


@dataclass(frozen=True)
class Notice:
    """A version of a privacy notice, and its first day; None: it bears no date."""

    key: str
    effective: date | None

    def accepted(self, preferences: "Iterable[Preference]", *, since: datetime) -> datetime | None:
        """Return when a person accepted it last; None when it came after what they accepted.

        `preferences` are newest first; `since` is when the account was opened, under the notice
        then in force.
        """
        for preference in preferences:
            if preference.accepted_notice == self.key:
                return preference.since
        was_there = self.effective is None or self.effective <= since.date()
        return since if was_there else None


@dataclass(frozen=True)
class Vocabulary:
    """All keys of the rules in force with their names for people."""

    digest: str
    services: Sequence[str]
    kinds: Sequence[Kind]
    purposes: Sequence[Purpose]
    categories: Sequence[Category]
    notices: Sequence[Notice]
    safeguards: Sequence[str]
    labels: Mapping[tuple[str, str], str]

    def label(self, language: str, key: str) -> str | None:
        """Return the name of a key in a language; None for a key without one."""
        return self.labels.get((language, key))

    def objectionable(self) -> list[Purpose]:
        """Return the purposes that a person may object to, in the rules' order."""
        return [
            purpose
            for purpose in self.purposes
            if purpose.basis is Basis.LEGITIMATE_INTEREST and purpose.key not in _NOT_OBJECTIONABLE
        ]

    def notice(self, key: str) -> Notice | None:
        """Return a notice of the rules; None when they hold none by that key."""
        return next((notice for notice in self.notices if notice.key == key), None)


@dataclass(frozen=True)
class Recipient:
    """An organisation that may receive data."""

    name: str
    display_name: str
    kind: str
    jurisdiction: str
    since: datetime

    @property
    def key(self) -> str:
        """Return the last part of the name."""
        return last_part(self.name)


@dataclass(frozen=True)
class Preference:
    """A standing choice; exactly one of the five is set."""

    name: str
    since: datetime
    lifted: datetime | None
    opt_out: Choice | None = None
    object_to: str = ""
    stop_sharing_with: str = ""
    accepted_notice: str = ""
    restricted: bool = False

    @property
    def key(self) -> str:
        """Return the last part of the name."""
        return last_part(self.name)

    @property
    def stands(self) -> bool:
        """Tell whether it has not been lifted."""
        return self.lifted is None


@dataclass(frozen=True)
class Hindrance:
    """One thing that stood in the way, with where it is written."""

    reason: str
    denies: bool
    gate: int
    citations: Sequence[str]
    categories: Sequence[str]


@dataclass(frozen=True)
class Ground:
    """On what some categories of a permit rest."""

    categories: Sequence[str]
    citation: str
    basis: Basis
    consent: str


@dataclass(frozen=True)
class Decision:
    """An answer on the record."""

    name: str
    outcome: Outcome
    at: datetime
    service: str
    recipient: str
    purpose: str
    categories: Sequence[str]
    destination: str
    relation: str
    asker: str
    hindrances: Sequence[Hindrance]
    grounds: Sequence[Ground]
    obligations: Sequence[str]
    contract: str
    rulebook_digest: str
    trace_id: str
    subject: str = ""  # the account that it is about, or the session of a guest
    subprocessor: str = ""
    instrument: str = ""
    said: Sequence[str] = ()  # of `signed_in`, `de_identified`, what the asker said to be so
    token: str = ""  # how new the facts were

    @property
    def key(self) -> str:
        """Return the last part of the name."""
        return last_part(self.name)

    @property
    def citations(self) -> list[str]:
        """Return every citation once, in the order of the answer."""
        cited: Iterable[str] = (
            [ground.citation for ground in self.grounds]
            if self.outcome is Outcome.PERMIT
            else [citation for hindrance in self.hindrances for citation in hindrance.citations]
        )
        return list(dict.fromkeys(cited))


@dataclass(frozen=True)
class DueDiligence:
    """An examination of how well the recipient protects data."""

    passed: bool
    on: date
    expires: date


@dataclass(frozen=True)
class Document:
    """The signed document: SHA-256 as 64 hexadecimal digits, and where it lies."""

    sha256: str
    location: str


@dataclass(frozen=True)
class Subprocessor:
    """One who works for the recipient, or for another sub-processor: its `parent`."""

    name: str
    jurisdiction: str
    activity: str
    parent: str


@dataclass(frozen=True)
class SafeguardDetail:
    """What stands behind a transfer safeguard. `scc_module` is 1 to 4, or 0."""

    safeguard: str
    scc_module: int
    reference: str
    impact_assessment: str
    expires: date | None


@dataclass(frozen=True)
class Terms:
    """What was agreed with a recipient."""

    purposes: Sequence[str]
    categories: Sequence[str]
    origins: Sequence[str]
    destinations: Sequence[str]
    safeguards: Sequence[str]
    due_diligence: DueDiligence | None
    effective: date
    expires: date
    subprocessors: Sequence[str]
    confidentiality: bool
    delete_on_termination: bool
    document: Document | None
    subprocessor_chain: Sequence[Subprocessor] = ()
    safeguard_details: Sequence[SafeguardDetail] = ()
    obligations: Sequence[str] = ()

    def detail(self, safeguard: str) -> SafeguardDetail | None:
        """Return what stands behind a safeguard, if anything was said."""
        return next((each for each in self.safeguard_details if each.safeguard == safeguard), None)


@dataclass(frozen=True)
class ContractEvent:
    """A step in the life of a contract."""

    version: int
    state: ContractState
    actor: str
    at: datetime
    note: str  # why, in the officer's words; empty for most steps


@dataclass(frozen=True)
class Contract:
    """An agreement with a recipient, at its latest version.

    `active_version` is the version in force, which an amendment may wait to follow; 0 when none is.
    `suspended_version` is the one that is suspended, and may be resumed; 0 when none is.
    """

    name: str
    recipient: str
    version: int
    state: ContractState
    terms: Terms
    active_version: int
    author: str
    since: datetime
    history: Sequence[ContractEvent] = field(default_factory=tuple)
    suspended_version: int = 0

    @property
    def key(self) -> str:
        """Return the last part of the name."""
        return last_part(self.name)

    @property
    def waits(self) -> bool:
        """Tell whether its newest version has yet to come into force."""
        return self.state in {ContractState.DRAFT, ContractState.UNDER_REVIEW}

    def steps_for(self, officer: str) -> list[str]:
        """Return the steps that make sense for an officer now, in the order to show them.

        Sharing decides; this keeps buttons that would be refused off the page.
        """
        if self.state is ContractState.TERMINATED:
            return []
        steps = []
        if self.state is ContractState.DRAFT:
            steps.append("submit")
        if self.state is ContractState.UNDER_REVIEW and not self.own_work(officer):
            steps.append("activate")
        if self.suspended_version and self._author_of(self.suspended_version) != officer:
            steps.append("resume")
        if self.active_version:  # in force, also while an amendment waits
            steps.append("suspend")
        return [*steps, "terminate"]

    def own_work(self, officer: str) -> bool:
        """Tell whether the officer wrote what waits for a second person."""
        return self.author == officer

    def _author_of(self, version: int) -> str:
        wrote = (each for each in self.history if each.state is ContractState.DRAFT)
        return next((each.actor for each in wrote if each.version == version), self.author)
