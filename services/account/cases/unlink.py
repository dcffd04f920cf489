"""End a link and forget what came through it."""

from dataclasses import dataclass

from runtime.call import Actor, Way
from runtime.clock import Clock
from runtime.event import Event
from runtime.fault import not_found
from services.account.domain.link import require_another_sign_in, split_name
from services.account.domain.ports import Providers, Store, Transaction


@dataclass(frozen=True, slots=True)
class Unlink:
    """Ends a link of the acting person, unless it is the last way to sign in."""

    store: Store
    providers: Providers
    clock: Clock

    async def __call__(self, name: str, request_id: str, actor: Actor, way: Way) -> None:
        """End the link; another person's is answered as one that does not exist.

        Sessions that began through it end with it, or whoever linked an identity of theirs would
        stay in after it is gone (pre-hijacking, the unexpired session). The acting one stays.
        """
        account = actor.subject
        owner, link_id = split_name(name)
        if owner != account:
            raise not_found(name)
        now = self.clock.now()
        offered = frozenset(provider.key for provider in self.providers.all())

        def unlink(tx: Transaction) -> None:
            def end() -> str:
                links = tx.links.of(account)
                link = next((item for item in links if item.link_id == link_id), None)
                if link is None:
                    raise not_found(name)
                require_another_sign_in(link, links, offered)
                tx.links.remove(link)
                ended = tx.sessions.remove_begun_through(link_id, but=actor.auth_time)
                tx.publish(
                    Event(
                        "account:link:remove",
                        "ok",
                        now,
                        account=account,
                        actor=account,
                        resource=name,
                        fields={"provider": link.provider, "ended_sessions": str(ended)},
                        app=way.app,
                        trace=way.trace,
                    )
                )
                return ""

            tx.once("unlink:" + account, request_id, name, now, end)

        await self.store.write(unlink)
