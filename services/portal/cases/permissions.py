"""A person looks at the account: what is kept, the ways to sign in, what may be added."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from runtime.fault import Fault
from services.portal.domain.person import Account, Link, Person, Provider
from services.portal.domain.ports import Accounts, Sessions


@dataclass(frozen=True)
class Permissions:
    """The account, its links, and the providers that could be linked besides."""

    account: Account
    links: Sequence[Link]
    providers: Sequence[Provider]


async def permissions(sessions: Sessions, accounts: Accounts, person: Person) -> Permissions:
    """Gather the page. All providers on offer are shown: one may have two identities at one."""
    account, links, providers = await asyncio.gather(
        accounts.account(person), accounts.links(person), sessions.providers(person.country)
    )
    return Permissions(account, links, providers)


async def own_link(accounts: Accounts, person: Person, key: str) -> Link:
    """Return one of the person's own links; NOT_FOUND when it is none of theirs."""
    for link in await accounts.links(person):
        if link.key == key:
            return link
    raise Fault("NOT_FOUND", "no such link")
