"""The ways out of the officers' pages. Each may raise Fault; none keeps a token."""

from collections.abc import Sequence
from typing import Protocol

from services.portal.domain.agreements import Expiry, Instrument, Paper, Revocation, Shown
from services.portal.domain.analysis import Explanation, Inquiry, Simulation, Supposition
from services.portal.domain.erasures import Erasure, Ground, Hold, HoldKind
from services.portal.domain.person import Person
from services.portal.domain.sharing import Contract, Recipient, Terms
from services.portal.domain.subjects import Ending, Subject, Wanted


class Analysis(Protocol):
    """Questions taken apart, and what would be otherwise."""

    async def explain(self, officer: Person, inquiry: Inquiry) -> Explanation:
        """Evaluate every gate for a question, now or at a past moment."""
        ...

    async def simulate(self, officer: Person, supposed: Supposition, sample: int) -> Simulation:
        """Replay at most `sample` recorded questions under a change."""
        ...


class Subjects(Protocol):
    """Whose data a recipient has or could get, and the end of a consent in its person's place."""

    async def people(
        self, officer: Person, recipient: Recipient, wanted: Wanted, page: str
    ) -> tuple[Sequence[Subject], str]:
        """Return a page of people, and the next token."""
        ...

    async def end_consent(
        self, officer: Person, request_id: str, consent: str, ending: Ending, note: str
    ) -> None:
        """Revoke a consent, or record that it was none; once for a request id."""
        ...


class Contracts(Protocol):
    """The officers' desk: recipients and what was agreed with them."""

    async def create_recipient(
        self, officer: Person, request_id: str, key: str, *, name: str, kind: str, country: str
    ) -> None:
        """Register a recipient."""
        ...

    async def contracts(self, officer: Person, recipient: str = "") -> Sequence[Contract]:
        """Return the contracts, newest first, without histories."""
        ...

    async def contract(self, officer: Person, key: str) -> Contract:
        """Return a contract with its history."""
        ...

    async def create_contract(
        self, officer: Person, request_id: str, recipient: str, terms: Terms
    ) -> Contract:
        """Record a contract as a draft."""
        ...

    async def amend_contract(
        self, officer: Person, request_id: str, key: str, *, version: int, terms: Terms
    ) -> Contract:
        """Record new terms as the draft after `version`."""
        ...

    async def step(
        self, officer: Person, request_id: str, key: str, *, step: str, version: int, note: str
    ) -> None:
        """Take a step of `Contract.steps_for` on the version that the officer read."""
        ...


class Erasures(Protocol):
    """Who is erased from what the log can tell, and who is kept from it."""

    async def erasures(self, officer: Person) -> Sequence[Erasure]:
        """Return every erasure, newest first."""
        ...

    async def holds(self, officer: Person) -> Sequence[Hold]:
        """Return every hold, newest first."""
        ...

    async def erasure(self, officer: Person, key: str) -> Erasure:
        """Return an erasure."""
        ...

    async def ask(self, officer: Person, request_id: str, account: str, ground: Ground) -> str:
        """Ask to erase a person; return the erasure's key."""
        ...

    async def confirm(self, officer: Person, request_id: str, key: str) -> None:
        """Destroy the keys of whom another officer asked to erase."""
        ...

    async def cancel(self, officer: Person, request_id: str, key: str) -> None:
        """Call off an erasure that waits."""
        ...

    async def place_hold(
        self, officer: Person, request_id: str, account: str, kind: HoldKind, reference: str
    ) -> None:
        """Keep a person from erasure."""
        ...

    async def lift_hold(self, officer: Person, request_id: str, key: str) -> None:
        """Ask to lift a hold, or lift it when another officer has asked."""
        ...


class Agreements(Protocol):
    """What officers keep beside contracts, and what the person is told of it."""

    async def expiries(self, officer: Person, days: int) -> Sequence[Expiry]:
        """Return what ends within so many days, in the order of the days."""
        ...

    async def instruments(self, officer: Person) -> Sequence[Instrument]:
        """Return every instrument, newest first."""
        ...

    async def own_instruments(self, person: Person) -> Sequence[Instrument]:
        """Return the instruments about a person that the person may be told of, newest first."""
        ...

    async def instrument(self, officer: Person, key: str) -> Instrument:
        """Return an instrument."""
        ...

    async def create_instrument(self, officer: Person, request_id: str, paper: Paper) -> str:
        """Record an instrument; return its key."""
        ...

    async def activate_instrument(self, officer: Person, request_id: str, key: str) -> None:
        """Put an instrument in force that another officer recorded."""
        ...

    async def revoke_instrument(
        self, officer: Person, request_id: str, key: str, note: str
    ) -> None:
        """End an instrument for good."""
        ...

    async def revocations(self, officer: Person, shown: Shown) -> Sequence[Revocation]:
        """Return notices to recipients, newest first."""
        ...

    async def revocation(self, officer: Person, key: str) -> Revocation:
        """Return a notice to a recipient."""
        ...

    async def retry(self, officer: Person, request_id: str, key: str) -> None:
        """Have a notice sent anew."""
        ...

    async def acknowledge(self, officer: Person, request_id: str, key: str, note: str) -> None:
        """Note that the recipient acknowledged in another way."""
        ...

    async def endpoint(self, officer: Person, recipient: str) -> str:
        """Return the address where a recipient takes notices, or empty."""
        ...

    async def set_endpoint(
        self, officer: Person, request_id: str, recipient: str, url: str
    ) -> None:
        """Set where a recipient takes notices; empty takes it back."""
        ...
