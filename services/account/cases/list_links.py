"""List one's own links, each with whether it can be ended."""

from dataclasses import dataclass

from services.account.domain.link import Link, is_last_sign_in
from services.account.domain.ports import Providers, Store


@dataclass(frozen=True, slots=True)
class ListLinks:
    """Judges each link by the same rule as Unlink, so that the page never promises what fails."""

    store: Store
    providers: Providers

    async def __call__(self, account: str) -> list[tuple[Link, bool]]:
        """Return the links, oldest first, each with whether it is the last way to sign in."""
        links = await self.store.read(lambda tx: tx.links.of(account))
        offered = frozenset(provider.key for provider in self.providers.all())
        return [(link, is_last_sign_in(link, links, offered)) for link in links]
