"""Complete a sign-in: a known identity gets a session, an unknown one may register."""

from dataclasses import dataclass, field

from runtime.call import Way
from runtime.clock import Clock
from runtime.event import Event
from services.account.cases.prove import Prove
from services.account.domain import faults, registration
from services.account.domain.account import State
from services.account.domain.flow import Callback, Purpose
from services.account.domain.ports import Store, Transaction, Vault
from services.account.domain.registration import Registration
from services.account.domain.secret import digest, new_secret
from services.account.domain.session import Session


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The person is known: a session."""

    secret: str = field(repr=False)
    session: Session


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody has linked this identity: a registration to go on with."""

    secret: str = field(repr=False)
    registration: Registration


@dataclass(frozen=True, slots=True)
class CompleteSignIn:
    """Finds the account by issuer and subject alone.

    An account with the same email is no reason to link: whoever owns it signs in with what they
    have and links there (pre-hijacking, the classic-federated merge).
    """

    prove: Prove
    store: Store
    vault: Vault
    clock: Clock

    async def __call__(self, callback: Callback, way: Way) -> SignedIn | Unknown:
        """Return a session or a registration."""
        flow, identity = await self.prove(callback, Purpose.SIGN_IN)
        now = self.clock.now()
        secret = new_secret()

        def sign_in(tx: Transaction) -> Session | None:
            link = tx.links.find(identity.issuer, identity.subject)
            if link is None:
                return None
            account = tx.accounts.get(link.account)
            if account is None or account.state is not State.ACTIVE:
                raise faults.account_not_active()
            tx.links.renew(link, identity, (), now)
            session = Session(digest(secret), link.account, link.link_id, began=now, seen=now)
            tx.sessions.add(session)
            tx.publish(
                Event(
                    "account:session:begin",
                    "ok",
                    now,
                    account=link.account,
                    actor=link.account,
                    resource=link.name,
                    fields={"provider": link.provider},
                    app=way.app,
                    trace=way.trace,
                )
            )
            return session

        session = await self.store.write(sign_in)
        if session is not None:
            return SignedIn(secret, session)
        unknown = Registration(flow.digest, identity, now + registration.LIFE)
        return Unknown(self.vault.seal_registration(unknown), unknown)
