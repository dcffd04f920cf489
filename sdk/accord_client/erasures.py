"""Typed client for erasures and legal holds: what officers do with the log, and auditors see."""

from __future__ import annotations

from collections.abc import AsyncIterator

import grpc
from accord.audit.v1 import erasure_service_pb2 as pb
from accord.audit.v1.erasure_pb2 import Erasure, ErasureGround, Hold, HoldKind
from accord.audit.v1.erasure_service_pb2_grpc import ErasureServiceStub

from accord_client.calls import Client


class Erasures(Client):
    """For privacy officers; auditors may read."""

    _SERVICE = "audit"
    _FILES = (pb.DESCRIPTOR,)

    def _stubs(self, channel: grpc.aio.Channel) -> None:
        self._stub = ErasureServiceStub(channel)

    async def ask(self, account: str, ground: ErasureGround.ValueType) -> Erasure:
        """Asks to erase a person; nothing is destroyed until another officer confirms it."""
        request = pb.AskErasureRequest(account=account, ground=ground)
        return (await self._once(self._stub.AskErasure, request)).erasure

    async def confirm(self, name: str) -> Erasure:
        """Destroys the keys of whom another officer asked to erase."""
        request = pb.ConfirmErasureRequest(name=name)
        return (await self._once(self._stub.ConfirmErasure, request)).erasure

    async def cancel(self, name: str) -> Erasure:
        """Calls off an erasure that waits."""
        request = pb.CancelErasureRequest(name=name)
        return (await self._once(self._stub.CancelErasure, request)).erasure

    async def erasure(self, name: str, purpose: str) -> pb.GetErasureResponse:
        """An erasure, ``erasures/…``, and the proof of it once it is in the log.

        That it is read goes on record with the purpose, as of the lists.
        """
        request = pb.GetErasureRequest(name=name, purpose=purpose)
        return await self._call(self._stub.GetErasure, request)

    def erasures(self, purpose: str) -> AsyncIterator[Erasure]:
        """All erasures, newest first."""
        request = pb.ListErasuresRequest(purpose=purpose)
        pages = self._pages(self._stub.ListErasures, request)
        return (erasure async for page in pages for erasure in page.erasures)

    async def place_hold(self, account: str, kind: HoldKind.ValueType, reference: str) -> Hold:
        """Keeps a person from erasure."""
        hold = Hold(account=account, kind=kind, reference=reference)
        request = pb.PlaceHoldRequest(hold=hold)
        return (await self._once(self._stub.PlaceHold, request)).hold

    async def lift_hold(self, name: str) -> Hold:
        """Asks to lift a hold, or lifts it when another officer has asked."""
        request = pb.LiftHoldRequest(name=name)
        return (await self._once(self._stub.LiftHold, request)).hold

    def holds(self, purpose: str) -> AsyncIterator[Hold]:
        """All holds, newest first."""
        request = pb.ListHoldsRequest(purpose=purpose)
        pages = self._pages(self._stub.ListHolds, request)
        return (hold async for page in pages for hold in page.holds)
