"""Serves accord.sharing.v1.ContractService."""

from datetime import timedelta

from accord.sharing.v1 import contract_pb2
from accord.sharing.v1 import contract_service_pb2 as pb

from runtime.call import Call
from runtime.fault import invalid
from services.sharing.api import encoding, fields, terms
from services.sharing.cases import move_contract
from services.sharing.cases.means import Means
from services.sharing.cases.read_contracts import get_contract
from services.sharing.cases.write_contract import amend_contract, create_contract
from services.sharing.domain.calendar import Expiry

_MAX_NOTE = 400
_MAX_DAYS = 3660


class ContractServicer:
    """What was agreed with recipients."""

    def __init__(self, means: Means) -> None:
        self._means = means

    async def create_contract(
        self, request: pb.CreateContractRequest, call: Call
    ) -> pb.CreateContractResponse:
        """Record a contract as a draft."""
        fields.required("terms", request, "terms")
        recipient = fields.name("recipient", request.recipient, "recipients")
        agreed = terms.decode(request.terms)
        once = fields.once(call, request, request.request_id, encoding.contract)
        answer = await create_contract(self._means, once, recipient, agreed, fields.acting(call))
        contract, token = await self._written(answer)
        return pb.CreateContractResponse(contract=contract, token=token)

    async def amend_contract(
        self, request: pb.AmendContractRequest, call: Call
    ) -> pb.AmendContractResponse:
        """Record new terms as a new draft version."""
        fields.required("terms", request, "terms")
        once = fields.once(call, request, request.request_id, encoding.contract)
        answer = await amend_contract(
            self._means,
            once,
            name=fields.name("name", request.name, "contracts"),
            version=request.version,
            terms=terms.decode(request.terms),
            acting=fields.acting(call),
        )
        contract, token = await self._written(answer)
        return pb.AmendContractResponse(contract=contract, token=token)

    async def submit_contract(
        self, request: pb.SubmitContractRequest, call: Call
    ) -> pb.SubmitContractResponse:
        """Hand a draft in for review."""
        name = fields.name("name", request.name, "contracts")
        once = fields.once(call, request, request.request_id, encoding.contract)
        answer = await move_contract.submit_contract(
            self._means, once, name, request.version, fields.acting(call)
        )
        contract, token = await self._written(answer)
        return pb.SubmitContractResponse(contract=contract, token=token)

    async def activate_contract(
        self, request: pb.ActivateContractRequest, call: Call
    ) -> pb.ActivateContractResponse:
        """Put a version in force, by somebody other than its author."""
        name = fields.name("name", request.name, "contracts")
        once = fields.once(call, request, request.request_id, encoding.contract)
        answer = await move_contract.activate_contract(
            self._means, once, name, request.version, fields.acting(call)
        )
        contract, token = await self._written(answer)
        return pb.ActivateContractResponse(contract=contract, token=token)

    async def suspend_contract(
        self, request: pb.SuspendContractRequest, call: Call
    ) -> pb.SuspendContractResponse:
        """Stop the version in force for a while."""
        name = fields.name("name", request.name, "contracts")
        note = fields.text("note", request.note, _MAX_NOTE)
        once = fields.once(call, request, request.request_id, encoding.contract)
        answer = await move_contract.suspend_contract(
            self._means, once, name, note, fields.acting(call)
        )
        contract, token = await self._written(answer)
        return pb.SuspendContractResponse(contract=contract, token=token)

    async def terminate_contract(
        self, request: pb.TerminateContractRequest, call: Call
    ) -> pb.TerminateContractResponse:
        """End a contract for good."""
        name = fields.name("name", request.name, "contracts")
        note = fields.text("note", request.note, _MAX_NOTE)
        once = fields.once(call, request, request.request_id, encoding.contract)
        answer = await move_contract.terminate_contract(
            self._means, once, name, note, fields.acting(call)
        )
        contract, token = await self._written(answer)
        return pb.TerminateContractResponse(contract=contract, token=token)

    async def get_contract(
        self,
        request: pb.GetContractRequest,
        call: Call,  # noqa: ARG002  the runtime's signature
    ) -> pb.GetContractResponse:
        """Return a contract with its history."""
        agreement = await get_contract(self._means, fields.name("name", request.name, "contracts"))
        return pb.GetContractResponse(contract=encoding.contract(agreement))

    async def list_contracts(
        self, request: pb.ListContractsRequest, call: Call
    ) -> pb.ListContractsResponse:
        """List contracts, newest first."""
        recipient = request.recipient
        if recipient:
            fields.name("recipient", recipient, "recipients")
        page = fields.page(call, request, request.page_size, request.page_token)
        found, following = await self._means.store.read(
            lambda records: records.contracts.list(page, recipient)
        )
        return pb.ListContractsResponse(
            contracts=[encoding.contract(agreement) for agreement in found],
            next_page_token=fields.next_token(call, request, following),
        )

    async def list_expiries(
        self, request: pb.ListExpiriesRequest, call: Call
    ) -> pb.ListExpiriesResponse:
        """List what ends in the days to come."""
        if not 1 <= request.days <= _MAX_DAYS:
            raise invalid("days", f"must be 1 to {_MAX_DAYS}")
        page = fields.dated_page(call, request, request.page_size, request.page_token)
        first = self._means.clock.now().date()
        last = first + timedelta(days=request.days)
        found, following = await self._means.store.read(
            lambda records: records.expiries.list(page, first, last)
        )
        return pb.ListExpiriesResponse(
            expiries=map(_expiry, found),
            next_page_token=fields.next_token(call, request, following),
        )

    async def _written(self, answer: bytes) -> tuple[contract_pb2.Contract, str]:
        """Return the contract as it was answered, and the token of what is known now."""
        return contract_pb2.Contract.FromString(answer), await self._means.feed.token()


def _expiry(value: Expiry) -> contract_pb2.Expiry:
    return contract_pb2.Expiry(
        expire_date=value.day.isoformat(),
        kind=contract_pb2.ExpiryKind.Value(f"EXPIRY_KIND_{value.kind.name}"),
        resource=value.resource,
        recipient=value.recipient,
        safeguard=value.safeguard,
    )
