"""What an app tells sharing: what its guests say, and what it would ask a person.

A guest is a visitor without an account, known by the app's session alone; the session's id is
opaque and names nobody.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime

import grpc
from accord.sharing.v1 import (
    consent_service_pb2,
    preference_service_pb2,
    reach_service_pb2,
)
from accord.sharing.v1.consent_pb2 import Consent, ConsentScope
from accord.sharing.v1.consent_service_pb2_grpc import ConsentServiceStub
from accord.sharing.v1.decision_pb2 import Guest
from accord.sharing.v1.preference_pb2 import OptOutChoice, Preference
from accord.sharing.v1.preference_service_pb2_grpc import PreferenceServiceStub
from accord.sharing.v1.reach_pb2 import RecipientReach
from accord.sharing.v1.reach_service_pb2_grpc import ReachServiceStub

from accord_client.calls import Client


class Guests(Client):
    """Consents and choices of an app's guests, who has their data, and questions to people."""

    _SERVICE = "sharing"
    _FILES = (
        consent_service_pb2.DESCRIPTOR,
        preference_service_pb2.DESCRIPTOR,
        reach_service_pb2.DESCRIPTOR,
    )

    def _stubs(self, channel: grpc.aio.Channel) -> None:
        self._consents = ConsentServiceStub(channel)
        self._preferences = PreferenceServiceStub(channel)
        self._reach = ReachServiceStub(channel)

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
            guest=guest, scope=scope, notice=notice, language=language
        )
        if expires is not None:
            request.expire_time.FromDatetime(expires)
        return (await self._once(self._consents.GiveConsent, request)).consent

    async def refuse(
        self, guest: Guest, scope: ConsentScope, *, notice: str, language: str
    ) -> Consent:
        """Records a no, under the notice and in the language that were shown."""
        request = consent_service_pb2.RefuseConsentRequest(
            guest=guest, scope=scope, notice=notice, language=language
        )
        return (await self._once(self._consents.RefuseConsent, request)).consent

    async def withdraw(self, guest: Guest, name: str) -> Consent:
        """Withdraws a consent, ``guests/…/consents/…``, from now on."""
        request = consent_service_pb2.WithdrawConsentRequest(guest=guest, name=name)
        return (await self._once(self._consents.WithdrawConsent, request)).consent

    async def receipt(self, guest: Guest, name: str) -> tuple[str, str]:
        """Returns the signed receipt of a consent, and a name for its file.

        It is for whoever holds the session, and for nobody else.
        """
        request = consent_service_pb2.GetReceiptRequest(guest=guest, name=name)
        response = await self._call(self._consents.GetReceipt, request)
        return response.content, response.file_name

    def recipients(self, guest: Guest) -> AsyncIterator[RecipientReach]:
        """Lists by name who has or may get the guest's data through this app's services."""
        request = reach_service_pb2.ReachServiceListRecipientsRequest(guest=guest)
        pages = self._pages(self._reach.ListRecipients, request)
        return (each async for page in pages for each in page.recipients)

    async def opt_out(self, guest: Guest, choice: OptOutChoice.ValueType) -> Preference:
        """Opts the guest out of marketing or personalisation."""
        request = preference_service_pb2.OptOutRequest(guest=guest, choice=choice)
        return (await self._once(self._preferences.OptOut, request)).preference

    async def object_to(self, guest: Guest, purpose: str) -> Preference:
        """Records an objection to a purpose that rests on legitimate interest."""
        request = preference_service_pb2.ObjectRequest(guest=guest, purpose=purpose)
        return (await self._once(self._preferences.Object, request)).preference

    async def stop_sharing(self, guest: Guest, recipient: str) -> Preference:
        """Stops sharing with ``recipients/…`` or a kind of recipients."""
        request = preference_service_pb2.StopSharingRequest(guest=guest, recipient=recipient)
        return (await self._once(self._preferences.StopSharing, request)).preference

    async def lift(self, guest: Guest, name: str) -> Preference:
        """Lifts a choice, ``guests/…/preferences/…``, from now on."""
        request = preference_service_pb2.LiftRequest(guest=guest, name=name)
        return (await self._once(self._preferences.Lift, request)).preference

    async def ask(self, account: str, scope: ConsentScope) -> Consent:
        """Asks a person with an account; they answer in the portal when they like."""
        request = consent_service_pb2.RequestConsentRequest(account=account, scope=scope)
        return (await self._once(self._consents.RequestConsent, request)).consent
