"""ErasureService: who is erased, and who is kept from it."""

import re
from datetime import datetime

from accord.audit.v1 import erasure_pb2, read_service_pb2
from accord.audit.v1 import erasure_service_pb2 as pb
from google.protobuf.timestamp_pb2 import Timestamp

from runtime.call import Call
from runtime.fault import Fault, invalid
from runtime.ids import require_home
from runtime.instants import to_wire
from runtime.paging import cursor_of, page_size, page_token
from services.audit.api import convert, filters
from services.audit.cases.erase_person import Acting, ErasePerson
from services.audit.cases.keep_holds import KeepHolds
from services.audit.cases.reading import OnRecord
from services.audit.cases.show_erasures import ShowErasures, Shown
from services.audit.domain.erasure import (
    BACKUPS_KEPT,
    Erasure,
    Ground,
    Hold,
    HoldKind,
    Step,
    require_erasable,
)
from services.audit.domain.erasure_ports import Once, Part

_GUEST = re.compile(r"guests/[A-Za-z0-9_-]{1,64}")
_ID = r"[0-9a-z]{26}"
_NAMES = {kind: re.compile(f"{kind}/{_ID}") for kind in ("erasures", "holds")}
_CURSOR = re.compile(f"(?:{_ID})?")
_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:-]{0,79}")
_MAX_NAME = 400

_GROUNDS = {
    erasure_pb2.ErasureGround.Value(f"ERASURE_GROUND_{ground.name}"): ground for ground in Ground
}
_HOLD_KINDS = {erasure_pb2.HoldKind.Value(f"HOLD_KIND_{kind.name}"): kind for kind in HoldKind}
_WIRE_GROUNDS = {ground: number for number, ground in _GROUNDS.items()}
_WIRE_HOLD_KINDS = {kind: number for number, kind in _HOLD_KINDS.items()}

_READ_ERASURES, _READ_HOLDS = "audit:erasure:read", "audit:hold:read"


class ErasureServicer:
    """The door of account, and of privacy officers."""

    def __init__(
        self,
        region: str,
        erase: ErasePerson,
        keep: KeepHolds,
        show: ShowErasures,
        on_record: OnRecord,
    ) -> None:
        self._region = region
        self._erase = erase
        self._keep = keep
        self._show = show
        self._on_record = on_record

    async def erase_person(
        self, request: pb.ErasePersonRequest, call: Call
    ) -> pb.ErasePersonResponse:
        """Erase a person who has deleted their account."""
        ground, account = _ground(request.ground), self._account(request.account)
        once = _once(call, request.request_id, ground.value)
        name = await self._erase.at_once(once, account, ground, _acting(call))
        return pb.ErasePersonResponse(erasure=await self._erasure(name))

    async def ask_erasure(self, request: pb.AskErasureRequest, call: Call) -> pb.AskErasureResponse:
        """Ask to erase a person."""
        ground, account = _ground(request.ground), self._account(request.account)
        once = _once(call, request.request_id, ground.value)
        name = await self._erase.ask(once, account, ground, _acting(call))
        return pb.AskErasureResponse(erasure=await self._erasure(name))

    async def confirm_erasure(
        self, request: pb.ConfirmErasureRequest, call: Call
    ) -> pb.ConfirmErasureResponse:
        """Carry out what another officer asked for."""
        name = _name(request.name, "erasures")
        once = _once(call, request.request_id, name)
        await self._erase.confirm(once, name, _acting(call))
        return pb.ConfirmErasureResponse(erasure=await self._erasure(name))

    async def cancel_erasure(
        self, request: pb.CancelErasureRequest, call: Call
    ) -> pb.CancelErasureResponse:
        """Call off an erasure that waits."""
        name = _name(request.name, "erasures")
        await self._erase.cancel(_once(call, request.request_id, name), name, _acting(call))
        return pb.CancelErasureResponse(erasure=await self._erasure(name))

    async def get_erasure(self, request: pb.GetErasureRequest, call: Call) -> pb.GetErasureResponse:
        """Return an erasure and the proof of it."""
        reader, name = filters.reader(request.purpose, call), _name(request.name, "erasures")
        shown = await self._show.erasure(name)
        await self._on_record.decisions(_READ_ERASURES, reader, 1, name)
        response = pb.GetErasureResponse(erasure=_erasure(shown.erasures[0], shown))
        if proof := await self._show.proof(shown.erasures[0]):
            response.proof.CopyFrom(
                read_service_pb2.ProveInclusionResponse(
                    entry=convert.to_entry(proof.entry),
                    openings=[convert.to_opening(opening) for opening in proof.entry.openings],
                    proof=proof.path,
                    checkpoint=convert.to_checkpoint(proof.checkpoint),
                )
            )
        return response

    async def list_erasures(
        self, request: pb.ListErasuresRequest, call: Call
    ) -> pb.ListErasuresResponse:
        """List erasures, newest first."""
        reader, part = filters.reader(request.purpose, call), _part(request, call)
        shown = await self._show.erasures(Part(part.before, part.size + 1))
        page = shown.erasures[: part.size]
        await self._on_record.decisions(_READ_ERASURES, reader, len(page))
        response = pb.ListErasuresResponse(erasures=[_erasure(one, shown) for one in page])
        if len(shown.erasures) > len(page):
            response.next_page_token = _token(page[-1].name, call)
        return response

    async def place_hold(self, request: pb.PlaceHoldRequest, call: Call) -> pb.PlaceHoldResponse:
        """Keep a person from erasure."""
        hold = request.hold
        account = self._account(hold.account, "hold.account")
        if (kind := _HOLD_KINDS.get(hold.kind)) is None:
            raise invalid("hold.kind", "unknown or unspecified value")
        if _REFERENCE.fullmatch(hold.reference) is None:
            raise invalid("hold.reference", "must be 1 to 80 of A-Z a-z 0-9 . _ / : -")
        once = _once(call, request.request_id, f"{kind.value} {hold.reference}")
        name = await self._keep.place(once, account, kind, hold.reference, _acting(call))
        return pb.PlaceHoldResponse(hold=await self._hold(name))

    async def lift_hold(self, request: pb.LiftHoldRequest, call: Call) -> pb.LiftHoldResponse:
        """Ask to lift a hold, or lift it."""
        name = _name(request.name, "holds")
        await self._keep.lift(_once(call, request.request_id, name), name, _acting(call))
        return pb.LiftHoldResponse(hold=await self._hold(name))

    async def list_holds(self, request: pb.ListHoldsRequest, call: Call) -> pb.ListHoldsResponse:
        """List holds, newest first."""
        reader, part = filters.reader(request.purpose, call), _part(request, call)
        shown = await self._show.holds(Part(part.before, part.size + 1))
        page = shown.holds[: part.size]
        await self._on_record.decisions(_READ_HOLDS, reader, len(page))
        response = pb.ListHoldsResponse(holds=[_hold(one, shown) for one in page])
        if len(shown.holds) > len(page):
            response.next_page_token = _token(page[-1].name, call)
        return response

    def _account(self, text: str, field: str = "account") -> str:
        """Return whom a request names: a person at home here, or a guest."""
        if len(text.encode()) > _MAX_NAME:
            raise invalid(field, f"must be at most {_MAX_NAME} bytes")
        require_erasable(text)
        if _GUEST.fullmatch(text) is None:
            require_home(text, self._region, field)
        return text

    async def _erasure(self, name: str) -> erasure_pb2.Erasure:
        shown = await self._show.erasure(name)
        return _erasure(shown.erasures[0], shown)

    async def _hold(self, name: str) -> erasure_pb2.Hold:
        shown = await self._show.hold(name)
        return _hold(shown.holds[0], shown)


def _erasure(erasure: Erasure, shown: Shown) -> erasure_pb2.Erasure:
    message = erasure_pb2.Erasure(
        name=erasure.name,
        account=shown.accounts.get(erasure.pseudonym, ""),
        pseudonym=erasure.pseudonym,
        ground=_WIRE_GROUNDS[erasure.ground],
        state=erasure_pb2.ErasureState.Value(f"ERASURE_STATE_{erasure.state.name}"),
        asker=erasure.asked.who,
        confirmer=_who(erasure.erased),
        canceller=_who(erasure.cancelled),
        ask_time=_stamp(erasure.asked.time),
        cancel_time=_when(erasure.cancelled),
    )
    if erasure.destroyed and erasure.erased:
        keys, ended = erasure.destroyed.keys, shown.months.get(erasure.destroyed.keys.month)
        if ended:
            message.state = erasure_pb2.ERASURE_STATE_COMPLETE
        message.MergeFrom(
            erasure_pb2.Erasure(
                erase_time=to_wire(erasure.erased.time),
                entries=erasure.destroyed.entries,
                log_size=erasure.destroyed.log_size,
                fingerprint=keys.fingerprint,
                kek_month=keys.month,
                kek_destroy_time=_stamp(ended),
                backups_end_time=to_wire(erasure.erased.time + BACKUPS_KEPT),
                event_id=erasure.destroyed.event_id,
            )
        )
    return message


def _hold(hold: Hold, shown: Shown) -> erasure_pb2.Hold:
    return erasure_pb2.Hold(
        name=hold.name,
        account=shown.accounts.get(hold.pseudonym, ""),
        kind=_WIRE_HOLD_KINDS[hold.kind],
        reference=hold.reference,
        state=erasure_pb2.HoldState.Value(f"HOLD_STATE_{hold.state.name}"),
        placer=hold.placed.who,
        lift_asker=_who(hold.lift_asked),
        lifter=_who(hold.lifted),
        place_time=to_wire(hold.placed.time),
        lift_ask_time=_when(hold.lift_asked),
        lift_time=_when(hold.lifted),
    )


def _who(step: Step | None) -> str:
    return step.who if step else ""


def _when(step: Step | None) -> Timestamp | None:
    return _stamp(step.time if step else None)


def _stamp(time: datetime | None) -> Timestamp | None:
    return to_wire(time) if time else None


def _acting(call: Call) -> Acting:
    return Acting(call.who(), call.way)


def _once(call: Call, request_id: str, content: str) -> Once:
    return Once(f"{call.method} {call.who()}", request_id, content)


def _ground(number: erasure_pb2.ErasureGround.ValueType) -> Ground:
    if (ground := _GROUNDS.get(number)) is None:
        raise invalid("ground", "unknown or unspecified value")
    return ground


def _name(text: str, collection: str) -> str:
    if _NAMES[collection].fullmatch(text) is None:
        raise invalid("name", f"must be the name of one of {collection}")
    return text


def _part(request: pb.ListErasuresRequest | pb.ListHoldsRequest, call: Call) -> Part:
    before = cursor_of(request.page_token, call.method, call.who())
    if _CURSOR.fullmatch(before) is None:
        raise Fault("PAGE_TOKEN_INVALID", "this page token was not made here")
    return Part(before, page_size(request.page_size))


def _token(name: str, call: Call) -> str:
    return page_token(name.partition("/")[2], call.method, call.who())
