"""Typed client for what officers do beside contracts: calendar, instruments, notices, consents.

Every method raises Fault for a refused call. Lists come as asynchronous iterators that fetch
further pages as they are consumed.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import AsyncIterator

import grpc
from accord.sharing.v1 import (
    consent_service_pb2,
    consent_service_pb2_grpc,
    contract_service_pb2,
    contract_service_pb2_grpc,
    instrument_service_pb2,
    instrument_service_pb2_grpc,
    recipient_service_pb2,
    recipient_service_pb2_grpc,
    revocation_service_pb2,
    revocation_service_pb2_grpc,
)
from accord.sharing.v1.consent_pb2 import Consent
from accord.sharing.v1.contract_pb2 import Contract, ContractTerms, Expiry
from accord.sharing.v1.instrument_pb2 import Instrument
from accord.sharing.v1.recipient_pb2 import RecipientEndpoint
from accord.sharing.v1.revocation_pb2 import RevocationNotice

from accord_client.channel import answer, open_channel
from accord_client.profile import Profile

_SECONDS = 10.0


class Agreements:
    """For privacy officers; auditors may read."""

    def __init__(self, channel: grpc.aio.Channel, seconds: float = _SECONDS) -> None:
        self._seconds = seconds
        self._consents = consent_service_pb2_grpc.ConsentServiceStub(channel)
        self._contracts = contract_service_pb2_grpc.ContractServiceStub(channel)
        self._recipients = recipient_service_pb2_grpc.RecipientServiceStub(channel)
        self._instruments = instrument_service_pb2_grpc.InstrumentServiceStub(channel)
        self._revocations = revocation_service_pb2_grpc.RevocationServiceStub(channel)

    @classmethod
    @contextlib.asynccontextmanager
    async def connect(
        cls, profile: Profile, seconds: float = _SECONDS
    ) -> AsyncIterator[Agreements]:
        """Opens a client; ``seconds`` is the deadline of each call."""
        descriptors = (
            consent_service_pb2.DESCRIPTOR.services_by_name["ConsentService"],
            contract_service_pb2.DESCRIPTOR.services_by_name["ContractService"],
            recipient_service_pb2.DESCRIPTOR.services_by_name["RecipientService"],
            instrument_service_pb2.DESCRIPTOR.services_by_name["InstrumentService"],
            revocation_service_pb2.DESCRIPTOR.services_by_name["RevocationService"],
        )
        async with open_channel(profile, "sharing", descriptors) as channel:
            yield cls(channel, seconds)

    async def record(self, recipient: str, terms: ContractTerms, request_id: str) -> Contract:
        """Records a contract as a draft, once for a request id and its content."""
        request = contract_service_pb2.CreateContractRequest(
            request_id=request_id, recipient=recipient, terms=terms
        )
        response = await answer(self._contracts.CreateContract(request, timeout=self._seconds))
        return response.contract

    async def expiries(self, days: int) -> AsyncIterator[Expiry]:
        """What of the agreements in force ends within so many days, in their order."""
        request = contract_service_pb2.ListExpiriesRequest(days=days)
        while True:
            page = await answer(self._contracts.ListExpiries(request, timeout=self._seconds))
            for expiry in page.expiries:
                yield expiry
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def endpoint(self, recipient: str) -> RecipientEndpoint:
        """Where a recipient takes notices."""
        request = recipient_service_pb2.GetEndpointRequest(recipient=recipient)
        response = await answer(self._recipients.GetEndpoint(request, timeout=self._seconds))
        return response.endpoint

    async def set_endpoint(self, recipient: str, url: str) -> RecipientEndpoint:
        """Sets where a recipient takes notices; an empty address takes it back."""
        request = recipient_service_pb2.SetEndpointRequest(
            request_id=str(uuid.uuid4()), recipient=recipient, url=url
        )
        response = await answer(self._recipients.SetEndpoint(request, timeout=self._seconds))
        return response.endpoint

    async def instruments(self, account: str = "") -> AsyncIterator[Instrument]:
        """All instruments, or those about one account, newest first."""
        request = instrument_service_pb2.ListInstrumentsRequest(account=account)
        while True:
            page = await answer(self._instruments.ListInstruments(request, timeout=self._seconds))
            for instrument in page.instruments:
                yield instrument
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def instrument(self, name: str) -> Instrument:
        """An instrument, ``instruments/…``."""
        request = instrument_service_pb2.GetInstrumentRequest(name=name)
        response = await answer(self._instruments.GetInstrument(request, timeout=self._seconds))
        return response.instrument

    async def create_instrument(self, instrument: Instrument) -> Instrument:
        """Records an instrument; it orders nothing until another officer puts it in force."""
        request = instrument_service_pb2.CreateInstrumentRequest(
            request_id=str(uuid.uuid4()), instrument=instrument
        )
        response = await answer(self._instruments.CreateInstrument(request, timeout=self._seconds))
        return response.instrument

    async def activate_instrument(self, name: str) -> Instrument:
        """Puts an instrument in force; refused to who recorded it."""
        request = instrument_service_pb2.ActivateInstrumentRequest(
            request_id=str(uuid.uuid4()), name=name
        )
        response = await answer(
            self._instruments.ActivateInstrument(request, timeout=self._seconds)
        )
        return response.instrument

    async def revoke_instrument(self, name: str, note: str = "") -> Instrument:
        """Ends an instrument for good."""
        request = instrument_service_pb2.RevokeInstrumentRequest(
            request_id=str(uuid.uuid4()), name=name, note=note
        )
        response = await answer(self._instruments.RevokeInstrument(request, timeout=self._seconds))
        return response.instrument

    async def notices(
        self, wanted: revocation_service_pb2.ListNoticesRequest
    ) -> AsyncIterator[RevocationNotice]:
        """The revocation notices that the request's filters let through, newest first."""
        request = revocation_service_pb2.ListNoticesRequest()
        request.CopyFrom(wanted)
        while True:
            page = await answer(self._revocations.ListNotices(request, timeout=self._seconds))
            for notice in page.notices:
                yield notice
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def notice(self, name: str) -> RevocationNotice:
        """A revocation notice, ``revocations/…``."""
        request = revocation_service_pb2.GetNoticeRequest(name=name)
        response = await answer(self._revocations.GetNotice(request, timeout=self._seconds))
        return response.notice

    async def retry_notice(self, name: str) -> RevocationNotice:
        """Has a notice sent anew, now."""
        request = revocation_service_pb2.RetryNoticeRequest(request_id=str(uuid.uuid4()), name=name)
        response = await answer(self._revocations.RetryNotice(request, timeout=self._seconds))
        return response.notice

    async def acknowledge_by_hand(self, name: str, note: str) -> RevocationNotice:
        """Notes that the recipient acknowledged in another way."""
        request = revocation_service_pb2.AcknowledgeByHandRequest(
            request_id=str(uuid.uuid4()), name=name, note=note
        )
        response = await answer(self._revocations.AcknowledgeByHand(request, timeout=self._seconds))
        return response.notice

    async def revoke_consent(self, name: str, note: str) -> Consent:
        """Ends a consent from now on in the place of its person."""
        request = consent_service_pb2.RevokeConsentRequest(
            request_id=str(uuid.uuid4()), name=name, note=note
        )
        response = await answer(self._consents.RevokeConsent(request, timeout=self._seconds))
        return response.consent

    async def invalidate_consent(self, name: str, note: str) -> Consent:
        """Records that a consent was found to be none; an earlier answer stands again."""
        request = consent_service_pb2.InvalidateConsentRequest(
            request_id=str(uuid.uuid4()), name=name, note=note
        )
        response = await answer(self._consents.InvalidateConsent(request, timeout=self._seconds))
        return response.consent
