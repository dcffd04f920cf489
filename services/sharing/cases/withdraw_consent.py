"""Withdraws a consent from now on; what was shared before stays lawful."""

from dataclasses import replace

from runtime.fault import Fault, not_found
from services.sharing.cases.answer_consent import consent_event
from services.sharing.cases.means import Means
from services.sharing.domain.acting import Acting
from services.sharing.domain.ports import Records, Request
from services.sharing.domain.records import Consent, ConsentState


async def withdraw_consent(
    means: Means, request: Request[Consent], *, account: str, name: str, acting: Acting
) -> bytes:
    """Add the revision that withdraws; a consent of others is NOT_FOUND."""
    now = means.clock.now()

    def unit(records: Records) -> bytes:
        def change() -> Consent:
            known = records.consents.get(account, name)
            if known is None:
                raise not_found(name)
            if known.state is ConsentState.WITHDRAWN:
                return known
            if known.state is ConsentState.REFUSED:
                raise Fault(
                    "WRONG_STATE",
                    "a refusal cannot be withdrawn",
                    metadata={"state": known.state.value},
                )
            withdrawn = replace(known, state=ConsentState.WITHDRAWN, withdrawn=now)
            records.consents.add(account, withdrawn, now)
            records.publish(consent_event("withdraw", account, withdrawn, now, acting))
            return withdrawn

        return records.once(request, now, change)

    return await means.store.write(unit)
