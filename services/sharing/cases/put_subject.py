"""Keeps a version of what account knows of a person."""

from runtime.fault import invalid
from services.sharing.cases.means import Means
from services.sharing.cases.tell_recipients import Revoking
from services.sharing.domain.acting import Acting
from services.sharing.domain.admission import check_country
from services.sharing.domain.ports import Records
from services.sharing.domain.records import Subject


async def put_subject(means: Means, subject: Subject, acting: Acting) -> int:
    """Store a newer version, leave a newer one alone; return the version that counts."""
    check_country("subject.jurisdiction", subject.jurisdiction, means.rulebook)
    now = means.clock.now()
    if subject.birth_date and subject.birth_date > now.date():
        raise invalid("subject.birth_date", "is in the future")

    def unit(records: Records) -> int:
        known = records.subjects.get(subject.account)
        if known and known.version >= subject.version:
            return known.version
        records.subjects.put(subject, now)
        records.publish(
            acting.event(
                action="sharing:subject:put",
                time=now,
                account=subject.account,
                resource=subject.account,
                fields={
                    "version": str(subject.version),
                    "status": subject.status.value,
                    "jurisdiction": subject.jurisdiction,
                },
            )
        )
        if known is None or known.status is not subject.status:
            Revoking(means, records, now, acting).status(subject)
        return subject.version

    return await means.store.write(unit)
