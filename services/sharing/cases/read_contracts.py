"""Shows contracts."""

from runtime.fault import not_found
from services.sharing.cases.means import Means
from services.sharing.domain.agreement import Agreement
from services.sharing.domain.ports import Page


async def get_contract(means: Means, name: str) -> Agreement:
    """Return a contract with its history, or NOT_FOUND."""
    agreement = await means.store.read(lambda records: records.contracts.get(name))
    if agreement is None:
        raise not_found(name)
    return agreement


async def list_contracts(means: Means, page: Page, recipient: str) -> tuple[list[Agreement], str]:
    """List newest first; return the cursor of what follows, or empty."""
    return await means.store.read(lambda records: records.contracts.list(page, recipient))
