"""Records a standing choice: opt-out, objection, stop, restriction, accepted notice."""

from dataclasses import dataclass

from runtime.fault import not_found
from runtime.ids import opaque_id
from services.sharing.cases.means import Means
from services.sharing.cases.tell_recipients import Revoking
from services.sharing.domain.acting import Acting
from services.sharing.domain.admission import RECIPIENT_PREFIX, check_choice
from services.sharing.domain.ports import Records, Request
from services.sharing.domain.records import Preference, PreferenceKind

_ACTIONS = {
    PreferenceKind.OPT_OUT: "sharing:preference:opt_out",
    PreferenceKind.OBJECT_TO: "sharing:preference:object_to",
    PreferenceKind.STOP_SHARING_WITH: "sharing:preference:stop_sharing_with",
    PreferenceKind.ACCEPTED_NOTICE: "sharing:preference:accepted_notice",
    PreferenceKind.RESTRICT: "sharing:preference:restrict",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """What is chosen; `field` is where the request says it, for a refusal."""

    kind: PreferenceKind
    field: str
    value: str
    app: str = ""  # whose guest chooses; empty: a person


async def choose(
    means: Means, request: Request[Preference], *, holder: str, choice: Choice, acting: Acting
) -> bytes:
    """Record a choice of a person or guest; one that stands already is answered as it stands."""
    kind, value = choice.kind, choice.value
    check_choice(choice.field, kind, value, means.rulebook)
    now = means.clock.now()
    preference = Preference(f"{holder}/preferences/{opaque_id()}", kind, value, now, app=choice.app)

    def unit(records: Records) -> bytes:
        def change() -> Preference:
            if value.startswith(RECIPIENT_PREFIX) and records.recipients.get(value) is None:
                raise not_found(value)
            standing = [p for p in records.preferences.of(holder) if p.kind is kind]
            if kind is PreferenceKind.ACCEPTED_NOTICE:
                standing = standing[-1:]  # only the last acceptance says what is accepted
            for known in standing:
                if known.value == value and known.app == choice.app:
                    return known
            records.preferences.add(holder, preference, preference.at)
            records.publish(
                acting.event(
                    action=_ACTIONS[kind],
                    time=now,
                    account=holder,
                    on_behalf_of=holder,
                    recipients=[value],
                    resource=preference.name,
                    fields={"value": value},
                )
            )
            Revoking(means, records, now, acting).choice(holder, preference)
            return preference

        return records.once(request, now, change)

    return await means.store.write(unit)
