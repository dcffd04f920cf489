"""Records legal instruments, puts them in force and revokes them; shows one."""

from collections.abc import Callable

from runtime.event import Event
from runtime.fault import not_found
from services.sharing.cases.means import Means
from services.sharing.domain.acting import Acting
from services.sharing.domain.admission import check_instrument
from services.sharing.domain.instrument import LegalInstrument
from services.sharing.domain.ports import Records, Request


async def create_instrument(
    means: Means, request: Request[LegalInstrument], instrument: LegalInstrument, acting: Acting
) -> bytes:
    """Record an instrument; the account need not be known yet, law may be ahead of us."""
    check_instrument(instrument, means.rulebook)
    return await _write(means, request, "sharing:instrument:create", lambda _: instrument, acting)


async def activate_instrument(
    means: Means, request: Request[LegalInstrument], name: str, acting: Acting
) -> bytes:
    """Put an instrument in force, by somebody other than who recorded it."""
    now = means.clock.now()
    return await _write(
        means,
        request,
        "sharing:instrument:activate",
        lambda records: _known(records, name).activate(acting.who, now),
        acting,
    )


async def revoke_instrument(
    means: Means, request: Request[LegalInstrument], name: str, note: str, acting: Acting
) -> bytes:
    """End an instrument for good."""
    now = means.clock.now()
    return await _write(
        means,
        request,
        "sharing:instrument:revoke",
        lambda records: _known(records, name).revoke(acting.who, now, note),
        acting,
    )


async def get_instrument(means: Means, name: str) -> LegalInstrument:
    """Return an instrument, or NOT_FOUND."""
    return await means.store.read(lambda records: _known(records, name))


def _known(records: Records, name: str) -> LegalInstrument:
    instrument = records.instruments.get(name)
    if instrument is None:
        raise not_found(name)
    return instrument


async def _write(
    means: Means,
    request: Request[LegalInstrument],
    action: str,
    step: Callable[[Records], LegalInstrument],
    acting: Acting,
) -> bytes:
    now = means.clock.now()

    def unit(records: Records) -> bytes:
        def change() -> LegalInstrument:
            instrument = step(records)
            records.instruments.save(instrument)
            records.publish(_event(action, instrument, acting))
            return instrument

        return records.once(request, now, change)

    return await means.store.write(unit)


def _event(action: str, instrument: LegalInstrument, acting: Acting) -> Event:
    orders, secret = instrument.orders, instrument.secret_until
    last = instrument.revoked or instrument.activated or instrument.recorded
    return acting.event(
        action=action,
        time=last.time,
        account=orders.account,
        resource=instrument.name,
        fields={
            "kind": instrument.kind.value,
            "issuer": instrument.issuer,
            "authority": instrument.authority,
            "reference": instrument.reference,
            "categories": ",".join(sorted(orders.categories)),
            "on": orders.on.isoformat(),
            "expires": orders.expires.isoformat(),
            "secret_until": secret.isoformat() if secret else "",
            "document_sha256": instrument.document.sha256,
            **({"note": instrument.note} if instrument.note else {}),
        },
    )
