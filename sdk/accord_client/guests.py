"""What an app tells sharing: what its guests say, and what it would ask a person.

A guest is a visitor without an account, known by the app's session alone; the session's id is
opaque and names nobody. Every method raises Fault for a refused call, and carries a fresh request
id, so that a repeated attempt has its effect once.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import AsyncIterator
from datetime import datetime

import grpc
from accord.sharing.v1 import (
    consent_service_pb2,
    consent_service_pb2_grpc,
    preference_service_pb2,
    preference_service_pb2_grpc,
    reach_service_pb2,
    reach_service_pb2_grpc,
)
from accord.sharing.v1.consent_pb2 import Consent, ConsentScope
from accord.sharing.v1.decision_pb2 import Guest
from accord.sharing.v1.preference_pb2 import OptOutChoice, Preference
from accord.sharing.v1.reach_pb2 import RecipientReach

from accord_client.channel import answer, open_channel
from accord_client.profile import Profile

_SECONDS = 10.0


class Guests:
    """Consents and choices of an app's guests, who has their data, and questions to people."""

    def __init__(self, channel: grpc.aio.Channel, seconds: float = _SECONDS) -> None:
        self._seconds = seconds
        self._consents = consent_service_pb2_grpc.ConsentServiceStub(channel)
        self._preferences = preference_service_pb2_grpc.PreferenceServiceStub(channel)
        self._reach = reach_service_pb2_grpc.ReachServiceStub(channel)

    @classmethod
    @contextlib.asynccontextmanager
    async def connect(cls, profile: Profile, seconds: float = _SECONDS) -> AsyncIterator[Guests]:
        """Opens a client; ``seconds`` is the deadline of each call."""
        descriptors = (
            consent_service_pb2.DESCRIPTOR.services_by_name["ConsentService"],
            preference_service_pb2.DESCRIPTOR.services_by_name["PreferenceService"],
            reach_service_pb2.DESCRIPTOR.services_by_name["ReachService"],
        )
        async with open_channel(profile, "sharing", descriptors) as channel:
            yield cls(channel, seconds)

    async def give(
        self,
        guest: Guest,
        scope: ConsentScope,
        *,
        notice: str,
        language: str,
        expires: datetime | None = None,
    ) -> Consent:
        """Records a yes, under the notice and in the language that were shown."""
        request = consent_service_pb2.GiveConsentRequest(
            request_id=_request_id(), guest=guest, scope=scope, notice=notice, language=language
        )
        if expires is not None:
            request.expire_time.FromDatetime(expires)
        response = await answer(self._consents.GiveConsent(request, timeout=self._seconds))
        return response.consent

    async def refuse(
        self, guest: Guest, scope: ConsentScope, *, notice: str, language: str
    ) -> Consent:
        """Records a no, under the notice and in the language that were shown."""
        request = consent_service_pb2.RefuseConsentRequest(
            request_id=_request_id(), guest=guest, scope=scope, notice=notice, language=language
        )
        response = await answer(self._consents.RefuseConsent(request, timeout=self._seconds))
        return response.consent

    async def withdraw(self, guest: Guest, name: str) -> Consent:
        """Withdraws a consent, ``guests/…/consents/…``, from now on."""
        request = consent_service_pb2.WithdrawConsentRequest(
            request_id=_request_id(), guest=guest, name=name
        )
        response = await answer(self._consents.WithdrawConsent(request, timeout=self._seconds))
        return response.consent

    async def receipt(self, guest: Guest, name: str) -> tuple[str, str]:
        """Returns the signed receipt of a consent, and a name for its file.

        It is for whoever holds the session, and for nobody else.
        """
        request = consent_service_pb2.GetReceiptRequest(guest=guest, name=name)
        response = await answer(self._consents.GetReceipt(request, timeout=self._seconds))
        return response.content, response.file_name

    async def recipients(self, guest: Guest) -> AsyncIterator[RecipientReach]:
        """Lists by name who has or may get the guest's data through this app's services."""
        request = reach_service_pb2.ReachServiceListRecipientsRequest(guest=guest)
        while True:
            page = await answer(self._reach.ListRecipients(request, timeout=self._seconds))
            for each in page.recipients:
                yield each
            request.page_token = page.next_page_token
            if not page.next_page_token:
                return

    async def opt_out(self, guest: Guest, choice: OptOutChoice.ValueType) -> Preference:
        """Opts the guest out of marketing or personalisation."""
        request = preference_service_pb2.OptOutRequest(
            request_id=_request_id(), guest=guest, choice=choice
        )
        response = await answer(self._preferences.OptOut(request, timeout=self._seconds))
        return response.preference

    async def object_to(self, guest: Guest, purpose: str) -> Preference:
        """Records an objection to a purpose that rests on legitimate interest."""
        request = preference_service_pb2.ObjectRequest(
            request_id=_request_id(), guest=guest, purpose=purpose
        )
        response = await answer(self._preferences.Object(request, timeout=self._seconds))
        return response.preference

    async def stop_sharing(self, guest: Guest, recipient: str) -> Preference:
        """Stops sharing with ``recipients/…`` or a kind of recipients."""
        request = preference_service_pb2.StopSharingRequest(
            request_id=_request_id(), guest=guest, recipient=recipient
        )
        response = await answer(self._preferences.StopSharing(request, timeout=self._seconds))
        return response.preference

    async def lift(self, guest: Guest, name: str) -> Preference:
        """Lifts a choice, ``guests/…/preferences/…``, from now on."""
        request = preference_service_pb2.LiftRequest(
            request_id=_request_id(), guest=guest, name=name
        )
        response = await answer(self._preferences.Lift(request, timeout=self._seconds))
        return response.preference

    async def ask(self, account: str, scope: ConsentScope) -> Consent:
        """Asks a person with an account; they answer in the portal when they like."""
        request = consent_service_pb2.RequestConsentRequest(
            request_id=_request_id(), account=account, scope=scope
        )
        response = await answer(self._consents.RequestConsent(request, timeout=self._seconds))
        return response.consent


def _request_id() -> str:
    return str(uuid.uuid4())
