"""From a callback to an identity: what completing a sign-in and a link have in common."""

from dataclasses import dataclass

from runtime.clock import Clock
from services.account.domain import faults, flow, secret
from services.account.domain.flow import Callback, Flow, Purpose
from services.account.domain.ports import Providers, Store, Vault
from services.account.domain.profile import Identity


@dataclass(frozen=True, slots=True)
class Prove:
    """Takes the flow, then checks the callback, then asks the provider, in this order.

    The flow is taken first, durably and atomically, so that whatever happens next no callback is
    ever tried twice: a hundred at once redeem one code once.
    """

    store: Store
    providers: Providers
    vault: Vault
    clock: Clock

    async def __call__(
        self, callback: Callback, purpose: Purpose, account: str = ""
    ) -> tuple[Flow, Identity]:
        """Return the flow and the identity that the provider proved."""
        if not secret.well_formed(callback.flow_secret):
            raise faults.flow_unknown()
        now = self.clock.now()
        digest = secret.digest(callback.flow_secret)
        taken = await self.store.write(lambda tx: tx.flows.take(digest, now))
        parameters = self.vault.parameters(callback.flow_secret)
        flow.admit(taken, callback, parameters, purpose=purpose, account=account, now=now)
        peer = self.providers.get(taken.provider)
        redirect = self.providers.callback(taken.provider)
        identity = await peer.prove(callback.code or "", parameters, redirect, callback.iss)
        return taken, identity
