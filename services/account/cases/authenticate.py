"""Authenticate a session: who is there, and the token with which the portal acts for them."""

from dataclasses import dataclass, field

from runtime.clock import Clock
from services.account.domain import faults
from services.account.domain.account import Account, State
from services.account.domain.link import profile
from services.account.domain.ports import Signer, Store, Transaction
from services.account.domain.profile import Field
from services.account.domain.secret import digest, well_formed
from services.account.domain.session import Session


@dataclass(frozen=True, slots=True)
class Authenticated:
    """A session's person."""

    token: str = field(repr=False)
    account: Account
    roles: frozenset[str]
    nickname: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Found:
    session: Session
    account: Account
    roles: frozenset[str]
    nickname: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Authenticate:
    """Reads once for a page view, writes at most once a minute for a session."""

    store: Store
    signer: Signer
    clock: Clock

    async def __call__(self, secret: str, audiences: list[str]) -> Authenticated:
        """Return who is there; SESSION_INVALID when nobody is."""
        if not well_formed(secret):
            raise faults.session_invalid()
        now = self.clock.now()
        found = await self.store.read(lambda tx: _find(tx, digest(secret)))
        if found is None or not found.session.valid(now):
            raise faults.session_invalid()
        if found.account.state is not State.ACTIVE:
            raise faults.account_not_active()
        if found.session.stale(now):
            await self.store.write(lambda tx: tx.sessions.touch(found.session.digest, now))
        token = await self.signer.sign(
            found.account.name, found.roles, audiences, found.session.began
        )
        return Authenticated(token, found.account, found.roles, found.nickname)


def _find(tx: Transaction, digest_: bytes) -> _Found | None:
    session = tx.sessions.get(digest_)
    account = tx.accounts.get(session.account) if session else None
    if session is None or account is None:
        return None
    # Every page view comes through here: only what the page shows is unsealed.
    nicknames = profile(tx.links.of(account.name, [Field.NICKNAME]))
    nickname = nicknames[0].value.text if nicknames else None
    return _Found(session, account, roles_of(tx, account.name), nickname)


def roles_of(tx: Transaction, account: str) -> frozenset[str]:
    """Return the roles that a token of this account holds: everyone is a person."""
    return frozenset({"person", *(role.value for role in tx.staff.roles(account))})
