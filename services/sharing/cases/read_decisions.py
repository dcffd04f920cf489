"""Shows decisions to those whom they concern, and to the person no sooner than the law allows.

Staff are shown any, for a purpose: who reads about whom, and why, is on record before.
"""

from collections.abc import Callable

from runtime.fault import not_found
from services.sharing.cases.means import Means
from services.sharing.domain.acting import Acting
from services.sharing.domain.decision import Decision
from services.sharing.domain.ports import Page, Records
from services.sharing.domain.vocabulary import Outcome


async def get_decision(
    means: Means,
    name: str,
    may_see: Callable[[Decision], bool],
    *,
    for_person: Callable[[str], bool],
) -> Decision:
    """Return a decision; NOT_FOUND also when the caller may not see it.

    For the person (`for_person` of the account that it is about) that is also one about a legal
    instrument that forbids telling.
    """
    today = means.clock.now().date()

    def unit(records: Records) -> Decision | None:
        decision = records.decisions.get(name)
        named = decision.question.instrument if decision else ""
        if decision and named and for_person(decision.question.account):
            secret = records.instruments.secret(decision.question.account, today)
            return None if named in secret else decision
        return decision

    decision = await means.store.read(unit)
    if decision is None or not may_see(decision):
        raise not_found(name)
    return decision


async def read_decision(means: Means, name: str, purpose: str, acting: Acting) -> Decision:
    """Return any decision to staff, on record; NOT_FOUND when there is none.

    Whoever reads of themselves is a person before the law: a decision on an order that they must
    not be told of is none to them.
    """
    decision = await get_decision(
        means, name, lambda _: True, for_person=lambda about: about == acting.who
    )
    question = decision.question
    event = acting.event(
        action="sharing:decision:read",
        time=means.clock.now(),
        account=question.holder,
        resource=name,
        recipients=[question.recipient],
        fields={
            "purpose": purpose,
            **({"instrument": question.instrument} if question.instrument else {}),
        },
    )
    await means.store.write(lambda records: records.publish(event))
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
