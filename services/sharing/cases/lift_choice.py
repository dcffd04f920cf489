"""Lifts a standing choice of a person or guest from now on."""

from dataclasses import replace

from runtime.fault import invalid, not_found
from services.sharing.cases.means import Means
from services.sharing.domain.acting import Acting
from services.sharing.domain.ports import Records, Request
from services.sharing.domain.records import Preference, PreferenceKind


async def lift_choice(
    means: Means, request: Request[Preference], *, holder: str, name: str, app: str, acting: Acting
) -> bytes:
    """Lift a choice; one that is lifted already is answered as it is.

    `app` asks for its guest, empty for a person. What another app's guest chose is NOT_FOUND.
    """
    now = means.clock.now()

    def unit(records: Records) -> bytes:
        def change() -> Preference:
            known = records.preferences.get(holder, name)
            if known is None or known.app != app:
                raise not_found(name)
            if known.kind is PreferenceKind.ACCEPTED_NOTICE:
                raise invalid("name", "the acceptance of a notice cannot be lifted")
            if known.lifted is not None:
                return known
            records.preferences.lift(holder, name, now)
            records.publish(
                acting.event(
                    action="sharing:preference:lift",
                    time=now,
                    account=holder,
                    on_behalf_of=holder,
                    recipients=[known.value],
                    resource=name,
                    fields={"kind": known.kind.value, "value": known.value},
                )
            )
            return replace(known, lifted=now)

        return records.once(request, now, change)

    return await means.store.write(unit)
