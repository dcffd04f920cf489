"""Complete a link: a further way to sign in, with the imports chosen at its begin."""

from dataclasses import dataclass

from runtime.call import Way
from runtime.clock import Clock
from runtime.event import Event
from runtime.ids import opaque_id
from services.account.cases.prove import Prove
from services.account.cases.register import link_fields
from services.account.domain import faults
from services.account.domain.account import State
from services.account.domain.flow import Callback, Purpose
from services.account.domain.link import Link
from services.account.domain.ports import Store, Transaction


@dataclass(frozen=True, slots=True)
class CompleteLink:
    """Links what the provider proved to the person who began the flow, and to nobody else."""

    prove: Prove
    store: Store
    clock: Clock

    async def __call__(self, callback: Callback, account: str, way: Way) -> Link:
        """Return the link; linking again what is linked here already renews its imports."""
        flow, identity = await self.prove(callback, Purpose.LINK, account)
        now = self.clock.now()
        values = identity.chosen(flow.imports)
        fresh = Link(
            account, opaque_id(), identity.provider, identity.issuer, identity.subject, linked=now
        )

        def link(tx: Transaction) -> Link:
            owner = tx.accounts.get(account)
            if owner is None or owner.state is not State.ACTIVE:
                raise faults.account_not_active()
            known = tx.links.find(identity.issuer, identity.subject)
            if known is None:
                action, made = "account:link:add", fresh
                tx.links.add(made, identity, values, now)
            elif known.account == account:
                action, made = "account:link:renew", known
                tx.links.renew(made, identity, values, now)
            else:
                raise faults.identity_taken(identity.provider)
            tx.publish(
                Event(
                    action,
                    "ok",
                    now,
                    account=account,
                    actor=account,
                    resource=made.name,
                    fields=link_fields(made, values),
                    app=way.app,
                    trace=way.trace,
                )
            )
            return next(item for item in tx.links.of(account) if item.link_id == made.link_id)

        return await self.store.write(link)
