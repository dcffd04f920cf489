"""What the cases ask of the store about agreements, and of the way to recipients.

Recipients, contracts, legal instruments, the calendar, and notices; `ports` has the rest, and puts
these among the `Records` of a unit of work.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Protocol

from services.sharing.domain.revocation import Cause, Ending, NoticeState

if TYPE_CHECKING:
    from services.sharing.domain.agreement import Agreement, Step
    from services.sharing.domain.calendar import Expiry
    from services.sharing.domain.endpoint import Endpoint
    from services.sharing.domain.instrument import LegalInstrument
    from services.sharing.domain.ports import Page
    from services.sharing.domain.records import Contract, Instrument, Recipient
    from services.sharing.domain.revocation import Notice, Received


class RecipientRecords(Protocol):
    """Organisations, immutable, and where they take notices."""

    def get(self, name: str) -> Recipient | None:
        """Return a recipient."""
        ...

    def add(self, recipient: Recipient) -> bool:
        """Store a recipient; False when the name is taken."""
        ...

    def endpoint(self, name: str) -> Endpoint:
        """Return where a recipient takes notices; without an address when none was ever set."""
        ...

    def set_endpoint(self, endpoint: Endpoint) -> None:
        """Store where a recipient takes notices."""
        ...

    def list(self, page: Page, kind: str) -> tuple[list[Recipient], str]:
        """List by name those of a kind or kind prefix; return the cursor of what follows."""
        ...


class ContractRecords(Protocol):
    """Contracts, their versions and their steps."""

    def with_recipient(self, recipient: str) -> Sequence[Contract]:
        """Return each contract with a recipient, at the version that decides, by effect."""
        ...

    def get(self, name: str) -> Agreement | None:
        """Return a contract with its history."""
        ...

    def save(self, agreement: Agreement, step: Step) -> None:
        """Store where a contract stands after a step, and the terms of a new version."""
        ...

    def list(self, page: Page, recipient: str) -> tuple[list[Agreement], str]:
        """List newest first, without histories; return the cursor of what follows, or empty."""
        ...


class InstrumentRecords(Protocol):
    """Legal instruments; what they say is immutable."""

    def deciding(self, name: str) -> Instrument | None:
        """Return what an instrument orders; None unless it was put in force and not revoked."""
        ...

    def get(self, name: str) -> LegalInstrument | None:
        """Return an instrument."""
        ...

    def save(self, instrument: LegalInstrument) -> None:
        """Store a new instrument, or where a known one stands."""
        ...

    def told(self, page: Page, account: str, today: date) -> tuple[list[LegalInstrument], str]:
        """List those ever in force about a person which the person may be told of on that day."""
        ...

    def secret(self, account: str, today: date) -> frozenset[str]:
        """Return the names of those that the person may not be told of on that day."""
        ...

    def list(self, page: Page, account: str) -> tuple[list[LegalInstrument], str]:
        """List newest first, all or those about an account; return the cursor of what follows."""
        ...


class ExpiryRecords(Protocol):
    """The calendar, kept by the records of contracts and instruments."""

    def list(self, page: Page, first: date, last: date) -> tuple[list[Expiry], str]:
        """List from a day through another in their order; return the cursor of what follows."""
        ...


class EndingRecords(Protocol):
    """What ended, or will, and is still to be told; moments to come are kept by the consents."""

    def add(self, ending: Ending) -> None:
        """Have an ending told, unless it is to be told already."""
        ...

    def save(self, ending: Ending) -> None:
        """Note how far it was told."""
        ...

    def remove(self, ending: Ending) -> None:
        """Note that everybody was told."""
        ...

    def come(self, now: datetime) -> bool:
        """Tell whether anything that has ended is still to be told."""
        ...

    def take(self, now: datetime, most: int) -> Sequence[Ending]:
        """Return what has ended and is to be told, oldest first, but for what others are at."""
        ...


@dataclass(frozen=True, slots=True)
class NoticeFilter:
    """Which notices to list; what is empty or false filters nothing."""

    recipient: str = ""
    state: NoticeState | None = None
    overdue: bool = False


class NoticeRecords(Protocol):
    """Notices to recipients, and what they received."""

    def received(self, holder: str, after: int, most: int) -> tuple[list[Received], int]:
        """Return what recipients got of a person or guest after a number, oldest first.

        With the number to go on from; 0: nothing follows.
        """
        ...

    def told(self, cause: Cause, decisions: Collection[str]) -> Mapping[str, datetime]:
        """Return of which of these decisions it was told for a cause, and when last."""
        ...

    def has_received(self, recipient: str) -> bool:
        """Tell whether a recipient ever received anybody's data."""
        ...

    def get(self, name: str) -> Notice | None:
        """Return a notice."""
        ...

    def add(self, notice: Notice) -> None:
        """Store a new notice."""
        ...

    def save(self, notice: Notice) -> None:
        """Store where a notice stands; whoever had it to send has it no longer."""
        ...

    def waiting(self, now: datetime) -> bool:
        """Tell whether any is due, or has turned late."""
        ...

    def take(self, now: datetime, until: datetime, most: int, each: int) -> list[Notice]:
        """Return notices that are due and that no worker has, and have them until an instant.

        At most `each` to one recipient, with those that workers have already.
        """
        ...

    def turned_late(self, now: datetime, most: int) -> list[Notice]:
        """Return those whose deadline passed unacknowledged; each is returned once."""
        ...

    def list(self, page: Page, wanted: NoticeFilter, now: datetime) -> tuple[list[Notice], str]:
        """List newest first; return the cursor of what follows, or empty."""
        ...


@dataclass(frozen=True, slots=True)
class Delivery:
    """What came of sending a notice: acknowledged without a problem; `final`: do not try again."""

    problem: str = ""
    final: bool = False


class Post(Protocol):
    """Takes notices to the endpoints of recipients."""

    async def deliver(self, url: str, token: str, name: str) -> Delivery:
        """Hand in the signed notice of that name; bounded in time, raises nothing."""
        ...
