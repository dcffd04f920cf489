"""Sets where a recipient takes revocation notices, and shows it."""

from runtime.fault import not_found
from services.sharing.cases.means import Means
from services.sharing.domain.acting import Acting
from services.sharing.domain.endpoint import Endpoint, check_url
from services.sharing.domain.ports import Records, Request


async def set_endpoint(
    means: Means, request: Request[Endpoint], *, recipient: str, url: str, acting: Acting
) -> bytes:
    """Set the address, or take it back with an empty one; notices that wait go there at once."""
    if url:
        check_url("url", url, loopback=means.notices.loopback)
    now = means.clock.now()
    endpoint = Endpoint(recipient, url, acting.who, now)

    def unit(records: Records) -> bytes:
        def change() -> Endpoint:
            if records.recipients.get(recipient) is None:
                raise not_found(recipient)
            records.recipients.set_endpoint(endpoint)
            records.publish(
                acting.event(
                    action="sharing:recipient:set_endpoint",
                    time=now,
                    resource=recipient,
                    recipients=[recipient],
                    fields={"url": url},
                )
            )
            return endpoint

        return records.once(request, now, change)

    return await means.store.write(unit)


async def get_endpoint(means: Means, recipient: str) -> Endpoint:
    """Return where a recipient takes notices, or NOT_FOUND for an unknown recipient."""

    def unit(records: Records) -> Endpoint:
        if records.recipients.get(recipient) is None:
            raise not_found(recipient)
        return records.recipients.endpoint(recipient)

    return await means.store.read(unit)
