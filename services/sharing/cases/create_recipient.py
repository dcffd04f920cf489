"""Registers an organisation that may receive data."""

from runtime.fault import Fault, invalid
from services.sharing.cases.means import Means
from services.sharing.domain.acting import Acting
from services.sharing.domain.admission import check_country
from services.sharing.domain.ports import Records, Request
from services.sharing.domain.records import Recipient


async def create_recipient(
    means: Means,
    request: Request[Recipient],
    *,
    name: str,
    display_name: str,
    kind: str,
    jurisdiction: str,
    acting: Acting,
) -> bytes:
    """Register a recipient once; ALREADY_EXISTS when the name is taken."""
    if kind not in means.rulebook.kinds:
        raise invalid("recipient.kind", "unknown key")
    check_country("recipient.jurisdiction", jurisdiction, means.rulebook)
    now = means.clock.now()
    recipient = Recipient(name, display_name, kind, jurisdiction, now)

    def unit(records: Records) -> bytes:
        def change() -> Recipient:
            if not records.recipients.add(recipient):
                raise Fault("ALREADY_EXISTS", f"{name} exists", metadata={"resource": name})
            records.publish(
                acting.event(
                    action="sharing:recipient:create",
                    time=now,
                    resource=name,
                    recipients=[name],
                    fields={"kind": kind, "jurisdiction": jurisdiction},
                )
            )
            return recipient

        return records.once(request, now, change)

    return await means.store.write(unit)
