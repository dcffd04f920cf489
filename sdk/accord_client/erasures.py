"""Typed client for erasures and legal holds: what officers do with the log, and auditors see.

Every method raises Fault for a refused call. Lists come as asynchronous iterators that fetch
further pages as they are consumed.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import AsyncIterator

import grpc
from accord.audit.v1 import erasure_service_pb2 as pb
from accord.audit.v1.erasure_pb2 import Erasure, ErasureGround, Hold, HoldKind
from accord.audit.v1.erasure_service_pb2_grpc import ErasureServiceStub

from accord_client.channel import answer, open_channel
from accord_client.profile import Profile

_SECONDS = 10.0


class Erasures:
    """For privacy officers; auditors may read."""

    def __init__(self, channel: grpc.aio.Channel, seconds: float = _SECONDS) -> None:
        self._seconds = seconds
        self._stub = ErasureServiceStub(channel)

    @classmethod
    @contextlib.asynccontextmanager
    async def connect(cls, profile: Profile, seconds: float = _SECONDS) -> AsyncIterator[Erasures]:
        """Opens a client; ``seconds`` is the deadline of each call."""
        descriptors = (pb.DESCRIPTOR.services_by_name["ErasureService"],)
        async with open_channel(profile, "audit", descriptors) as channel:
            yield cls(channel, seconds)

    async def ask(self, account: str, ground: ErasureGround.ValueType) -> Erasure:
        """Asks to erase a person; nothing is destroyed until another officer confirms it."""
        request = pb.AskErasureRequest(request_id=_id(), account=account, ground=ground)
        response = await answer(self._stub.AskErasure(request, timeout=self._seconds))
        return response.erasure

    async def confirm(self, name: str) -> Erasure:
        """Destroys the keys of whom another officer asked to erase."""
        request = pb.ConfirmErasureRequest(request_id=_id(), name=name)
        response = await answer(self._stub.ConfirmErasure(request, timeout=self._seconds))
        return response.erasure

    async def cancel(self, name: str) -> Erasure:
        """Calls off an erasure that waits."""
        request = pb.CancelErasureRequest(request_id=_id(), name=name)
        response = await answer(self._stub.CancelErasure(request, timeout=self._seconds))
        return response.erasure

    async def erasure(self, name: str, purpose: str) -> pb.GetErasureResponse:
        """An erasure, ``erasures/…``, and the proof of it once it is in the log.

        That it is read goes on record with the purpose, as of the lists.
        """
        request = pb.GetErasureRequest(name=name, purpose=purpose)
        return await answer(self._stub.GetErasure(request, timeout=self._seconds))

    async def erasures(self, purpose: str) -> AsyncIterator[Erasure]:
        """All erasures, newest first."""
        request = pb.ListErasuresRequest(purpose=purpose)
        while True:
            page = await answer(self._stub.ListErasures(request, timeout=self._seconds))
            for erasure in page.erasures:
                yield erasure
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def place_hold(self, account: str, kind: HoldKind.ValueType, reference: str) -> Hold:
        """Keeps a person from erasure."""
        hold = Hold(account=account, kind=kind, reference=reference)
        request = pb.PlaceHoldRequest(request_id=_id(), hold=hold)
        response = await answer(self._stub.PlaceHold(request, timeout=self._seconds))
        return response.hold

    async def lift_hold(self, name: str) -> Hold:
        """Asks to lift a hold, or lifts it when another officer has asked."""
        request = pb.LiftHoldRequest(request_id=_id(), name=name)
        response = await answer(self._stub.LiftHold(request, timeout=self._seconds))
        return response.hold

    async def holds(self, purpose: str) -> AsyncIterator[Hold]:
        """All holds, newest first."""
        request = pb.ListHoldsRequest(purpose=purpose)
        while True:
            page = await answer(self._stub.ListHolds(request, timeout=self._seconds))
            for hold in page.holds:
                yield hold
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token


def _id() -> str:
    return str(uuid.uuid4())
