"""Typed clients of the services, one class each."""

from __future__ import annotations

import asyncio
import contextlib
import copy
from collections.abc import AsyncIterator, Sequence

import grpc
from accord.account.v1 import staff_service_pb2
from accord.account.v1.staff_service_pb2 import InviteStaffResponse
from accord.account.v1.staff_service_pb2_grpc import StaffServiceStub
from accord.audit.v1 import read_service_pb2
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
from accord.audit.v1.read_service_pb2_grpc import ReadServiceStub
from accord.sharing.v1 import (
    contract_service_pb2,
    decision_service_pb2,
    recipient_service_pb2,
)
from accord.sharing.v1.contract_pb2 import Contract, ContractTerms
from accord.sharing.v1.contract_service_pb2_grpc import ContractServiceStub
from accord.sharing.v1.decision_pb2 import Decision, Question
from accord.sharing.v1.decision_service_pb2_grpc import DecisionServiceStub
from accord.sharing.v1.recipient_pb2 import Recipient
from accord.sharing.v1.recipient_service_pb2_grpc import RecipientServiceStub
from accord.type.v1.callers_pb2 import Role

from accord_client.calls import SECONDS, Client
from accord_client.fault import fault_of
from accord_client.profile import Profile

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


class Sharing(Client):
    """Decisions for apps; recipients and contracts for officers and auditors."""

    _SERVICE = "sharing"
    _FILES = (
        decision_service_pb2.DESCRIPTOR,
        recipient_service_pb2.DESCRIPTOR,
        contract_service_pb2.DESCRIPTOR,
    )

    def _stubs(self, channel: grpc.aio.Channel) -> None:
        self._decisions = DecisionServiceStub(channel)
        self._recipients = RecipientServiceStub(channel)
        self._contracts = ContractServiceStub(channel)

    async def check(self, question: Question) -> Decision:
        """Asks, and returns the answer as it was recorded; only OUTCOME_PERMIT means: share."""
        request = decision_service_pb2.CheckRequest(question=question)
        return (await self._call(self._decisions.Check, request)).decision

    async def decision(self, name: str, purpose: str = "") -> Decision:
        """A recorded decision, ``decisions/…``; staff say for which ``purpose`` they read it."""
        request = decision_service_pb2.GetDecisionRequest(name=name, purpose=purpose)
        return (await self._call(self._decisions.GetDecision, request)).decision

    def recipients(self, kind: str = "") -> AsyncIterator[Recipient]:
        """All recipients, or those of a kind, in the order of their names."""
        request = recipient_service_pb2.ListRecipientsRequest(kind=kind)
        pages = self._pages(self._recipients.ListRecipients, request)
        return (recipient async for page in pages for recipient in page.recipients)

    async def recipient(self, name: str) -> Recipient:
        """A recipient, ``recipients/…``."""
        request = recipient_service_pb2.GetRecipientRequest(name=name)
        return (await self._call(self._recipients.GetRecipient, request)).recipient

    async def create_recipient(self, recipient_id: str, recipient: Recipient) -> Recipient:
        """Registers a recipient under ``recipients/<recipient_id>``."""
        request = recipient_service_pb2.CreateRecipientRequest(
            recipient_id=recipient_id, recipient=recipient
        )
        return (await self._once(self._recipients.CreateRecipient, request)).recipient

    def contracts(self, recipient: str = "") -> AsyncIterator[Contract]:
        """All contracts, or those with one recipient, newest first."""
        request = contract_service_pb2.ListContractsRequest(recipient=recipient)
        pages = self._pages(self._contracts.ListContracts, request)
        return (contract async for page in pages for contract in page.contracts)

    async def contract(self, name: str) -> Contract:
        """A contract with its history, ``contracts/…``."""
        request = contract_service_pb2.GetContractRequest(name=name)
        return (await self._call(self._contracts.GetContract, request)).contract

    async def create_contract(
        self, recipient: str, terms: ContractTerms, request_id: str = ""
    ) -> Contract:
        """Records a contract as a draft, once for a request id and its content."""
        request = contract_service_pb2.CreateContractRequest(
            request_id=request_id, recipient=recipient, terms=terms
        )
        return (await self._once(self._contracts.CreateContract, request)).contract

    async def submit_contract(self, name: str, version: int) -> Contract:
        """Hands in a draft; ``version`` is the one that was read."""
        request = contract_service_pb2.SubmitContractRequest(name=name, version=version)
        return (await self._once(self._contracts.SubmitContract, request)).contract

    async def activate_contract(self, name: str, version: int) -> Contract:
        """Puts a version in force; refused to its author. ``version`` is the one that was read."""
        request = contract_service_pb2.ActivateContractRequest(name=name, version=version)
        return (await self._once(self._contracts.ActivateContract, request)).contract

    async def suspend_contract(self, name: str, note: str = "") -> Contract:
        """Stops a contract for a while."""
        request = contract_service_pb2.SuspendContractRequest(name=name, note=note)
        return (await self._once(self._contracts.SuspendContract, request)).contract

    async def terminate_contract(self, name: str, note: str = "") -> Contract:
        """Ends a contract for good."""
        request = contract_service_pb2.TerminateContractRequest(name=name, note=note)
        return (await self._once(self._contracts.TerminateContract, request)).contract


class Audit(Client):
    """The log, for auditors. Whoever reads entries states a ``purpose``, which goes on record."""

    _SERVICE = "audit"
    _FILES = (read_service_pb2.DESCRIPTOR,)

    def __init__(
        self, channel: grpc.aio.Channel, seconds: float = SECONDS, purpose: str = ""
    ) -> None:
        super().__init__(channel, seconds)
        self._purpose = purpose

    def _stubs(self, channel: grpc.aio.Channel) -> None:
        self._read = ReadServiceStub(channel)

    @classmethod
    @contextlib.asynccontextmanager
    async def connect(
        cls, profile: Profile, purpose: str = "", *, seconds: float = SECONDS
    ) -> AsyncIterator[Audit]:
        """Opens a client; ``seconds`` is the deadline of each call."""
        async with cls._channel(profile) as channel:
            yield cls(channel, seconds, purpose)

    def entries(self, request: ListEntriesRequest) -> AsyncIterator[Entry]:
        """The entries that match the request's filters, page after page."""
        stated = copy.deepcopy(request)
        stated.purpose = self._purpose
        pages = self._pages(self._read.ListEntries, stated)
        return (entry async for page in pages for entry in page.entries)

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
        return (await self._call(self._read.GetEntry, request)).entry

    async def prove_inclusion(self, entry: int | str) -> ProveInclusionResponse:
        """The proof for one entry, by its index or by its event id. Nothing is verified yet."""
        request = read_service_pb2.ProveInclusionRequest(purpose=self._purpose)
        if isinstance(entry, int):
            request.index = entry
        else:
            request.event_id = entry
        return await self._call(self._read.ProveInclusion, request)

    def proven_entries(self, request: ProveEntriesRequest) -> AsyncIterator[ProveEntriesResponse]:
        """Entries that match with their proofs, page after page, all up to one checkpoint.

        Nothing is verified yet.
        """
        stated = copy.deepcopy(request)
        stated.purpose = self._purpose
        return self._pages(self._read.ProveEntries, stated)

    async def checkpoint(self) -> Checkpoint:
        """The newest checkpoint. Nothing is verified yet."""
        request = read_service_pb2.GetCheckpointRequest()
        return (await self._call(self._read.GetCheckpoint, request)).checkpoint

    async def prove_consistency(self, from_size: int, to_size: int) -> Sequence[bytes]:
        """The hashes that lead from one size of the log to another. Nothing is verified yet."""
        request = read_service_pb2.ProveConsistencyRequest(from_size=from_size, to_size=to_size)
        return (await self._call(self._read.ProveConsistency, request)).proof


class Staff(Client):
    """Invitations to roles, for operators."""

    _SERVICE = "account"
    _FILES = (staff_service_pb2.DESCRIPTOR,)

    def _stubs(self, channel: grpc.aio.Channel) -> None:
        self._staff = StaffServiceStub(channel)

    async def invite(self, role: Role.ValueType, display_name: str) -> InviteStaffResponse:
        """Invites someone to a role; the answer's secret opens the enrolment page once."""
        request = staff_service_pb2.InviteStaffRequest(role=role, display_name=display_name)
        return await self._once(self._staff.InviteStaff, request)
