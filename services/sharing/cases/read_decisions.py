"""Shows decisions to those whom they concern, and to the person no sooner than the law allows."""

from collections.abc import Callable

from runtime.fault import not_found
from services.sharing.cases.means import Means
from services.sharing.domain.decision import Decision
from services.sharing.domain.ports import Page, Records
from services.sharing.domain.vocabulary import Outcome


async def get_decision(
    means: Means, name: str, may_see: Callable[[Decision], bool], *, for_person: bool
) -> Decision:
    """Return a decision; NOT_FOUND also when the caller may not see it.

    For the person that is also one about a legal instrument that forbids telling.
    """
    today = means.clock.now().date()

    def unit(records: Records) -> Decision | None:
        decision = records.decisions.get(name)
        named = decision.question.instrument if decision else ""
        if decision and named and for_person:
            secret = records.instruments.secret(decision.question.account, today)
            return None if named in secret else decision
        return decision

    decision = await means.store.read(unit)
    if decision is None or not may_see(decision):
        raise not_found(name)
    return decision


async def list_decisions(
    means: Means, page: Page, account: str, outcome: Outcome | None
) -> tuple[list[Decision], str]:
    """List those about a person that the person may be told of, newest first.

    What may not be told leaves no hole in a page, and none behind it.
    """
    today = means.clock.now().date()

    def unit(records: Records) -> tuple[list[Decision], str]:
        secret = records.instruments.secret(account, today)
        return records.decisions.list(page, account, outcome, secret)

    return await means.store.read(unit)
