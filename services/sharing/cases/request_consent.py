"""Asks a person for consent, in the name of a service; the portal shows the question."""

from runtime.fault import Fault, not_found
from runtime.ids import opaque_id
from services.sharing.cases.answer_consent import consent_event, require_recipient
from services.sharing.cases.means import Means
from services.sharing.domain.acting import Acting
from services.sharing.domain.admission import check_scope
from services.sharing.domain.ports import Records, Request
from services.sharing.domain.records import (
    Consent,
    ConsentState,
    Indication,
    IndicationMethod,
    Indicator,
    Scope,
)

_MOST_OPEN = 20
_ASKED = Indication(IndicationMethod.RECORD, Indicator.CONTROLLER)


async def request_consent(
    means: Means, request: Request[Consent], *, account: str, scope: Scope, acting: Acting
) -> bytes:
    """Record the question; one that is open already is answered as it stands."""
    check_scope(scope, means.rulebook)
    now = means.clock.now()
    name = f"{account}/consents/{opaque_id()}"
    question = Consent(name, scope, ConsentState.REQUESTED, now, indication=_ASKED)

    def unit(records: Records) -> bytes:
        def change() -> Consent:
            if records.subjects.get(account) is None:
                raise not_found(account)
            require_recipient(records, scope)
            asked = (ConsentState.REQUESTED, ConsentState.DEFERRED)
            still_open = [each for each in records.consents.of(account) if each.state in asked]
            for known in still_open:
                if known.scope == scope:
                    return known
            if len(still_open) >= _MOST_OPEN:
                raise Fault(
                    "TOO_MANY_OPEN_QUESTIONS",
                    "this person has more questions open than anyone should be asked",
                    metadata={"most": str(_MOST_OPEN)},
                )
            records.consents.add(account, question, now)
            records.publish(consent_event("request", account, question, now, acting))
            return question

        return records.once(request, now, change)

    return await means.store.write(unit)
