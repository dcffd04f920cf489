"""Shows what was really sent: to the person whose data it is, and under a decision to staff."""

from runtime.fault import not_found
from services.sharing.cases.means import Means
from services.sharing.domain.disclosure import Disclosure
from services.sharing.domain.ports import Page, Records


async def list_own_disclosures(
    means: Means, page: Page, holder: str, decision: str
) -> tuple[list[Disclosure], str]:
    """List those about a person, under one decision or any; NOT_FOUND for one about others.

    What an instrument forbids telling today is as if it were not there.
    """
    today = means.clock.now().date()

    def unit(records: Records) -> tuple[list[Disclosure], str]:
        secret = records.instruments.secret(holder, today)
        if decision:
            known = records.decisions.get(decision)
            if (
                known is None
                or known.question.holder != holder
                or known.question.instrument in secret
            ):
                raise not_found(decision)
        return records.disclosures.told(page, holder, decision, secret)

    return await means.store.read(unit)


async def list_disclosures_under(
    means: Means, page: Page, decision: str
) -> tuple[list[Disclosure], str]:
    """List those under a decision; NOT_FOUND for a decision that there is not."""

    def unit(records: Records) -> tuple[list[Disclosure], str]:
        if records.decisions.get(decision) is None:
            raise not_found(decision)
        return records.disclosures.under_decision(page, decision)

    return await means.store.read(unit)
