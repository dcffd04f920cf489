"""Sharing over mTLS: what officers keep beside contracts, and what the person is told of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from accord.sharing.v1 import (
    contract_pb2,
    contract_service_pb2,
    contract_service_pb2_grpc,
    instrument_pb2,
    instrument_service_pb2,
    instrument_service_pb2_grpc,
    recipient_service_pb2,
    recipient_service_pb2_grpc,
    revocation_pb2,
    revocation_service_pb2,
    revocation_service_pb2_grpc,
)

from services.portal.domain.agreements import (
    Cause,
    Expiry,
    ExpiryKind,
    Instrument,
    InstrumentKind,
    InstrumentState,
    NoticeState,
    Paper,
    Revocation,
    Shown,
)
from services.portal.domain.person import Person
from services.portal.domain.sharing import Document
from services.portal.peers.convert import known, moment
from services.portal.peers.peer import PAGE, Peer

# The wire's name of each word is the word in capitals behind the enum's prefix.
_EXPIRIES = {contract_pb2.ExpiryKind.Value(f"EXPIRY_KIND_{word.name}"): word for word in ExpiryKind}
_KINDS = {
    instrument_pb2.InstrumentKind.Value(f"INSTRUMENT_KIND_{word.name}"): word
    for word in InstrumentKind
}
_WIRE_KINDS = {word: number for number, word in _KINDS.items()}
_STATES = {
    instrument_pb2.InstrumentState.Value(f"INSTRUMENT_STATE_{word.name}"): word
    for word in InstrumentState
}
_CAUSES = {
    revocation_pb2.RevocationCause.Value(f"REVOCATION_CAUSE_{word.name}"): word for word in Cause
}
_NOTICES = {
    revocation_pb2.RevocationState.Value(f"REVOCATION_STATE_{word.name}"): word
    for word in NoticeState
}
_WIRE_NOTICES = {word: number for number, word in _NOTICES.items()}


@dataclass(frozen=True)
class AgreementPeer:
    """Instruments, the calendar, notices to recipients and where those take them."""

    recipients: "Peer[recipient_service_pb2_grpc.RecipientServiceAsyncStub]"
    contracts: "Peer[contract_service_pb2_grpc.ContractServiceAsyncStub]"
    instrument_stub: "Peer[instrument_service_pb2_grpc.InstrumentServiceAsyncStub]"
    revocation_stub: "Peer[revocation_service_pb2_grpc.RevocationServiceAsyncStub]"

    async def expiries(self, officer: Person, days: int) -> Sequence[Expiry]:
        """Return what ends within so many days, in the order of the days."""
        request = contract_service_pb2.ListExpiriesRequest(days=days, page_size=PAGE)
        pages = self.contracts.pages(officer, lambda stub: stub.ListExpiries, request)
        return [_expiry(each) async for page in pages for each in page.expiries]

    async def instruments(self, officer: Person) -> Sequence[Instrument]:
        """Return every instrument, newest first."""
        request = instrument_service_pb2.ListInstrumentsRequest(page_size=PAGE)
        pages = self.instrument_stub.pages(officer, lambda stub: stub.ListInstruments, request)
        return [_instrument(each) async for page in pages for each in page.instruments]

    async def own_instruments(self, person: Person) -> Sequence[Instrument]:
        """Return the instruments about a person that the person may be told of, newest first."""
        request = instrument_service_pb2.ListOwnInstrumentsRequest(page_size=PAGE)
        pages = self.instrument_stub.pages(person, lambda stub: stub.ListOwnInstruments, request)
        return [_instrument(each) async for page in pages for each in page.instruments]

    async def instrument(self, officer: Person, key: str) -> Instrument:
        """Return an instrument."""
        request = instrument_service_pb2.GetInstrumentRequest(name=f"instruments/{key}")
        answer = await self.instrument_stub.ask(officer, lambda stub: stub.GetInstrument, request)
        return _instrument(answer.instrument)

    async def create_instrument(self, officer: Person, request_id: str, paper: Paper) -> str:
        """Record an instrument; return its key."""
        request = instrument_service_pb2.CreateInstrumentRequest(
            request_id=request_id, instrument=_paper_out(paper)
        )
        answer = await self.instrument_stub.ask(
            officer, lambda stub: stub.CreateInstrument, request
        )
        return _instrument(answer.instrument).key

    async def activate_instrument(self, officer: Person, request_id: str, key: str) -> None:
        """Put an instrument in force that another officer recorded."""
        request = instrument_service_pb2.ActivateInstrumentRequest(
            request_id=request_id, name=f"instruments/{key}"
        )
        await self.instrument_stub.ask(officer, lambda stub: stub.ActivateInstrument, request)

    async def revoke_instrument(
        self, officer: Person, request_id: str, key: str, note: str
    ) -> None:
        """End an instrument for good."""
        request = instrument_service_pb2.RevokeInstrumentRequest(
            request_id=request_id, name=f"instruments/{key}", note=note
        )
        await self.instrument_stub.ask(officer, lambda stub: stub.RevokeInstrument, request)

    async def revocations(self, officer: Person, shown: Shown) -> Sequence[Revocation]:
        """Return notices to recipients, newest first."""
        request = revocation_service_pb2.ListNoticesRequest(
            page_size=PAGE,
            overdue=shown.overdue,
            state=_WIRE_NOTICES[shown.state]
            if shown.state
            else revocation_pb2.REVOCATION_STATE_UNSPECIFIED,
        )
        pages = self.revocation_stub.pages(officer, lambda stub: stub.ListNotices, request)
        return [_revocation(each) async for page in pages for each in page.notices]

    async def revocation(self, officer: Person, key: str) -> Revocation:
        """Return a notice to a recipient."""
        request = revocation_service_pb2.GetNoticeRequest(name=f"revocations/{key}")
        answer = await self.revocation_stub.ask(officer, lambda stub: stub.GetNotice, request)
        return _revocation(answer.notice)

    async def retry(self, officer: Person, request_id: str, key: str) -> None:
        """Have a notice sent anew."""
        request = revocation_service_pb2.RetryNoticeRequest(
            request_id=request_id, name=f"revocations/{key}"
        )
        await self.revocation_stub.ask(officer, lambda stub: stub.RetryNotice, request)

    async def acknowledge(self, officer: Person, request_id: str, key: str, note: str) -> None:
        """Note that the recipient acknowledged in another way."""
        request = revocation_service_pb2.AcknowledgeByHandRequest(
            request_id=request_id, name=f"revocations/{key}", note=note
        )
        await self.revocation_stub.ask(officer, lambda stub: stub.AcknowledgeByHand, request)

    async def endpoint(self, officer: Person, recipient: str) -> str:
        """Return the address where a recipient takes notices, or empty."""
        request = recipient_service_pb2.GetEndpointRequest(recipient=f"recipients/{recipient}")
        answer = await self.recipients.ask(officer, lambda stub: stub.GetEndpoint, request)
        return answer.endpoint.url

    async def set_endpoint(
        self, officer: Person, request_id: str, recipient: str, url: str
    ) -> None:
        """Set where a recipient takes notices; empty takes it back."""
        request = recipient_service_pb2.SetEndpointRequest(
            request_id=request_id, recipient=f"recipients/{recipient}", url=url
        )
        await self.recipients.ask(officer, lambda stub: stub.SetEndpoint, request)


def _expiry(message: contract_pb2.Expiry) -> Expiry:
    return Expiry(
        day=date.fromisoformat(message.expire_date),
        kind=known(_EXPIRIES, message.kind),
        resource=message.resource,
        recipient=message.recipient,
        safeguard=message.safeguard,
    )


def _paper_out(paper: Paper) -> instrument_pb2.Instrument:
    message = instrument_pb2.Instrument(
        kind=_WIRE_KINDS[paper.kind],
        issuer=paper.issuer,
        authority=paper.authority,
        reference=paper.reference,
        account=paper.account,
        categories=paper.categories,
        on_date=paper.on.isoformat(),
        expire_date=paper.expires.isoformat(),
        secret_until_date=paper.secret_until.isoformat() if paper.secret_until else "",
    )
    if paper.document:
        message.document.sha256 = bytes.fromhex(paper.document.sha256)
        message.document.location = paper.document.location
    return message


def _instrument(message: instrument_pb2.Instrument) -> Instrument:
    document = message.document if message.HasField("document") else None
    secret = message.secret_until_date
    return Instrument(
        name=message.name,
        paper=Paper(
            kind=known(_KINDS, message.kind),
            issuer=message.issuer,
            authority=message.authority,
            reference=message.reference,
            account=message.account,
            categories=tuple(message.categories),
            on=date.fromisoformat(message.on_date),
            expires=date.fromisoformat(message.expire_date),
            secret_until=date.fromisoformat(secret) if secret else None,
            document=Document(document.sha256.hex(), document.location) if document else None,
        ),
        state=known(_STATES, message.state),
        recorder=message.recorder,
        recorded=moment(message.create_time),
        activator=message.activator,
        activated=moment(message.activate_time) if message.HasField("activate_time") else None,
        revoker=message.revoker,
        revoked=moment(message.revoke_time) if message.HasField("revoke_time") else None,
        note=message.note,
    )


def _revocation(message: revocation_pb2.RevocationNotice) -> Revocation:
    acknowledged = message.HasField("acknowledge_time")
    return Revocation(
        name=message.name,
        recipient=message.recipient,
        cause=known(_CAUSES, message.cause),
        decisions=tuple(message.decisions),
        contract=message.contract,
        state=known(_NOTICES, message.state),
        created=moment(message.create_time),
        deadline=moment(message.deadline_time),
        overdue=message.overdue,
        attempts=message.attempts,
        attempted=moment(message.attempt_time) if message.HasField("attempt_time") else None,
        problem=message.problem,
        acknowledged=moment(message.acknowledge_time) if acknowledged else None,
        acknowledger=message.acknowledger,
        note=message.note,
    )
