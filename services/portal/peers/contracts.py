"""Sharing over mTLS: the officers' desk."""

from collections.abc import Sequence
from datetime import date

from accord.sharing.v1 import (
    contract_pb2,
    contract_service_pb2,
    contract_service_pb2_grpc,
    recipient_pb2,
    recipient_service_pb2,
    recipient_service_pb2_grpc,
)

from services.portal.domain.person import Person
from services.portal.domain.sharing import (
    Contract,
    ContractEvent,
    ContractState,
    Document,
    DueDiligence,
    SafeguardDetail,
    Subprocessor,
    Terms,
)
from services.portal.peers.convert import known, moment
from services.portal.peers.peer import PAGE, Peer

_STATES = {
    contract_pb2.CONTRACT_STATE_DRAFT: ContractState.DRAFT,
    contract_pb2.CONTRACT_STATE_UNDER_REVIEW: ContractState.UNDER_REVIEW,
    contract_pb2.CONTRACT_STATE_ACTIVE: ContractState.ACTIVE,
    contract_pb2.CONTRACT_STATE_SUSPENDED: ContractState.SUSPENDED,
    contract_pb2.CONTRACT_STATE_TERMINATED: ContractState.TERMINATED,
}


class ContractPeer:
    """Registers recipients and carries contracts from draft to their end."""

    def __init__(
        self,
        recipients: "Peer[recipient_service_pb2_grpc.RecipientServiceAsyncStub]",
        contracts: "Peer[contract_service_pb2_grpc.ContractServiceAsyncStub]",
    ) -> None:
        self._recipients = recipients
        self._contracts = contracts

    async def create_recipient(
        self, officer: Person, request_id: str, key: str, *, name: str, kind: str, country: str
    ) -> None:
        """Register a recipient."""
        request = recipient_service_pb2.CreateRecipientRequest(
            request_id=request_id,
            recipient_id=key,
            recipient=recipient_pb2.Recipient(display_name=name, kind=kind, jurisdiction=country),
        )
        await self._recipients.ask(officer, lambda stub: stub.CreateRecipient, request)

    async def contracts(self, officer: Person, recipient: str = "") -> Sequence[Contract]:
        """Return every contract, or those with a recipient, newest first, without histories."""
        request = contract_service_pb2.ListContractsRequest(page_size=PAGE, recipient=recipient)
        pages = self._contracts.pages(officer, lambda stub: stub.ListContracts, request)
        return [_contract(each) async for page in pages for each in page.contracts]

    async def contract(self, officer: Person, key: str) -> Contract:
        """Return a contract with its history."""
        request = contract_service_pb2.GetContractRequest(name=f"contracts/{key}")
        answer = await self._contracts.ask(officer, lambda stub: stub.GetContract, request)
        return _contract(answer.contract)

    async def create_contract(
        self, officer: Person, request_id: str, recipient: str, terms: Terms
    ) -> Contract:
        """Record a contract as a draft."""
        request = contract_service_pb2.CreateContractRequest(
            request_id=request_id, recipient=recipient, terms=terms_out(terms)
        )
        answer = await self._contracts.ask(officer, lambda stub: stub.CreateContract, request)
        return _contract(answer.contract)

    async def amend_contract(
        self, officer: Person, request_id: str, key: str, *, version: int, terms: Terms
    ) -> Contract:
        """Record new terms as the draft after `version`."""
        request = contract_service_pb2.AmendContractRequest(
            request_id=request_id, name=f"contracts/{key}", version=version, terms=terms_out(terms)
        )
        answer = await self._contracts.ask(officer, lambda stub: stub.AmendContract, request)
        return _contract(answer.contract)

    async def step(
        self, officer: Person, request_id: str, key: str, *, step: str, version: int, note: str
    ) -> None:
        """Take a step of `Contract.steps_for`, on the version that the officer has read."""
        name = f"contracts/{key}"
        if step == "submit":
            submit = contract_service_pb2.SubmitContractRequest(
                request_id=request_id, name=name, version=version
            )
            await self._contracts.ask(officer, lambda stub: stub.SubmitContract, submit)
        elif step in {"activate", "resume"}:
            activate = contract_service_pb2.ActivateContractRequest(
                request_id=request_id, name=name, version=version
            )
            await self._contracts.ask(officer, lambda stub: stub.ActivateContract, activate)
        elif step == "suspend":
            suspend = contract_service_pb2.SuspendContractRequest(
                request_id=request_id, name=name, note=note
            )
            await self._contracts.ask(officer, lambda stub: stub.SuspendContract, suspend)
        elif step == "terminate":
            terminate = contract_service_pb2.TerminateContractRequest(
                request_id=request_id, name=name, note=note
            )
            await self._contracts.ask(officer, lambda stub: stub.TerminateContract, terminate)
        else:
            raise ValueError(step)


def terms_out(terms: Terms) -> contract_pb2.ContractTerms:
    """Return terms as sharing takes them."""
    message = contract_pb2.ContractTerms(
        purposes=terms.purposes,
        categories=terms.categories,
        origins=terms.origins,
        destinations=terms.destinations,
        safeguards=terms.safeguards,
        effective_date=terms.effective.isoformat(),
        expire_date=terms.expires.isoformat(),
        subprocessors=terms.subprocessors,
        confidentiality=terms.confidentiality,
        delete_on_termination=terms.delete_on_termination,
    )
    if terms.due_diligence:
        message.due_diligence.outcome = (
            contract_pb2.DUE_DILIGENCE_OUTCOME_PASSED
            if terms.due_diligence.passed
            else contract_pb2.DUE_DILIGENCE_OUTCOME_FAILED
        )
        message.due_diligence.on_date = terms.due_diligence.on.isoformat()
        message.due_diligence.expire_date = terms.due_diligence.expires.isoformat()
    for link in terms.subprocessor_chain:
        message.subprocessor_chain.add(
            name=link.name,
            jurisdiction=link.jurisdiction,
            activity=link.activity,
            parent=link.parent,
        )
    for detail in terms.safeguard_details:
        message.safeguard_details.add(
            safeguard=detail.safeguard,
            scc_module=contract_pb2.SccModule.ValueType(detail.scc_module),
            reference=detail.reference,
            impact_assessment=detail.impact_assessment,
            expire_date=detail.expires.isoformat() if detail.expires else "",
        )
    message.obligations.extend(terms.obligations)
    if terms.document:
        message.document.sha256 = bytes.fromhex(terms.document.sha256)
        message.document.location = terms.document.location
    return message


def _contract(contract: contract_pb2.Contract) -> Contract:
    return Contract(
        name=contract.name,
        recipient=contract.recipient,
        version=contract.version,
        state=known(_STATES, contract.state),
        terms=_terms(contract.terms),
        active_version=contract.active_version,
        author=contract.author,
        since=moment(contract.create_time),
        suspended_version=contract.suspended_version,
        history=[
            ContractEvent(
                each.version,
                known(_STATES, each.state),
                each.actor,
                moment(each.event_time),
                each.note,
            )
            for each in contract.history
        ],
    )


def _terms(terms: contract_pb2.ContractTerms) -> Terms:
    diligence = terms.due_diligence if terms.HasField("due_diligence") else None
    document = terms.document if terms.HasField("document") else None
    return Terms(
        purposes=tuple(terms.purposes),
        categories=tuple(terms.categories),
        origins=tuple(terms.origins),
        destinations=tuple(terms.destinations),
        safeguards=tuple(terms.safeguards),
        due_diligence=diligence
        and DueDiligence(
            passed=diligence.outcome == contract_pb2.DUE_DILIGENCE_OUTCOME_PASSED,
            on=date.fromisoformat(diligence.on_date),
            expires=date.fromisoformat(diligence.expire_date),
        ),
        effective=date.fromisoformat(terms.effective_date),
        expires=date.fromisoformat(terms.expire_date),
        subprocessors=tuple(terms.subprocessors),
        confidentiality=terms.confidentiality,
        delete_on_termination=terms.delete_on_termination,
        document=document and Document(document.sha256.hex(), document.location),
        subprocessor_chain=tuple(
            Subprocessor(link.name, link.jurisdiction, link.activity, link.parent)
            for link in terms.subprocessor_chain
        ),
        safeguard_details=tuple(
            SafeguardDetail(
                detail.safeguard,
                int(detail.scc_module),
                detail.reference,
                detail.impact_assessment,
                date.fromisoformat(detail.expire_date) if detail.expire_date else None,
            )
            for detail in terms.safeguard_details
        ),
        obligations=tuple(terms.obligations),
    )
