"""Records what a person answers when asked for consent: yes or no."""

from datetime import datetime

from runtime.event import Event
from runtime.fault import invalid, not_found
from runtime.ids import opaque_id
from services.sharing.cases.means import Means
from services.sharing.domain.acting import Acting
from services.sharing.domain.admission import RECIPIENT_PREFIX, check_notice, check_scope
from services.sharing.domain.ports import Records, Request
from services.sharing.domain.records import Consent, ConsentState, Scope

_VERBS = {ConsentState.GIVEN: "give", ConsentState.REFUSED: "refuse"}


async def answer_consent(
    means: Means,
    request: Request[Consent],
    *,
    account: str,
    scope: Scope,
    state: ConsentState,
    expires: datetime | None,
    notice: str,
    language: str,
    acting: Acting,
) -> bytes:
    """Record a consent or a refusal of the person, from now on."""
    check_scope(scope, means.rulebook)
    check_notice("notice", notice, means.rulebook)
    now = means.clock.now()
    if expires is not None and expires <= now:
        raise invalid("expire_time", "must be in the future")
    consent = Consent(
        name=f"{account}/consents/{opaque_id()}",
        scope=scope,
        state=state,
        at=now,
        expires=expires,
        notice=notice,
        language=language,
    )

    def unit(records: Records) -> bytes:
        def change() -> Consent:
            named = scope.recipient.startswith(RECIPIENT_PREFIX)
            if named and records.recipients.get(scope.recipient) is None:
                raise not_found(scope.recipient)
            records.consents.add(account, consent, now)
            records.publish(consent_event(_VERBS[state], account, consent, now, acting))
            return consent

        return records.once(request, now, change)

    return await means.store.write(unit)


def consent_event(
    verb: str, account: str, consent: Consent, now: datetime, acting: Acting
) -> Event:
    """Describe a step in the life of a consent."""
    return Event(
        action=f"sharing:consent:{verb}",
        outcome="ok",
        time=now,
        account=account,
        actor=acting.who,
        resource=consent.name,
        fields={
            "service": consent.scope.service,
            "purposes": ",".join(sorted(consent.scope.purposes)),
            "categories": ",".join(sorted(consent.scope.categories)),
            "recipient": consent.scope.recipient,
            "notice": consent.notice,
            "language": consent.language,
        },
        trace=acting.trace,
    )
