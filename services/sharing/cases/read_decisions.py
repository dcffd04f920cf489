"""Shows decisions to those whom they concern."""

from collections.abc import Callable

from runtime.fault import not_found
from services.sharing.cases.means import Means
from services.sharing.domain.decision import Decision
from services.sharing.domain.ports import Page
from services.sharing.domain.vocabulary import Outcome


async def get_decision(means: Means, name: str, may_see: Callable[[Decision], bool]) -> Decision:
    """Return a decision; NOT_FOUND also when the caller may not see it."""
    decision = await means.store.read(lambda records: records.decisions.get(name))
    if decision is None or not may_see(decision):
        raise not_found(name)
    return decision


async def list_decisions(
    means: Means, page: Page, account: str, outcome: Outcome | None
) -> tuple[list[Decision], str]:
    """List the decisions about a person, newest first."""
    return await means.store.read(lambda records: records.decisions.list(page, account, outcome))
