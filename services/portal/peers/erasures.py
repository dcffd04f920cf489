"""Audit over mTLS: erasures and legal holds, for officers."""

from collections.abc import Sequence
from dataclasses import dataclass

from accord.audit.v1 import erasure_pb2, erasure_service_pb2_grpc
from accord.audit.v1 import erasure_service_pb2 as pb

from services.portal.domain.erasures import (
    Erasure,
    ErasureState,
    Ground,
    Hold,
    HoldKind,
    HoldState,
)
from services.portal.domain.person import Person
from services.portal.peers.convert import known, moment
from services.portal.peers.peer import PAGE, Peer

_GROUNDS = {erasure_pb2.ErasureGround.Value(f"ERASURE_GROUND_{word.name}"): word for word in Ground}
_STATES = {
    erasure_pb2.ErasureState.Value(f"ERASURE_STATE_{word.name}"): word for word in ErasureState
}
_KINDS = {erasure_pb2.HoldKind.Value(f"HOLD_KIND_{word.name}"): word for word in HoldKind}
_HOLDS = {erasure_pb2.HoldState.Value(f"HOLD_STATE_{word.name}"): word for word in HoldState}
_WIRE_GROUNDS = {word: number for number, word in _GROUNDS.items()}
_WIRE_KINDS = {word: number for number, word in _KINDS.items()}
_PURPOSE = "erasures"  # the officers' pages of that name say why they are read
# Destroying keys waits for the log to tell of it.
_DESTROYING = 8.0


@dataclass(frozen=True)
class ErasurePeer:
    """Who is erased, and who is kept from it."""

    stub: "Peer[erasure_service_pb2_grpc.ErasureServiceAsyncStub]"

    async def erasures(self, officer: Person) -> Sequence[Erasure]:
        """Return every erasure, newest first."""
        request = pb.ListErasuresRequest(page_size=PAGE, purpose=_PURPOSE)
        pages = self.stub.pages(officer, lambda stub: stub.ListErasures, request)
        return [_erasure(each) async for page in pages for each in page.erasures]

    async def holds(self, officer: Person) -> Sequence[Hold]:
        """Return every hold, newest first."""
        request = pb.ListHoldsRequest(page_size=PAGE, purpose=_PURPOSE)
        pages = self.stub.pages(officer, lambda stub: stub.ListHolds, request)
        return [_hold(each) async for page in pages for each in page.holds]

    async def erasure(self, officer: Person, key: str) -> Erasure:
        """Return an erasure."""
        request = pb.GetErasureRequest(name=f"erasures/{key}", purpose=_PURPOSE)
        answer = await self.stub.ask(officer, lambda stub: stub.GetErasure, request)
        index = answer.proof.entry.index if answer.HasField("proof") else None
        return _erasure(answer.erasure, index)

    async def ask(self, officer: Person, request_id: str, account: str, ground: Ground) -> str:
        """Ask to erase a person; return the erasure's key."""
        request = pb.AskErasureRequest(
            request_id=request_id, account=account, ground=_WIRE_GROUNDS[ground]
        )
        answer = await self.stub.ask(officer, lambda stub: stub.AskErasure, request)
        return _key(answer.erasure.name)

    async def confirm(self, officer: Person, request_id: str, key: str) -> None:
        """Destroy the keys of whom another officer asked to erase."""
        request = pb.ConfirmErasureRequest(request_id=request_id, name=f"erasures/{key}")
        await self.stub.ask(officer, lambda stub: stub.ConfirmErasure, request, within=_DESTROYING)

    async def cancel(self, officer: Person, request_id: str, key: str) -> None:
        """Call off an erasure that waits."""
        request = pb.CancelErasureRequest(request_id=request_id, name=f"erasures/{key}")
        await self.stub.ask(officer, lambda stub: stub.CancelErasure, request)

    async def place_hold(
        self, officer: Person, request_id: str, account: str, kind: HoldKind, reference: str
    ) -> None:
        """Keep a person from erasure."""
        hold = erasure_pb2.Hold(account=account, kind=_WIRE_KINDS[kind], reference=reference)
        request = pb.PlaceHoldRequest(request_id=request_id, hold=hold)
        await self.stub.ask(officer, lambda stub: stub.PlaceHold, request)

    async def lift_hold(self, officer: Person, request_id: str, key: str) -> None:
        """Ask to lift a hold, or lift it when another officer has asked."""
        request = pb.LiftHoldRequest(request_id=request_id, name=f"holds/{key}")
        await self.stub.ask(officer, lambda stub: stub.LiftHold, request)


def _erasure(each: erasure_pb2.Erasure, index: int | None = None) -> Erasure:
    return Erasure(
        key=_key(each.name),
        account=each.account,
        ground=known(_GROUNDS, each.ground),
        state=known(_STATES, each.state),
        asker=each.asker,
        confirmer=each.confirmer,
        canceller=each.canceller,
        asked=moment(each.ask_time),
        erased=moment(each.erase_time) if each.HasField("erase_time") else None,
        cancelled=moment(each.cancel_time) if each.HasField("cancel_time") else None,
        entries=each.entries,
        log_size=each.log_size,
        fingerprint=each.fingerprint.hex(),
        kek_month=each.kek_month,
        kek_destroyed=moment(each.kek_destroy_time) if each.HasField("kek_destroy_time") else None,
        backups_end=moment(each.backups_end_time) if each.HasField("backups_end_time") else None,
        index=index,
    )


def _hold(each: erasure_pb2.Hold) -> Hold:
    return Hold(
        key=_key(each.name),
        account=each.account,
        kind=known(_KINDS, each.kind),
        reference=each.reference,
        state=known(_HOLDS, each.state),
        lift_asker=each.lift_asker,
        placed=moment(each.place_time),
    )


def _key(name: str) -> str:
    return name.partition("/")[2]
