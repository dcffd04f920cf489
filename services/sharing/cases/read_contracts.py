"""Shows a contract."""

from runtime.fault import not_found
from services.sharing.cases.means import Means
from services.sharing.domain.agreement import Agreement


async def get_contract(means: Means, name: str) -> Agreement:
    """Return a contract with its history, or NOT_FOUND."""
    agreement = await means.store.read(lambda records: records.contracts.get(name))
    if agreement is None:
        raise not_found(name)
    return agreement
