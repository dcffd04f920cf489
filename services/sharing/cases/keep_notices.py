"""What officers do about notices: look, send anew, note an acknowledgement."""

from collections.abc import Callable

from runtime.fault import not_found
from services.sharing.cases.means import Means
from services.sharing.cases.tell_recipients import notice_event
from services.sharing.domain.acting import Acting
from services.sharing.domain.ports import Records, Request
from services.sharing.domain.revocation import Notice


async def get_notice(means: Means, name: str) -> Notice:
    """Return a notice, or NOT_FOUND."""
    return await means.store.read(lambda records: _known(records, name))


async def retry_notice(means: Means, request: Request[Notice], name: str, acting: Acting) -> bytes:
    """Have a notice sent anew, now."""
    now = means.clock.now()
    return await _write(
        means,
        request,
        name,
        action="sharing:revocation:retry",
        step=lambda known: known.retry(now),
        acting=acting,
    )


async def acknowledge_by_hand(
    means: Means, request: Request[Notice], name: str, note: str, acting: Acting
) -> bytes:
    """Note that the recipient acknowledged in another way."""
    now = means.clock.now()

    def noted(known: Notice) -> Notice:
        return known.acknowledge_by_hand(acting.who, note, now)

    return await _write(
        means, request, name, action="sharing:revocation:acknowledge", step=noted, acting=acting
    )


async def _write(
    means: Means,
    request: Request[Notice],
    name: str,
    *,
    action: str,
    step: Callable[[Notice], Notice],
    acting: Acting,
) -> bytes:
    now = means.clock.now()

    def unit(records: Records) -> bytes:
        def change() -> Notice:
            notice = step(_known(records, name))
            records.notices.save(notice)
            records.publish(notice_event(action, notice, now, acting))
            return notice

        return records.once(request, now, change)

    return await means.store.write(unit)


def _known(records: Records, name: str) -> Notice:
    notice = records.notices.get(name)
    if notice is None:
        raise not_found(name)
    return notice
