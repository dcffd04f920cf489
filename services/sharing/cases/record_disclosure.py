"""Puts on record what an app really sent under a decision of its own."""

from collections.abc import Sequence
from datetime import datetime

from runtime.event import Decision, Event
from runtime.fault import not_found
from runtime.ids import opaque_id
from services.sharing.cases.means import Means
from services.sharing.cases.tell_recipients import Revoking
from services.sharing.domain.acting import Acting
from services.sharing.domain.disclosure import Disclosure, disclosed
from services.sharing.domain.permit import expiry
from services.sharing.domain.ports import Records, Request


async def record_disclosure(
    means: Means,
    request: Request[Disclosure],
    *,
    decision: str,
    categories: Sequence[str],
    time: datetime | None,
    records: int,
    sender: str,
    acting: Acting,
) -> bytes:
    """Record it; NOT_FOUND for a decision that another app asked for.

    NO_PERMIT, CATEGORY_NOT_PERMITTED for what was not permitted.
    """
    now = means.clock.now()
    name = f"disclosures/{means.region}-{opaque_id()}"

    def unit(kept: Records) -> bytes:
        def change() -> Disclosure:
            known = kept.decisions.get(decision)
            if known is None or known.asker != sender:
                raise not_found(decision)
            holder = known.question.holder
            relied = [
                consent.expires
                for ground in known.answer.grounds
                if ground.consent and (consent := kept.consents.get(holder, ground.consent))
            ]
            ends = expiry(known.time, relied)
            disclosure = disclosed(
                known, categories, name=name, time=time, records=records, expires=ends, now=now
            )
            number = kept.disclosures.add(disclosure)
            kept.publish(_event(disclosure, acting))
            Revoking(means, kept, now, acting).disclosed(disclosure, number)
            return disclosure

        return kept.once(request, now, change)

    return await means.store.write(unit)


def _event(disclosure: Disclosure, acting: Acting) -> Event:
    return acting.event(
        action="sharing:disclosure:record",
        outcome="late" if disclosure.late else "ok",
        time=disclosure.recorded,
        account=disclosure.holder,
        resource=disclosure.name,
        recipients=[disclosure.recipient],
        decision=Decision(disclosure.decision),
        fields={
            "purpose": disclosure.purpose,
            "categories": ",".join(disclosure.categories),
            "records": str(disclosure.records),
            "time": disclosure.time.isoformat(),
            **({"instrument": disclosure.instrument} if disclosure.instrument else {}),
        },
    )
