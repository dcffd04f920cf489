"""What the cases ask of the store, and what it promises.

A unit of work gets `Records`, which is good until the unit ends. A unit may run again, so it has
no effect but through them. `write` returns only when everything the unit did is durable; a unit
that raises leaves nothing behind.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from runtime.event import Event
from services.sharing.domain import agreement_ports
from services.sharing.domain.decision import Decided, Decision, Record
from services.sharing.domain.disclosure import Disclosure
from services.sharing.domain.freshness import Change
from services.sharing.domain.records import (
    Consent,
    ConsentRevision,
    Contract,
    Instrument,
    Preference,
    Recipient,
    Subject,
)
from services.sharing.domain.vocabulary import Outcome

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list: at most `size` rows behind `cursor` (empty: from the start)."""

    cursor: str
    size: int


@dataclass(frozen=True, slots=True)
class Request(Generic[T]):
    """A mutation that happens once: who asks for what, and how its answer is kept."""

    scope: str  # the method and who acts
    request_id: str
    content: bytes  # what is asked, without the id
    encode: Callable[[T], bytes]


class SubjectRecords(Protocol):
    """Account's facts."""

    def get(self, account: str) -> Subject | None:
        """Return what is known of an account."""
        ...

    def put(self, subject: Subject, recorded: datetime) -> None:
        """Let a newer version count from now on; `recorded` says since when it does."""
        ...


class ConsentRecords(Protocol):
    """Consents, as revisions that are only ever added."""

    def of(self, account: str) -> Sequence[Consent]:
        """Return the person's consents as they stand, in the order of their latest answers."""
        ...

    def get(self, account: str, name: str) -> Consent | None:
        """Return a consent of the person as it stands."""
        ...

    def revisions(self, account: str, name: str) -> Sequence[ConsentRevision]:
        """Return every revision of a consent of the person, oldest first; none: not theirs."""
        ...

    def count(self, account: str) -> int:
        """Return how many revisions there are of all of the person's consents."""
        ...

    def add(self, account: str, consent: Consent, recorded: datetime) -> None:
        """Add a revision."""
        ...

    def list(self, page: Page, account: str) -> tuple[list[Consent], str]:
        """List newest first; return the cursor of what follows, or empty."""
        ...


class PreferenceRecords(Protocol):
    """Standing choices."""

    def of(self, account: str) -> Sequence[Preference]:
        """Return the person's choices in the order of recording, lifted ones excluded."""
        ...

    def get(self, account: str, name: str) -> Preference | None:
        """Return a choice of the person."""
        ...

    def add(self, account: str, preference: Preference, recorded: datetime) -> None:
        """Store a choice; one that is dated later than it is recorded counts from its date."""
        ...

    def lift(self, account: str, name: str, now: datetime) -> None:
        """Lift a choice."""
        ...

    def list(self, page: Page, account: str) -> tuple[list[Preference], str]:
        """List newest first, lifted ones included; return the cursor of what follows, or empty."""
        ...


class History(Protocol):
    """The records as they stood at a past moment; the sequences as `Facts` wants them."""

    def subject(self, account: str, at: datetime) -> Subject | None:
        """Return the newest version of a subject that was recorded by then."""
        ...

    def consents(self, holder: str, at: datetime) -> Sequence[Consent]:
        """Return the consents as they stood."""
        ...

    def preferences(self, holder: str, at: datetime) -> Sequence[Preference]:
        """Return the choices that stood."""
        ...

    def contracts(self, recipient: str, at: datetime) -> Sequence[Contract]:
        """Return each contract at the version that decided then."""
        ...

    def instrument(self, name: str, at: datetime) -> Instrument | None:
        """Return what an instrument ordered, if it was put in force by then and not revoked."""
        ...


class DecisionCodec(Protocol):
    """Decisions as the bytes that leave and are kept."""

    def encode(self, decision: Decision) -> Decided:
        """Return a decision with its bytes and its line."""
        ...

    def decode(self, body: bytes) -> Decision:
        """Read a decision again."""
        ...


class Register(Protocol):
    """Puts decisions on record."""

    async def keep(self, record: Record) -> None:
        """Return when the record is durable and its events are on their way to the log.

        OVERLOADED when too many wait, UNAVAILABLE when the store does not answer.
        """
        ...


class DecisionRecords(Protocol):
    """Decisions; immutable. The `Register` adds them."""

    def get(self, name: str) -> Decision | None:
        """Return a decision."""
        ...

    def list(
        self, page: Page, holder: str, outcome: Outcome | None, hidden: Collection[str] = ()
    ) -> tuple[list[Decision], str]:
        """List those about a holder newest first, all but those about the instruments `hidden`."""
        ...

    def first_from(self, ordinal: int) -> tuple[int, Decision] | None:
        """Return the first record of that number or a higher one, by the first of its decisions."""
        ...

    def last(self) -> int:
        """Return the number of the last decision; 0: there is none."""
        ...

    def numbered(self, numbers: Iterable[int]) -> Iterator[Decision]:
        """Yield the decisions of these numbers, which fall, but for those that nobody took."""
        ...


class DisclosureRecords(Protocol):
    """What was really sent; immutable."""

    def add(self, disclosure: Disclosure) -> int:
        """Store a disclosure; return its number: those about one holder are numbered in order."""
        ...

    def under_decision(self, page: Page, decision: str) -> tuple[list[Disclosure], str]:
        """List those under a decision newest first; return the cursor of what follows, or empty."""
        ...

    def told(
        self, page: Page, holder: str, decision: str, secret: Collection[str]
    ) -> tuple[list[Disclosure], str]:
        """List those about a person, under one decision or any; none ordered by one of `secret`."""
        ...


class Reach(Protocol):
    """Who has whose data."""

    def disclosed(
        self,
        holder: str,
        recipient: str,
        secret: Collection[str],
        services: Collection[str] | None = None,
    ) -> list[Disclosure]:
        """Return what was sent, newest first, of what is alike the first and last; no secret.

        By these services alone; None: by any.
        """
        ...

    def permits(self, holder: str, secret: Collection[str]) -> list[Decision]:
        """Return a person's newest permits, newest first, but for what is secret."""
        ...

    def first_permits(self, holder: str, recipient: str, secret: Collection[str]) -> list[Decision]:
        """Return the first permit of each kind, of a person to a recipient, newest first."""
        ...

    def receivers(self, holder: str, secret: Collection[str]) -> set[str]:
        """Return the names of all recipients that a person's data was or may have been sent to."""
        ...

    def recipients(self, after: str, size: int, among: Collection[str] | None) -> list[Recipient]:
        """Return the next recipients by name, of all or of those named."""
        ...

    def holders(self, recipient: str, after: str, size: int) -> list[str]:
        """Return the next people by name whose data was or may have been sent to a recipient."""
        ...

    def subjects(self, after: str, size: int) -> Sequence[Subject]:
        """Return the next accounts by name."""
        ...


class Records(Protocol):
    """Everything that is kept, inside one unit of work."""

    @property
    def subjects(self) -> SubjectRecords:
        """Account's facts."""
        ...

    @property
    def recipients(self) -> agreement_ports.RecipientRecords:
        """Organisations."""
        ...

    @property
    def contracts(self) -> agreement_ports.ContractRecords:
        """Contracts."""
        ...

    @property
    def consents(self) -> ConsentRecords:
        """Consents."""
        ...

    @property
    def preferences(self) -> PreferenceRecords:
        """Standing choices."""
        ...

    @property
    def instruments(self) -> agreement_ports.InstrumentRecords:
        """Legal instruments."""
        ...

    @property
    def history(self) -> History:
        """The records as they stood at a past moment."""
        ...

    @property
    def notices(self) -> agreement_ports.NoticeRecords:
        """Notices to recipients."""
        ...

    @property
    def endings(self) -> agreement_ports.EndingRecords:
        """What ended and is still to be told."""
        ...

    @property
    def expiries(self) -> agreement_ports.ExpiryRecords:
        """The calendar."""
        ...

    @property
    def decisions(self) -> DecisionRecords:
        """Decisions."""
        ...

    @property
    def disclosures(self) -> DisclosureRecords:
        """What was really sent."""
        ...

    def empty(self) -> bool:
        """Tell whether no fact is kept and nothing was decided."""
        ...

    @property
    def reach(self) -> Reach:
        """Who has whose data."""
        ...

    def publish(self, event: Event) -> None:
        """Hand an event to the audit log, if and only if the unit commits."""
        ...

    def once(self, request: Request[T], now: datetime, change: Callable[[], T]) -> bytes:
        """Make the change unless this request was answered before; return the encoded answer."""
        ...


class Store(Protocol):
    """Runs units of work."""

    async def write(self, unit: Callable[[Records], T]) -> T:
        """Run a unit in a serializable transaction."""
        ...

    async def read(self, unit: Callable[[Records], T]) -> T:
        """Run a unit that only reads, on a snapshot."""
        ...


class WatchKeys(Protocol):
    """The names under which Watch tells of changes, and permits say what revokes them."""

    def of(self, change: Change) -> str:
        """Return the key of what was altered: opaque for a person and an instrument."""
        ...


class Signer(Protocol):
    """Signs what others verify with sharing's public keys."""

    async def sign(self, claims: Mapping[str, object], typ: str) -> str:
        """Return the claims as a JWS (RFC 7515, ES256) in compact form; `typ` is its media type.

        Costs some 50 µs of this process, which serves others between one and the next.
        """
        ...

    async def jwks(self, *, past: bool) -> str:
        """Return the public keys as a JSON Web Key Set; also those that sign no more: `past`."""
        ...
