"""Begin a sign-in or a link: send someone to a provider, bound to this browser."""

from dataclasses import dataclass, field

from runtime.clock import Clock
from services.account.domain import account as accounts
from services.account.domain import faults
from services.account.domain.flow import LIFE, Flow, Purpose
from services.account.domain.ports import Providers, Store, Vault
from services.account.domain.profile import Field
from services.account.domain.secret import digest, new_secret


@dataclass(frozen=True, slots=True)
class Begun:
    """A flow that has begun."""

    authorization_url: str = field(repr=False)
    flow_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class BeginFlow:
    """Begins a flow; a link names the account that it is for."""

    store: Store
    providers: Providers
    vault: Vault
    clock: Clock

    async def __call__(
        self,
        provider: str,
        language: str,
        account: str = "",
        imports: frozenset[Field] = frozenset(),
    ) -> Begun:
        """Return where to go, and the secret to come back with."""
        accounts.language(language)
        peer = self.providers.get(provider)
        if account:
            found = await self.store.read(lambda tx: tx.accounts.get(account))
            if found is None:
                raise faults.account_not_active()
            peer.provider.require_offered_in(found.country)
        flow_secret = new_secret()
        url = await peer.authorization_url(
            self.vault.parameters(flow_secret), self.providers.callback(provider), language
        )
        now = self.clock.now()
        flow = Flow(
            digest=digest(flow_secret),
            purpose=Purpose.LINK if account else Purpose.SIGN_IN,
            provider=provider,
            account=account,
            imports=imports,
            expires=now + LIFE,
        )
        await self.store.write(lambda tx: tx.flows.add(flow, now))
        return Begun(url, flow_secret)
