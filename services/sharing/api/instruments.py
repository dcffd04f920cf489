"""Serves accord.sharing.v1.InstrumentService."""

from accord.sharing.v1 import instrument_pb2
from accord.sharing.v1 import instrument_service_pb2 as pb

from runtime.call import Call
from runtime.ids import opaque_id, require_home
from services.sharing.api import encoding, fields, terms
from services.sharing.cases.keep_instruments import (
    activate_instrument,
    create_instrument,
    get_instrument,
    revoke_instrument,
)
from services.sharing.cases.means import Means
from services.sharing.domain.instrument import InstrumentKind, LegalInstrument, Step
from services.sharing.domain.records import Instrument

_MAX_TEXT = 120
_MAX_NOTE = 400
_KINDS = {
    instrument_pb2.InstrumentKind.Value(f"INSTRUMENT_KIND_{kind.name}"): kind
    for kind in InstrumentKind
}
_WIRE_KINDS = {kind: number for number, kind in _KINDS.items()}


class InstrumentServicer:
    """What authorities, courts and law enforcement ordered."""

    def __init__(self, means: Means) -> None:
        self._means = means

    async def create_instrument(
        self, request: pb.CreateInstrumentRequest, call: Call
    ) -> pb.CreateInstrumentResponse:
        """Record an instrument."""
        fields.required("instrument", request, "instrument")
        acting = fields.acting(call)
        recorded = Step(acting.who, self._means.clock.now())
        instrument = decode(request.instrument, self._means.region, recorded)
        once = fields.once(call, request, request.request_id, _encode)
        answer = await create_instrument(self._means, once, instrument, acting)
        return pb.CreateInstrumentResponse(
            instrument=_from(answer), token=await self._means.feed.token()
        )

    async def activate_instrument(
        self, request: pb.ActivateInstrumentRequest, call: Call
    ) -> pb.ActivateInstrumentResponse:
        """Put an instrument in force, by somebody other than who recorded it."""
        name = fields.name("name", request.name, "instruments")
        once = fields.once(call, request, request.request_id, _encode)
        answer = await activate_instrument(self._means, once, name, fields.acting(call))
        return pb.ActivateInstrumentResponse(
            instrument=_from(answer), token=await self._means.feed.token()
        )

    async def revoke_instrument(
        self, request: pb.RevokeInstrumentRequest, call: Call
    ) -> pb.RevokeInstrumentResponse:
        """End an instrument for good."""
        name = fields.name("name", request.name, "instruments")
        note = fields.text("note", request.note, _MAX_NOTE)
        once = fields.once(call, request, request.request_id, _encode)
        answer = await revoke_instrument(self._means, once, name, note, fields.acting(call))
        return pb.RevokeInstrumentResponse(
            instrument=_from(answer), token=await self._means.feed.token()
        )

    async def get_instrument(
        self,
        request: pb.GetInstrumentRequest,
        call: Call,  # noqa: ARG002  the runtime's signature
    ) -> pb.GetInstrumentResponse:
        """Return an instrument."""
        name = fields.name("name", request.name, "instruments")
        return pb.GetInstrumentResponse(instrument=_encode(await get_instrument(self._means, name)))

    async def list_instruments(
        self, request: pb.ListInstrumentsRequest, call: Call
    ) -> pb.ListInstrumentsResponse:
        """List instruments, newest first."""
        account = request.account
        if account:
            require_home(account, self._means.region, "account")
        page = fields.page(call, request, request.page_size, request.page_token)
        found, following = await self._means.store.read(
            lambda records: records.instruments.list(page, account)
        )
        return pb.ListInstrumentsResponse(
            instruments=map(_encode, found),
            next_page_token=fields.next_token(call, request, following),
        )

    async def list_own_instruments(
        self, request: pb.ListOwnInstrumentsRequest, call: Call
    ) -> pb.ListOwnInstrumentsResponse:
        """List what the person who acts may be told today, newest first."""
        account = fields.person(call, self._means.region)
        today = self._means.clock.now().date()
        page = fields.page(call, request, request.page_size, request.page_token)
        found, following = await self._means.store.read(
            lambda records: records.instruments.told(page, account, today)
        )
        return pb.ListOwnInstrumentsResponse(
            instruments=map(_told, found),
            next_page_token=fields.next_token(call, request, following),
        )


def decode(message: instrument_pb2.Instrument, region: str, recorded: Step) -> LegalInstrument:
    """Read what the paper says; WRONG_REGION for an account whose home is elsewhere."""
    require_home(message.account, region, "instrument.account")
    fields.required("instrument.document", message, "document")
    secret = message.secret_until_date
    return LegalInstrument(
        orders=Instrument(
            id=f"instruments/{opaque_id()}",
            account=message.account,
            categories=frozenset(fields.keys("instrument.categories", message.categories)),
            on=fields.day("instrument.on_date", message.on_date),
            expires=fields.day("instrument.expire_date", message.expire_date),
        ),
        kind=fields.one_of("instrument.kind", message.kind, _KINDS),
        issuer=fields.country(message.issuer),
        authority=fields.text("instrument.authority", message.authority, _MAX_TEXT, 1),
        reference=fields.text("instrument.reference", message.reference, _MAX_TEXT, 1),
        document=terms.decode_document("instrument.document", message.document),
        recorded=recorded,
        secret_until=fields.day("instrument.secret_until_date", secret) if secret else None,
    )


def _encode(value: LegalInstrument) -> instrument_pb2.Instrument:
    message = _told(value)
    message.document.CopyFrom(terms.encode_document(value.document))
    message.recorder = value.recorded.actor
    message.activator = value.activated.actor if value.activated else ""
    message.revoker = value.revoked.actor if value.revoked else ""
    message.note = value.note
    return message


def _told(value: LegalInstrument) -> instrument_pb2.Instrument:
    """Encode what the person may see."""
    orders, secret = value.orders, value.secret_until
    return instrument_pb2.Instrument(
        name=value.name,
        kind=_WIRE_KINDS[value.kind],
        issuer=value.issuer,
        authority=value.authority,
        reference=value.reference,
        account=orders.account,
        categories=sorted(orders.categories),
        on_date=orders.on.isoformat(),
        expire_date=orders.expires.isoformat(),
        secret_until_date=secret.isoformat() if secret else "",
        state=instrument_pb2.InstrumentState.Value(f"INSTRUMENT_STATE_{value.state.name}"),
        create_time=encoding.stamp(value.recorded.time),
        activate_time=encoding.stamp(value.activated.time if value.activated else None),
        revoke_time=encoding.stamp(value.revoked.time if value.revoked else None),
    )


def _from(answer: bytes) -> instrument_pb2.Instrument:
    return instrument_pb2.Instrument.FromString(answer)
