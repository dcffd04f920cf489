"""The ways out, as the cases and pages need them. Each may raise Fault; none keeps a token."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from services.portal.domain.consents import (
    Consent,
    NoticeChange,
    Receipt,
    Revision,
    Saying,
    Scope,
)
from services.portal.domain.person import (
    Account,
    Arrival,
    Departure,
    Invitation,
    Link,
    Person,
    ProfileField,
    Provider,
    Registration,
    Session,
    SignUp,
)
from services.portal.domain.reach import Reached
from services.portal.domain.sharing import (
    Choice,
    Decision,
    Outcome,
    Preference,
    Recipient,
    Vocabulary,
)
from services.portal.domain.trace import Found, Proof, Search, Traced


class Sessions(Protocol):
    """Signing up, in and out, for anyone."""

    async def providers(self, country: str | None = None) -> Sequence[Provider]:
        """Return the providers on offer, in the order in which to show them."""
        ...

    async def begin(self, provider: str, language: str) -> Departure:
        """Begin a sign-in at a provider."""
        ...

    async def complete(self, flow_secret: str, arrival: Arrival) -> Session | Registration:
        """Complete a sign-in: a session for a known identity, else a registration."""
        ...

    async def registration(self, secret: str) -> Registration:
        """Return a registration that is still open."""
        ...

    async def register(self, secret: str, request_id: str, sign_up: SignUp) -> Session:
        """Register an account and sign its person in; once for a request id."""
        ...

    async def authenticate(self, secret: str) -> Person:
        """Return whose session it is; SESSION_INVALID when it is nobody's."""
        ...

    async def end(self, secret: str) -> None:
        """End a session, whatever its state."""
        ...


class Accounts(Protocol):
    """A person's own account and links."""

    async def account(self, person: Person) -> Account:
        """Return the person's own account."""
        ...

    async def links(self, person: Person) -> Sequence[Link]:
        """Return the person's own links, oldest first."""
        ...

    async def begin_link(
        self, person: Person, provider: str, imports: Sequence[ProfileField], language: str
    ) -> Departure:
        """Begin to link another identity."""
        ...

    async def complete_link(self, person: Person, flow_secret: str, arrival: Arrival) -> Link:
        """Complete a link with what the provider sent back."""
        ...

    async def unlink(self, person: Person, key: str, request_id: str) -> None:
        """End a link; LAST_SIGN_IN when no other is left."""
        ...


class Staff(Protocol):
    """Invitations to a role."""

    async def invitation(self, secret: str) -> Invitation:
        """Return an open invitation to whoever holds its secret."""
        ...

    async def accept(self, person: Person, secret: str) -> None:
        """Bind the invitation's role to the person's account."""
        ...


class Reaches(Protocol):
    """Who has or could get a person's data."""

    async def recipients(self, person: Person) -> tuple[Sequence[Reached], bool]:
        """Return whoever has data and whoever could get it; whether there are more to look at."""
        ...


class Consents(Protocol):
    """What a person consents to."""

    async def all(self, person: Person) -> Sequence[Consent]:
        """Return the person's consents, newest first."""
        ...

    async def life(self, person: Person, key: str) -> tuple[Consent, Sequence[Revision]]:
        """Return one of the person's consents with its history, oldest step first."""
        ...

    async def receipt(self, person: Person, key: str) -> Receipt:
        """Return the signed receipt of one of the person's consents."""
        ...

    async def receipt_keys(self) -> str:
        """Return the keys that verify receipts, a JSON Web Key Set, for anyone."""
        ...

    async def give(
        self,
        person: Person,
        request_id: str,
        asked: Scope | str,
        saying: Saying,
        expires: datetime | None,
    ) -> None:
        """Record a yes to a scope, or to the question of that key; once for a request id."""
        ...

    async def refuse(
        self, person: Person, request_id: str, asked: Scope | str, saying: Saying
    ) -> None:
        """Record a no to a scope, or to the question of that key; once for a request id."""
        ...

    async def defer(self, person: Person, request_id: str, key: str) -> None:
        """Put off the answer to a question."""
        ...

    async def withdraw(self, person: Person, request_id: str, key: str) -> None:
        """Withdraw a consent from now on."""
        ...


class Choices(Protocol):
    """What a person opts out of and objects to, and what was decided about them."""

    async def vocabulary(self, person: Person) -> Vocabulary:
        """Return the words of the rules in force."""
        ...

    async def recipients(self, person: Person, kind: str = "") -> Sequence[Recipient]:
        """Return the recipients, or those of a kind or kind prefix, by name."""
        ...

    async def preferences(self, person: Person) -> Sequence[Preference]:
        """Return the person's standing choices, newest first, lifted ones included."""
        ...

    async def opt_out(self, person: Person, request_id: str, choice: Choice) -> None:
        """Opt out of marketing or personalisation."""
        ...

    async def object_to(self, person: Person, request_id: str, purpose: str) -> None:
        """Object to a purpose that rests on legitimate interest."""
        ...

    async def stop_sharing(self, person: Person, request_id: str, recipient: str) -> None:
        """Stop sharing with a recipient or a kind of recipients."""
        ...

    async def restrict(self, person: Person, request_id: str) -> None:
        """Restrict the use of the person's data from now on."""
        ...

    async def notice_changes(self, person: Person) -> Sequence[NoticeChange]:
        """Return what is new in the notices in force since the versions the person accepted."""
        ...

    async def lift(self, person: Person, request_id: str, key: str) -> None:
        """Lift a standing choice from now on."""
        ...

    async def accept_notice(self, person: Person, request_id: str, notice: str) -> None:
        """Accept a version of a notice."""
        ...

    async def decisions(
        self, person: Person, outcome: Outcome | None, page: str
    ) -> tuple[Sequence[Decision], str]:
        """Return a page of decisions about the person, newest first, and the next token."""
        ...

    async def decision(self, person: Person, key: str, purpose: str = "") -> Decision:
        """Return one decision about the person, or any to staff who state a purpose."""
        ...


class Log(Protocol):
    """The auditors' view of the log; each look states its purpose, which goes on record."""

    async def search(self, auditor: Person, purpose: str, search: Search, page: str = "") -> Found:
        """Return a page of the entries that match every part of a search, newest first."""
        ...

    async def trace(self, auditor: Person, purpose: str, trace_id: str) -> Traced:
        """Return the entries of one request, each verified under the pinned keys, in one call."""
        ...

    async def prove(self, auditor: Person, purpose: str, index: int) -> Proof:
        """Return an entry with its proof, verified under the pinned keys."""
        ...


class OwnLog(Protocol):
    """What the log says of the person who looks, and of nobody else."""

    async def entries(self, person: Person, page: str = "") -> Found:
        """Return a page of the person's own entries, newest first."""
        ...

    async def prove(self, person: Person, index: int) -> Proof:
        """Return one of them with its proof, verified; NOT_FOUND for any other entry."""
        ...
