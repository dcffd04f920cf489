"""Puts off, withdraws, revokes or invalidates a consent from now on; nothing is retroactive."""

from collections.abc import Collection
from dataclasses import replace

from runtime.fault import not_found
from services.sharing.cases.answer_consent import ACTIONS, consent_event
from services.sharing.cases.means import Means
from services.sharing.cases.tell_recipients import Revoking
from services.sharing.domain.acting import Acting
from services.sharing.domain.consent_steps import ConsentStep, check_indication, follow
from services.sharing.domain.ports import Records, Request
from services.sharing.domain.records import Consent, Indication


async def step_consent(
    means: Means,
    request: Request[Consent],
    *,
    holder: str,
    name: str,
    step: ConsentStep,
    indication: Indication,
    acting: Acting,
    note: str = "",
    services: Collection[str] | None = None,
) -> bytes:
    """Add the revision that the step makes; what it leaves as it stands is answered so.

    A consent of others, or for none of the `services` of an app that asks, is NOT_FOUND.
    """
    check_indication(indication)
    now = means.clock.now()

    def unit(records: Records) -> bytes:
        def change() -> Consent:
            known = records.consents.get(holder, name)
            if known is None or (services is not None and known.scope.service not in services):
                raise not_found(name)
            state = known.state_at(now)
            after = follow(state, step)
            if after is state:
                return known
            ended = None if step is ConsentStep.DEFER else now
            stepped = replace(known, state=after, withdrawn=ended, indication=indication)
            records.consents.add(holder, stepped, now)
            records.publish(consent_event(ACTIONS[step], holder, stepped, now, acting, note=note))
            if ended:
                Revoking(means, records, now, acting).consent(holder, stepped)
            return stepped

        return records.once(request, now, change)

    return await means.store.write(unit)
