"""Show a person their own account."""

from dataclasses import dataclass, field

from runtime.fault import not_found
from services.account.cases.authenticate import roles_of
from services.account.domain.account import Account
from services.account.domain.link import profile
from services.account.domain.ports import Store, Transaction
from services.account.domain.profile import Import


@dataclass(frozen=True, slots=True)
class OwnAccount:
    """An account as its person sees it."""

    account: Account
    roles: frozenset[str]
    profile: tuple[Import, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class GetAccount:
    """Shows an account to its person and to nobody else."""

    store: Store

    async def __call__(self, name: str, acting: str) -> OwnAccount:
        """Return the account; another's is answered as one that does not exist."""

        def get(tx: Transaction) -> OwnAccount:
            account = tx.accounts.get(name) if name == acting else None
            if account is None:
                raise not_found(name)
            return OwnAccount(account, roles_of(tx, name), profile(tx.links.of(name)))

        return await self.store.read(get)
