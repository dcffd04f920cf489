"""Typed clients of the services, one class each.

Every method raises Fault for a refused call and takes its deadline from the client's
``seconds``. Lists come as asynchronous iterators that fetch further pages as they are consumed.
Mutations carry a fresh request id, so that a repeated attempt has its effect once.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Sequence

import grpc
from accord.account.v1 import staff_service_pb2, staff_service_pb2_grpc
from accord.account.v1.staff_service_pb2 import InviteStaffResponse
from accord.audit.v1 import read_service_pb2, read_service_pb2_grpc
from accord.audit.v1.checkpoint_pb2 import Checkpoint
from accord.audit.v1.entry_pb2 import Entry
from accord.audit.v1.read_service_pb2 import (
    EntryFilter,
    ListEntriesRequest,
    ProveEntriesRequest,
    ProveEntriesResponse,
    ProveInclusionResponse,
    TailRequest,
    TailResponse,
)
from accord.sharing.v1 import (
    contract_service_pb2,
    contract_service_pb2_grpc,
    decision_service_pb2,
    decision_service_pb2_grpc,
    recipient_service_pb2,
    recipient_service_pb2_grpc,
)
from accord.sharing.v1.contract_pb2 import Contract, ContractTerms
from accord.sharing.v1.decision_pb2 import Decision, Question
from accord.sharing.v1.recipient_pb2 import Recipient
from accord.type.v1.callers_pb2 import Role

from accord_client.channel import answer, open_channel
from accord_client.fault import fault_of
from accord_client.profile import Profile

_SECONDS = 10.0
_TAIL_S = 30.0  # of one stream; the log ends it a little before
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.05, 2.0  # before a stream is taken up again
_COME_AGAIN = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.INTERNAL,  # how HTTP/2 tells of a stream that was cut
        grpc.StatusCode.CANCELLED,
    }
)


class Sharing:
    """Decisions for apps; recipients and contracts for officers and auditors."""

    def __init__(self, channel: grpc.aio.Channel, seconds: float = _SECONDS) -> None:
        self._seconds = seconds
        self._decisions = decision_service_pb2_grpc.DecisionServiceStub(channel)
        self._recipients = recipient_service_pb2_grpc.RecipientServiceStub(channel)
        self._contracts = contract_service_pb2_grpc.ContractServiceStub(channel)

    @classmethod
    @contextlib.asynccontextmanager
    async def connect(cls, profile: Profile, seconds: float = _SECONDS) -> AsyncIterator[Sharing]:
        """Opens a client; ``seconds`` is the deadline of each call."""
        descriptors = (
            decision_service_pb2.DESCRIPTOR.services_by_name["DecisionService"],
            recipient_service_pb2.DESCRIPTOR.services_by_name["RecipientService"],
            contract_service_pb2.DESCRIPTOR.services_by_name["ContractService"],
        )
        async with open_channel(profile, "sharing", descriptors) as channel:
            yield cls(channel, seconds)

    async def check(self, question: Question) -> Decision:
        """Asks, and returns the answer as it was recorded; only OUTCOME_PERMIT means: share."""
        request = decision_service_pb2.CheckRequest(question=question)
        response = await answer(self._decisions.Check(request, timeout=self._seconds))
        return response.decision

    async def decision(self, name: str, purpose: str = "") -> Decision:
        """A recorded decision, ``decisions/…``; staff say for which ``purpose`` they read it."""
        request = decision_service_pb2.GetDecisionRequest(name=name, purpose=purpose)
        response = await answer(self._decisions.GetDecision(request, timeout=self._seconds))
        return response.decision

    async def recipients(self, kind: str = "") -> AsyncIterator[Recipient]:
        """All recipients, or those of a kind, in the order of their names."""
        request = recipient_service_pb2.ListRecipientsRequest(kind=kind)
        while True:
            page = await answer(self._recipients.ListRecipients(request, timeout=self._seconds))
            for recipient in page.recipients:
                yield recipient
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def recipient(self, name: str) -> Recipient:
        """A recipient, ``recipients/…``."""
        request = recipient_service_pb2.GetRecipientRequest(name=name)
        response = await answer(self._recipients.GetRecipient(request, timeout=self._seconds))
        return response.recipient

    async def create_recipient(self, recipient_id: str, recipient: Recipient) -> Recipient:
        """Registers a recipient under ``recipients/<recipient_id>``."""
        request = recipient_service_pb2.CreateRecipientRequest(
            request_id=str(uuid.uuid4()), recipient_id=recipient_id, recipient=recipient
        )
        response = await answer(self._recipients.CreateRecipient(request, timeout=self._seconds))
        return response.recipient

    async def contracts(self, recipient: str = "") -> AsyncIterator[Contract]:
        """All contracts, or those with one recipient, newest first."""
        request = contract_service_pb2.ListContractsRequest(recipient=recipient)
        while True:
            page = await answer(self._contracts.ListContracts(request, timeout=self._seconds))
            for contract in page.contracts:
                yield contract
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def contract(self, name: str) -> Contract:
        """A contract with its history, ``contracts/…``."""
        request = contract_service_pb2.GetContractRequest(name=name)
        response = await answer(self._contracts.GetContract(request, timeout=self._seconds))
        return response.contract

    async def create_contract(self, recipient: str, terms: ContractTerms) -> Contract:
        """Records a contract as a draft."""
        request = contract_service_pb2.CreateContractRequest(
            request_id=str(uuid.uuid4()), recipient=recipient, terms=terms
        )
        response = await answer(self._contracts.CreateContract(request, timeout=self._seconds))
        return response.contract

    async def submit_contract(self, name: str, version: int) -> Contract:
        """Hands in a draft; ``version`` is the one that was read."""
        request = contract_service_pb2.SubmitContractRequest(
            request_id=str(uuid.uuid4()), name=name, version=version
        )
        response = await answer(self._contracts.SubmitContract(request, timeout=self._seconds))
        return response.contract

    async def activate_contract(self, name: str, version: int) -> Contract:
        """Puts a version in force; refused to its author. ``version`` is the one that was read."""
        request = contract_service_pb2.ActivateContractRequest(
            request_id=str(uuid.uuid4()), name=name, version=version
        )
        response = await answer(self._contracts.ActivateContract(request, timeout=self._seconds))
        return response.contract

    async def suspend_contract(self, name: str, note: str = "") -> Contract:
        """Stops a contract for a while."""
        request = contract_service_pb2.SuspendContractRequest(
            request_id=str(uuid.uuid4()), name=name, note=note
        )
        response = await answer(self._contracts.SuspendContract(request, timeout=self._seconds))
        return response.contract

    async def terminate_contract(self, name: str, note: str = "") -> Contract:
        """Ends a contract for good."""
        request = contract_service_pb2.TerminateContractRequest(
            request_id=str(uuid.uuid4()), name=name, note=note
        )
        response = await answer(self._contracts.TerminateContract(request, timeout=self._seconds))
        return response.contract


class Audit:
    """The log, for auditors. Whoever reads entries states a ``purpose``, which goes on record."""

    def __init__(
        self, channel: grpc.aio.Channel, purpose: str = "", seconds: float = _SECONDS
    ) -> None:
        self._purpose = purpose
        self._seconds = seconds
        self._read = read_service_pb2_grpc.ReadServiceStub(channel)

    @classmethod
    @contextlib.asynccontextmanager
    async def connect(
        cls, profile: Profile, purpose: str = "", seconds: float = _SECONDS
    ) -> AsyncIterator[Audit]:
        """Opens a client; ``seconds`` is the deadline of each call."""
        descriptors = (read_service_pb2.DESCRIPTOR.services_by_name["ReadService"],)
        async with open_channel(profile, "audit", descriptors) as channel:
            yield cls(channel, purpose, seconds)

    async def entries(self, request: ListEntriesRequest) -> AsyncIterator[Entry]:
        """The entries that match the request's filters, page after page."""
        following = read_service_pb2.ListEntriesRequest()
        following.CopyFrom(request)
        following.purpose = self._purpose
        while True:
            page = await answer(self._read.ListEntries(following, timeout=self._seconds))
            for entry in page.entries:
                yield entry
            if not page.next_page_token:
                return
            following.page_token = page.next_page_token

    async def tail(
        self, wanted: EntryFilter, from_index: int | None = None
    ) -> AsyncIterator[TailResponse]:
        """What is committed from an index on, or from now on, for ever, each entry once.

        A message comes at least every second, without entries when there are none. Streams that end
        are taken up where they ended, also while the log is away for some time. Raises Fault when
        it was never heard, or refuses.
        """
        request = TailRequest(purpose=self._purpose, filter=wanted)
        if from_index is not None:
            request.from_index = from_index
        heard, failures = False, 0
        while True:
            try:
                async for news in self._read.Tail(request, timeout=_TAIL_S):
                    heard, failures = True, 0
                    yield news
                    request.from_index = news.next_index
            except grpc.aio.AioRpcError as error:
                fault = fault_of(error)
                if not heard or fault.code not in _COME_AGAIN:
                    raise fault from error
                failures += 1
                await asyncio.sleep(min(_FIRST_WAIT_S * 2**failures, _LONGEST_WAIT_S))

    async def entry(self, entry: int | str) -> Entry:
        """One entry, by its index or by its event id."""
        request = read_service_pb2.GetEntryRequest(purpose=self._purpose)
        if isinstance(entry, int):
            request.index = entry
        else:
            request.event_id = entry
        response = await answer(self._read.GetEntry(request, timeout=self._seconds))
        return response.entry

    async def prove_inclusion(self, entry: int | str) -> ProveInclusionResponse:
        """The proof for one entry, by its index or by its event id. Nothing is verified yet."""
        request = read_service_pb2.ProveInclusionRequest(purpose=self._purpose)
        if isinstance(entry, int):
            request.index = entry
        else:
            request.event_id = entry
        return await answer(self._read.ProveInclusion(request, timeout=self._seconds))

    async def proven_entries(
        self, request: ProveEntriesRequest
    ) -> AsyncIterator[ProveEntriesResponse]:
        """Entries that match with their proofs, page after page, all up to one checkpoint.

        Nothing is verified yet.
        """
        following = ProveEntriesRequest()
        following.CopyFrom(request)
        following.purpose = self._purpose
        while True:
            page = await answer(self._read.ProveEntries(following, timeout=self._seconds))
            yield page
            if not page.next_page_token:
                return
            following.page_token = page.next_page_token

    async def checkpoint(self) -> Checkpoint:
        """The newest checkpoint. Nothing is verified yet."""
        request = read_service_pb2.GetCheckpointRequest()
        response = await answer(self._read.GetCheckpoint(request, timeout=self._seconds))
        return response.checkpoint

    async def prove_consistency(self, from_size: int, to_size: int) -> Sequence[bytes]:
        """The hashes that lead from one size of the log to another. Nothing is verified yet."""
        request = read_service_pb2.ProveConsistencyRequest(from_size=from_size, to_size=to_size)
        response = await answer(self._read.ProveConsistency(request, timeout=self._seconds))
        return response.proof


class Staff:
    """Invitations to roles, for operators."""

    def __init__(self, channel: grpc.aio.Channel, seconds: float = _SECONDS) -> None:
        self._seconds = seconds
        self._staff = staff_service_pb2_grpc.StaffServiceStub(channel)

    @classmethod
    @contextlib.asynccontextmanager
    async def connect(cls, profile: Profile, seconds: float = _SECONDS) -> AsyncIterator[Staff]:
        """Opens a client; ``seconds`` is the deadline of each call."""
        descriptors = (staff_service_pb2.DESCRIPTOR.services_by_name["StaffService"],)
        async with open_channel(profile, "account", descriptors) as channel:
            yield cls(channel, seconds)

    async def invite(self, role: Role.ValueType, display_name: str) -> InviteStaffResponse:
        """Invites someone to a role; the answer's secret opens the enrolment page once."""
        request = staff_service_pb2.InviteStaffRequest(
            request_id=str(uuid.uuid4()), role=role, display_name=display_name
        )
        return await answer(self._staff.InviteStaff(request, timeout=self._seconds))
