"""Records what a person answers when asked for consent: yes or no, also to a question by name."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime

from runtime.event import Event
from runtime.fault import Fault, invalid, not_found
from runtime.ids import opaque_id
from services.sharing.cases.means import Means
from services.sharing.cases.tell_recipients import Revoking
from services.sharing.domain.acting import Acting
from services.sharing.domain.admission import RECIPIENT_PREFIX, check_notice, check_scope
from services.sharing.domain.consent_steps import ConsentStep, check_age, check_indication, follow
from services.sharing.domain.ports import Records, Request
from services.sharing.domain.records import Consent, ConsentState, Indication, Scope

# Whoever is decided about is decided from all of it: a record that grew without end would make
# their decisions slow and take the memory of others.
_MOST_REVISIONS = 2000
ACTIONS = {
    ConsentStep.GIVE: "sharing:consent:give",
    ConsentStep.REFUSE: "sharing:consent:refuse",
    ConsentStep.DEFER: "sharing:consent:defer",
    ConsentStep.WITHDRAW: "sharing:consent:withdraw",
    ConsentStep.REVOKE: "sharing:consent:revoke",
    ConsentStep.INVALIDATE: "sharing:consent:invalidate",
}
# Whoever brings such a word brings it for the holder; the others are of those who act themselves.
_STEPS_OF_THE_HOLDER = (
    ConsentStep.GIVE,
    ConsentStep.REFUSE,
    ConsentStep.DEFER,
    ConsentStep.WITHDRAW,
)
_OF_THE_HOLDER = frozenset(ACTIONS[step] for step in _STEPS_OF_THE_HOLDER)
_ANEW = {ConsentStep.GIVE: ConsentState.GIVEN, ConsentStep.REFUSE: ConsentState.REFUSED}


@dataclass(frozen=True, slots=True)
class Said:
    """A person's answer. `asked` is the scope, or the name of the consent that it is about."""

    step: ConsentStep  # GIVE or REFUSE
    asked: Scope | str
    expires: datetime | None
    notice: str
    language: str
    indication: Indication


async def answer_consent(
    means: Means,
    request: Request[Consent],
    *,
    holder: str,
    said: Said,
    acting: Acting,
    services: Collection[str] | None = None,
) -> bytes:
    """Record an answer of the person or guest, from now on.

    A consent that is named and is for none of the `services` of an app that asks is NOT_FOUND.
    """
    if isinstance(said.asked, Scope):
        check_scope(said.asked, means.rulebook)
    check_notice("notice", said.notice, means.rulebook)
    check_indication(said.indication)
    now = means.clock.now()
    if said.expires is not None and said.expires <= now:
        raise invalid("expire_time", "must be in the future")

    def unit(records: Records) -> bytes:
        def change() -> Consent:
            consent = replace(
                _asked(records, holder, said, now, services),
                at=now,
                expires=said.expires,
                notice=said.notice,
                language=said.language,
                indication=said.indication,
            )
            if said.step is ConsentStep.GIVE:
                subject = records.subjects.get(holder)
                if subject is not None:
                    by = said.indication.by
                    check_age(subject, consent.scope, by, means.rulebook, now.date())
            require_room(records, holder)
            records.consents.add(holder, consent, now)
            records.publish(consent_event(ACTIONS[said.step], holder, consent, now, acting))
            if said.step is ConsentStep.REFUSE:
                Revoking(means, records, now, acting).consent(holder, consent)
            return consent

        return records.once(request, now, change)

    return await means.store.write(unit)


def _asked(
    records: Records, holder: str, said: Said, now: datetime, services: Collection[str] | None
) -> Consent:
    """Return the consent that the answer is about, as the answer leaves it."""
    if isinstance(said.asked, str):
        known = records.consents.get(holder, said.asked)
        if known is None or (services is not None and known.scope.service not in services):
            raise not_found(said.asked)
        return replace(known, state=follow(known.state_at(now), said.step))
    require_recipient(records, said.asked)
    return Consent(f"{holder}/consents/{opaque_id()}", said.asked, _ANEW[said.step], now)


def require_recipient(records: Records, scope: Scope) -> None:
    """Refuse the scope of an organisation that nobody registered: NOT_FOUND."""
    named = scope.recipient.startswith(RECIPIENT_PREFIX)
    if named and records.recipients.get(scope.recipient) is None:
        raise not_found(scope.recipient)


def require_room(records: Records, holder: str) -> None:
    """Refuse to add to a record of consents that is full; nothing ever hinders a withdrawal."""
    if records.consents.count(holder) >= _MOST_REVISIONS:
        raise Fault(
            "TOO_MANY_CONSENTS",
            "no more can be asked or answered: so much is on record already",
            metadata={"most": str(_MOST_REVISIONS)},
        )


def consent_event(
    action: str, holder: str, consent: Consent, now: datetime, acting: Acting, *, note: str = ""
) -> Event:
    """Describe a step in the life of a consent."""
    return acting.event(
        action=action,
        time=now,
        account=holder,
        on_behalf_of=holder if action in _OF_THE_HOLDER else "",
        resource=consent.name,
        recipients=[consent.scope.recipient],
        fields={
            "service": consent.scope.service,
            "purposes": ",".join(sorted(consent.scope.purposes)),
            "categories": ",".join(sorted(consent.scope.categories)),
            "recipient": consent.scope.recipient,
            "notice": consent.notice,
            "language": consent.language,
            "method": consent.indication.method.value,
            "indicator": consent.indication.by.value,
            "indicator_name": consent.indication.name,
            "note": note,
        },
    )
