"""Asks a person for consent, in the name of a service; the portal shows the question."""

from datetime import datetime, timedelta

from runtime.fault import Fault, not_found
from runtime.ids import opaque_id
from services.sharing.cases.answer_consent import (
    consent_event,
    require_recipient,
    require_room,
)
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

# More than this nobody is asked at once, and no service takes the room of the others.
_MOST_OPEN = 20
_MOST_OF_A_SERVICE = 5
# A no stands for so long before the same may be asked again: to ask on until one gives in is none
# of the free consent of GDPR art. 4 (11) and recital 43.
_PAUSE = timedelta(days=30)
_OPEN = (ConsentState.REQUESTED, ConsentState.DEFERRED)
_NO = (ConsentState.REFUSED, ConsentState.WITHDRAWN)
_ASKED = Indication(IndicationMethod.RECORD, Indicator.CONTROLLER)


async def request_consent(
    means: Means, request: Request[Consent], *, account: str, scope: Scope, acting: Acting
) -> bytes:
    """Record the question; one that is open, or lately answered no, is answered as it stands."""
    check_scope(scope, means.rulebook)
    now = means.clock.now()
    name = f"{account}/consents/{opaque_id()}"
    question = Consent(name, scope, ConsentState.REQUESTED, now, indication=_ASKED)

    def unit(records: Records) -> bytes:
        def change() -> Consent:
            if records.subjects.get(account) is None:
                raise not_found(account)
            require_recipient(records, scope)
            known = records.consents.of(account)
            for each in known:
                if each.scope == scope and (each.state in _OPEN or _said_no(each, now)):
                    return each
            still_open = [each.scope.service for each in known if each.state in _OPEN]
            for count, most in (
                (still_open.count(scope.service), _MOST_OF_A_SERVICE),
                (len(still_open), _MOST_OPEN),
            ):
                if count >= most:
                    raise Fault(
                        "TOO_MANY_OPEN_QUESTIONS",
                        "this person has more questions open than anyone should be asked",
                        metadata={"most": str(most)},
                    )
            require_room(records, account)
            records.consents.add(account, question, now)
            records.publish(
                consent_event("sharing:consent:request", account, question, now, acting)
            )
            return question

        return records.once(request, now, change)

    return await means.store.write(unit)


def _said_no(consent: Consent, now: datetime) -> bool:
    """Tell whether the person said no so lately that the same is not asked again."""
    return consent.state in _NO and now - (consent.withdrawn or consent.at) < _PAUSE
