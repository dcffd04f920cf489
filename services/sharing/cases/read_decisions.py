"""Shows a decision to those whom it concerns."""

from collections.abc import Callable

from runtime.fault import not_found
from services.sharing.cases.means import Means
from services.sharing.domain.decision import Decision


async def get_decision(means: Means, name: str, may_see: Callable[[Decision], bool]) -> Decision:
    """Return a decision; NOT_FOUND also when the caller may not see it."""
    decision = await means.store.read(lambda records: records.decisions.get(name))
    if decision is None or not may_see(decision):
        raise not_found(name)
    return decision
