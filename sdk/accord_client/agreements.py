"""Typed client for what officers do beside contracts: calendar, instruments, notices, consents."""

from __future__ import annotations

from collections.abc import AsyncIterator

import grpc
from accord.sharing.v1 import (
    consent_service_pb2,
    contract_service_pb2,
    instrument_service_pb2,
    recipient_service_pb2,
    revocation_service_pb2,
)
from accord.sharing.v1.consent_pb2 import Consent
from accord.sharing.v1.consent_service_pb2_grpc import ConsentServiceStub
from accord.sharing.v1.contract_pb2 import Expiry
from accord.sharing.v1.contract_service_pb2_grpc import ContractServiceStub
from accord.sharing.v1.instrument_pb2 import Instrument
from accord.sharing.v1.instrument_service_pb2_grpc import InstrumentServiceStub
from accord.sharing.v1.recipient_pb2 import RecipientEndpoint
from accord.sharing.v1.recipient_service_pb2_grpc import RecipientServiceStub
from accord.sharing.v1.revocation_pb2 import RevocationNotice
from accord.sharing.v1.revocation_service_pb2_grpc import RevocationServiceStub

from accord_client.calls import Client


class Agreements(Client):
    """For privacy officers; auditors may read."""

    _SERVICE = "sharing"
    _FILES = (
        consent_service_pb2.DESCRIPTOR,
        contract_service_pb2.DESCRIPTOR,
        recipient_service_pb2.DESCRIPTOR,
        instrument_service_pb2.DESCRIPTOR,
        revocation_service_pb2.DESCRIPTOR,
    )

    def _stubs(self, channel: grpc.aio.Channel) -> None:
        self._consents = ConsentServiceStub(channel)
        self._contracts = ContractServiceStub(channel)
        self._recipients = RecipientServiceStub(channel)
        self._instruments = InstrumentServiceStub(channel)
        self._revocations = RevocationServiceStub(channel)

    def expiries(self, days: int) -> AsyncIterator[Expiry]:
        """What of the agreements in force ends within so many days, in their order."""
        request = contract_service_pb2.ListExpiriesRequest(days=days)
        pages = self._pages(self._contracts.ListExpiries, request)
        return (expiry async for page in pages for expiry in page.expiries)

    async def endpoint(self, recipient: str) -> RecipientEndpoint:
        """Where a recipient takes notices."""
        request = recipient_service_pb2.GetEndpointRequest(recipient=recipient)
        return (await self._call(self._recipients.GetEndpoint, request)).endpoint

    async def set_endpoint(self, recipient: str, url: str) -> RecipientEndpoint:
        """Sets where a recipient takes notices; an empty address takes it back."""
        request = recipient_service_pb2.SetEndpointRequest(recipient=recipient, url=url)
        return (await self._once(self._recipients.SetEndpoint, request)).endpoint

    def instruments(self, account: str = "") -> AsyncIterator[Instrument]:
        """All instruments, or those about one account, newest first."""
        request = instrument_service_pb2.ListInstrumentsRequest(account=account)
        pages = self._pages(self._instruments.ListInstruments, request)
        return (instrument async for page in pages for instrument in page.instruments)

    async def instrument(self, name: str) -> Instrument:
        """An instrument, ``instruments/…``."""
        request = instrument_service_pb2.GetInstrumentRequest(name=name)
        return (await self._call(self._instruments.GetInstrument, request)).instrument

    async def create_instrument(self, instrument: Instrument) -> Instrument:
        """Records an instrument; it orders nothing until another officer puts it in force."""
        request = instrument_service_pb2.CreateInstrumentRequest(instrument=instrument)
        return (await self._once(self._instruments.CreateInstrument, request)).instrument

    async def activate_instrument(self, name: str) -> Instrument:
        """Puts an instrument in force; refused to who recorded it."""
        request = instrument_service_pb2.ActivateInstrumentRequest(name=name)
        return (await self._once(self._instruments.ActivateInstrument, request)).instrument

    async def revoke_instrument(self, name: str, note: str = "") -> Instrument:
        """Ends an instrument for good."""
        request = instrument_service_pb2.RevokeInstrumentRequest(name=name, note=note)
        return (await self._once(self._instruments.RevokeInstrument, request)).instrument

    def notices(
        self, wanted: revocation_service_pb2.ListNoticesRequest
    ) -> AsyncIterator[RevocationNotice]:
        """The revocation notices that the request's filters let through, newest first."""
        pages = self._pages(self._revocations.ListNotices, wanted)
        return (notice async for page in pages for notice in page.notices)

    async def notice(self, name: str) -> RevocationNotice:
        """A revocation notice, ``revocations/…``."""
        request = revocation_service_pb2.GetNoticeRequest(name=name)
        return (await self._call(self._revocations.GetNotice, request)).notice

    async def retry_notice(self, name: str) -> RevocationNotice:
        """Has a notice sent anew, now."""
        request = revocation_service_pb2.RetryNoticeRequest(name=name)
        return (await self._once(self._revocations.RetryNotice, request)).notice

    async def acknowledge_by_hand(self, name: str, note: str) -> RevocationNotice:
        """Notes that the recipient acknowledged in another way."""
        request = revocation_service_pb2.AcknowledgeByHandRequest(name=name, note=note)
        return (await self._once(self._revocations.AcknowledgeByHand, request)).notice

    async def revoke_consent(self, name: str, note: str) -> Consent:
        """Ends a consent from now on in the place of its person."""
        request = consent_service_pb2.RevokeConsentRequest(name=name, note=note)
        return (await self._once(self._consents.RevokeConsent, request)).consent

    async def invalidate_consent(self, name: str, note: str) -> Consent:
        """Records that a consent was found to be none; an earlier answer stands again."""
        request = consent_service_pb2.InvalidateConsentRequest(name=name, note=note)
        return (await self._once(self._consents.InvalidateConsent, request)).consent
