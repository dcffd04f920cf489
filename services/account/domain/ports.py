"""What the cases ask of the outside, and what they are promised.

`Store.write` runs a unit in one serializable transaction and returns when it is durable; a unit
that raises changes nothing; it may run more than once, so it has no effect but its transaction.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from runtime.event import Event
from services.account.domain.account import Account
from services.account.domain.flow import Flow, Parameters
from services.account.domain.link import Link
from services.account.domain.profile import Field, Identity, Value
from services.account.domain.provider import Provider
from services.account.domain.registration import Registration
from services.account.domain.session import Session
from services.account.domain.staff import Invitation, Role

T = TypeVar("T")


class Accounts(Protocol):
    """Accounts, and what sharing has yet to hear of them."""

    def add(self, account: Account) -> None:
        """Add an account and note that sharing must hear of it."""
        ...

    def get(self, name: str) -> Account | None:
        """Return an account."""
        ...

    def untold(self, limit: int) -> Sequence[Account]:
        """Return accounts of which sharing has not acknowledged the current version."""
        ...

    def told(self, name: str, version: int) -> None:
        """Note that sharing acknowledged a version."""
        ...


class Flows(Protocol):
    """Flows; each can be taken once."""

    def add(self, flow: Flow, now: datetime) -> None:
        """Add a flow, and forget those that ended long ago."""
        ...

    def take(self, digest: bytes, now: datetime) -> Flow:
        """Take a flow, atomically: FLOW_REPLAYED for all but the first, FLOW_UNKNOWN for none."""
        ...

    def registered(self, digest: bytes) -> str | None:
        """Return the account to which a flow's proof led; None when to none yet."""
        ...

    def register(self, digest: bytes, account: str) -> bool:
        """Note the account to which a flow's proof led; False when it led to one before."""
        ...


class Links(Protocol):
    """Links; (issuer, subject) is unique in the region."""

    def add(self, link: Link, identity: Identity, values: Sequence[Value], now: datetime) -> None:
        """Add a link with its tokens and chosen imports; IDENTITY_TAKEN when not unique."""
        ...

    def renew(self, link: Link, identity: Identity, values: Sequence[Value], now: datetime) -> None:
        """Replace the tokens of a link, and its imports of the fields that `values` names."""
        ...

    def find(self, issuer: str, subject: str) -> Link | None:
        """Return the link of an identity, without imports."""
        ...

    def of(self, account: str, fields: Collection[Field] = tuple(Field)) -> Sequence[Link]:
        """Return an account's links with what they imported of `fields`, oldest first."""
        ...

    def remove(self, link: Link) -> None:
        """Remove a link, its tokens and its imports."""
        ...


class Sessions(Protocol):
    """Sessions by the digest of their secret."""

    def add(self, session: Session) -> None:
        """Add a session, and forget those of the account that ended."""
        ...

    def get(self, digest: bytes) -> Session | None:
        """Return a session."""
        ...

    def touch(self, digest: bytes, now: datetime) -> None:
        """Write down its last use."""
        ...

    def remove(self, digest: bytes) -> None:
        """Remove it."""
        ...

    def remove_begun_through(self, link_id: str, but: datetime) -> int:
        """Remove those begun through a link, but for those begun in the second of `but`."""
        ...


class Staff(Protocol):
    """Invitations and roles."""

    def invite(self, invitation: Invitation) -> None:
        """Add an invitation."""
        ...

    def invitation(self, digest: bytes) -> Invitation | None:
        """Return an invitation."""
        ...

    def accept(self, invitation: Invitation, account: str, now: datetime) -> None:
        """Bind the invitation's role to an account."""
        ...

    def roles(self, account: str) -> frozenset[Role]:
        """Return the roles of an account."""
        ...


class Transaction(Protocol):
    """Everything that one unit of work reaches."""

    @property
    def accounts(self) -> Accounts:
        """Accounts."""
        ...

    @property
    def flows(self) -> Flows:
        """Flows."""
        ...

    @property
    def links(self) -> Links:
        """Links."""
        ...

    @property
    def sessions(self) -> Sessions:
        """Sessions."""
        ...

    @property
    def staff(self) -> Staff:
        """Invitations and roles."""
        ...

    def publish(self, event: Event) -> None:
        """Put an event on record, together with the change that it tells of."""
        ...

    def once(
        self, scope: str, request_id: str, content: str, now: datetime, change: Callable[[], str]
    ) -> str:
        """Run `change` unless this request was answered before; return the answer."""
        ...


class Store(Protocol):
    """The database."""

    async def write(self, unit: Callable[[Transaction], T]) -> T:
        """Run a unit that may change things."""
        ...

    async def read(self, unit: Callable[[Transaction], T]) -> T:
        """Run a unit that only reads, on one snapshot."""
        ...


class Vault(Protocol):
    """What only the holder of account's own key can make or open."""

    def parameters(self, flow_secret: str) -> Parameters:
        """Derive what a flow sends to the provider."""
        ...

    def derive(self, purpose: str, *parts: str) -> str:
        """Derive a secret that is the same for the same parts, and that nobody else can make."""
        ...

    def seal_registration(self, registration: Registration) -> str:
        """Seal a registration into its secret."""
        ...

    def open_registration(self, secret: str) -> Registration:
        """Open it again; REGISTRATION_UNKNOWN when it is none of ours."""
        ...


class Signer(Protocol):
    """Signs actor tokens and shows the keys that verify them."""

    async def sign(
        self, account: str, roles: frozenset[str], audiences: Sequence[str], auth_time: datetime
    ) -> str:
        """Return a token, good for a minute."""
        ...

    async def jwks(self) -> str:
        """Return the public keys as a JSON Web Key Set."""
        ...


class IdentityProvider(Protocol):
    """One provider on the wire."""

    provider: Provider

    async def authorization_url(self, parameters: Parameters, redirect: str, language: str) -> str:
        """Return where to send the browser; PROVIDER_UNAVAILABLE."""
        ...

    async def prove(
        self, code: str, parameters: Parameters, redirect: str, iss: str | None
    ) -> Identity:
        """Redeem a code and verify who it speaks of.

        FLOW_MISMATCH when `iss` is another issuer; PROOF_REFUSED; PROVIDER_UNAVAILABLE.
        """
        ...


class Providers(Protocol):
    """The providers of this region, in the order in which to show them."""

    def all(self) -> Sequence[Provider]:
        """Return them."""
        ...

    def get(self, key: str) -> IdentityProvider:
        """Return one; PROVIDER_UNKNOWN."""
        ...

    def callback(self, key: str) -> str:
        """Return the address to which a provider sends the browser back."""
        ...


class Sharing(Protocol):
    """Sharing, which decides from its own copy of account's facts."""

    async def tell(self, account: Account, within: timedelta) -> bool:
        """Tell it of an account; False when it does not acknowledge in time."""
        ...
