"""Tells what is new for a person in the notices in force since the versions that they accepted."""

from runtime.fault import not_found
from services.sharing.cases.means import Means
from services.sharing.domain.notices import NoticeChange, notice_changes
from services.sharing.domain.ports import Records


async def review_notices(means: Means, account: str) -> list[NoticeChange]:
    """Return one change for each notice with something new; NOT_FOUND for an unknown account."""
    today = means.clock.now().date()

    def unit(records: Records) -> list[NoticeChange]:
        subject = records.subjects.get(account)
        if subject is None:
            raise not_found(account)
        choices = records.preferences.of(account)
        return notice_changes(means.rulebook, subject, choices, today)

    return await means.store.read(unit)
