"""Every mistake of a caller has a typed answer, none is INTERNAL, and nothing is lost by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc
import pytest
from accord.sharing.v1 import (
    consent_pb2,
    consent_service_pb2,
    contract_service_pb2,
    decision_service_pb2,
    preference_service_pb2,
    recipient_service_pb2,
    rulebook_service_pb2,
    subject_service_pb2,
)
from google.protobuf.timestamp_pb2 import Timestamp

from runtime.errors import from_error
from runtime.ids import new_account
from tests.contract.sharing.conftest import Sharing, request_id, rows, terms_of

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from runtime.fault import Fault

NOTICE: dict[str, Any] = {"notice": "mi-store@2025-05-20", "language": "en"}
SCOPE: dict[str, Any] = {
    "purposes": ["newsletter"],
    "categories": ["contact.email"],
    "recipient": "service_provider.advertising",
}
LONG = "x" * 500
DRAFT: dict[str, Any] = {"recipient": "recipients/dhl"}


async def refused(
    sharing: Sharing,
    service: str,
    method: str,
    request: Message,
    *,
    as_: str = "svc/portal",
    actor: tuple[str, ...] = (),
) -> Fault:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await sharing.call(service, method, request, as_=as_, actor=actor)
    assert caught.value.code() is not grpc.StatusCode.INTERNAL
    return from_error(caught.value, "sharing")


def scoped(**change: Any) -> consent_pb2.ConsentScope:
    return consent_pb2.ConsentScope(**SCOPE | change)


def question(**given: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {
        "account": new_account("nl"),
        "service": "mi_store",
        "recipient": "recipients/dhl",
        "purpose": "delivery",
        "categories": ["contact.name"],
    }
    return {"question": usual | given}


_TERMS: list[dict[str, Any]] = [
    {"purposes": []},
    {"purposes": ["x"]},
    {"categories": ["x"]},
    {"origins": ["XX"]},
    {"destinations": []},
    {"safeguards": ["x"]},
    {"effective_date": ""},
    {"effective_date": "2026-02-30"},
    {"expire_date": "2025-01-01"},
    {"due_diligence": {"on_date": "2026-01-01", "expire_date": "2026-02-01"}},
    {"document": {"sha256": b"short", "location": "x"}},
    {"subprocessors": [LONG]},
]

CHECKS: dict[str, tuple[dict[str, Any], str, str]] = {
    "nothing": ({}, "INVALID_FIELD", "question"),
    "empty": ({"question": {}}, "INVALID_FIELD", "question.recipient"),
    "no account": (question(account=""), "INVALID_FIELD", "question.account"),
    "malformed account": (question(account="accounts/nl-1"), "INVALID_FIELD", "question.account"),
    "other home": (question(account=new_account("in")), "WRONG_REGION", ""),
    "unknown service": (question(service="x"), "INVALID_FIELD", "question.service"),
    "unknown purpose": (question(purpose="x"), "INVALID_FIELD", "question.purpose"),
    "unknown category": (question(categories=["x"]), "INVALID_FIELD", "question.categories"),
    "prefix for a leaf": (question(categories=["contact"]), "INVALID_FIELD", "question.categories"),
    "no category": (question(categories=[]), "INVALID_FIELD", "question.categories"),
    "a category twice": (
        question(categories=["contact.name", "contact.name"]),
        "INVALID_FIELD",
        "question.categories",
    ),
    "too many categories": (
        question(categories=["contact.name"] * 65),
        "INVALID_FIELD",
        "question.categories",
    ),
    "long category": (question(categories=[LONG]), "INVALID_FIELD", "question.categories"),
    "no country": (question(destination="ZZ"), "INVALID_FIELD", "question.destination"),
    "malformed recipient": (question(recipient="dhl"), "INVALID_FIELD", "question.recipient"),
    "unknown recipient": (question(recipient="recipients/nobody"), "NOT_FOUND", ""),
    "long relation": (question(relation=LONG), "INVALID_FIELD", "question.relation"),
    "control character": (question(relation="a\0b"), "INVALID_FIELD", "question.relation"),
    "another app's service": (question(service="live_chat"), "APP_NOT_BOUND", ""),
}


async def test_questions(sharing: Sharing) -> None:
    for name, (given, reason, field) in CHECKS.items():
        request = decision_service_pb2.CheckRequest(**given)
        fault = await refused(sharing, "decisions", "Check", request, as_="app/mi-store")
        assert (name, fault.reason) == (name, reason)
        assert (name, fault.metadata.get("field", "")) == (name, field)
        if reason == "WRONG_REGION":
            assert fault.metadata == {"region": "in"}
    assert rows(sharing.url, "decisions") == 0
    assert rows(sharing.url, "outbox") == 0


async def test_bytes_that_are_no_message(sharing: Sharing) -> None:
    async with sharing.bench.client(sharing.server, "sharing", "app/mi-store") as channel:
        check: Any = channel.unary_unary("/accord.sharing.v1.DecisionService/Check")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await check(b"\x0a\x05\x0a\x03\xff\xfe\xfd", timeout=5)
    assert from_error(caught.value, "sharing").reason == "MALFORMED_MESSAGE"


async def test_officers_requests(sharing: Sharing) -> None:
    await sharing.register()
    contract = await sharing.draft("recipients/dhl")
    create = contract_service_pb2.CreateContractRequest
    far = {"name": "contracts/" + "0" * 26}
    wrong: list[tuple[str, str, Message, str]] = [
        ("recipients", "CreateRecipient", _recipient(recipient_id="Dhl!"), "INVALID_FIELD"),
        ("recipients", "CreateRecipient", _recipient(request_id="1"), "INVALID_FIELD"),
        ("recipients", "CreateRecipient", _recipient(kind="x"), "INVALID_FIELD"),
        ("recipients", "CreateRecipient", _recipient(jurisdiction="XX"), "INVALID_FIELD"),
        ("recipients", "CreateRecipient", _recipient(display_name=""), "INVALID_FIELD"),
        ("recipients", "CreateRecipient", _recipient(display_name=LONG), "INVALID_FIELD"),
        ("recipients", "CreateRecipient", _recipient(recipient_id="dhl"), "ALREADY_EXISTS"),
        (
            "recipients",
            "CreateRecipient",
            recipient_service_pb2.CreateRecipientRequest(),
            "INVALID_FIELD",
        ),
        (
            "recipients",
            "GetRecipient",
            recipient_service_pb2.GetRecipientRequest(name="recipients/nobody"),
            "NOT_FOUND",
        ),
        (
            "recipients",
            "ListRecipients",
            recipient_service_pb2.ListRecipientsRequest(kind="x"),
            "INVALID_FIELD",
        ),
        (
            "recipients",
            "ListRecipients",
            recipient_service_pb2.ListRecipientsRequest(page_size=-1),
            "INVALID_FIELD",
        ),
        (
            "recipients",
            "ListRecipients",
            recipient_service_pb2.ListRecipientsRequest(page_token="e30"),
            "PAGE_TOKEN_INVALID",
        ),
        ("contracts", "CreateContract", create(request_id=request_id(), **DRAFT), "INVALID_FIELD"),
        *(
            (
                "contracts",
                "CreateContract",
                create(request_id=request_id(), **DRAFT, terms=terms_of(**terms)),
                "INVALID_FIELD",
            )
            for terms in _TERMS
        ),
        (
            "contracts",
            "CreateContract",
            create(request_id=request_id(), recipient="recipients/nobody", terms=terms_of()),
            "NOT_FOUND",
        ),
        (
            "contracts",
            "SubmitContract",
            contract_service_pb2.SubmitContractRequest(request_id=request_id(), version=1, **far),
            "NOT_FOUND",
        ),
        (
            "contracts",
            "SubmitContract",
            contract_service_pb2.SubmitContractRequest(
                request_id=request_id(), version=2, name=contract.name
            ),
            "CONFLICT",
        ),
        (
            "contracts",
            "ActivateContract",
            contract_service_pb2.ActivateContractRequest(
                request_id=request_id(), version=1, name=contract.name
            ),
            "WRONG_STATE",
        ),
        (
            "contracts",
            "SuspendContract",
            contract_service_pb2.SuspendContractRequest(
                request_id=request_id(), name=contract.name
            ),
            "WRONG_STATE",
        ),
        (
            "contracts",
            "TerminateContract",
            contract_service_pb2.TerminateContractRequest(
                request_id=request_id(), name=contract.name, note="a\nb"
            ),
            "INVALID_FIELD",
        ),
        ("contracts", "GetContract", contract_service_pb2.GetContractRequest(), "INVALID_FIELD"),
        (
            "contracts",
            "ListContracts",
            contract_service_pb2.ListContractsRequest(recipient="x"),
            "INVALID_FIELD",
        ),
    ]
    for service, method, request, reason in wrong:
        fault = await refused(sharing, service, method, request, actor=(sharing.officer, "officer"))
        assert (method, fault.reason) == (method, reason), request
    listed = await sharing.by_officer(
        "contracts", "ListContracts", contract_service_pb2.ListContractsRequest()
    )
    assert [known.name for known in listed.contracts] == [contract.name]


async def test_persons_requests(sharing: Sharing) -> None:
    others = f"{new_account('nl')}/consents/{'0' * 26}"
    give, refuse = consent_service_pb2.GiveConsentRequest, consent_service_pb2.RefuseConsentRequest
    usual: dict[str, Any] = {"request_id": request_id(), **NOTICE}
    wrong: list[tuple[str, str, Message, str]] = [
        ("consents", "GiveConsent", give(), "INVALID_FIELD"),
        (
            "consents",
            "GiveConsent",
            give(**usual, scope=consent_pb2.ConsentScope()),
            "INVALID_FIELD",
        ),
        ("consents", "RefuseConsent", refuse(), "INVALID_FIELD"),
        *(
            ("consents", "GiveConsent", give(**usual, scope=scoped(**change)), reason)
            for change, reason in (
                ({"service": "x"}, "INVALID_FIELD"),
                ({"purposes": ["x"]}, "INVALID_FIELD"),
                ({"categories": ["x"]}, "INVALID_FIELD"),
                ({"recipient": "x"}, "INVALID_FIELD"),
                ({"recipient": "recipients/nobody"}, "NOT_FOUND"),
            )
        ),
        (
            "consents",
            "GiveConsent",
            give(**usual | {"notice": "x"}, scope=scoped()),
            "INVALID_FIELD",
        ),
        (
            "consents",
            "GiveConsent",
            give(**usual | {"language": "de"}, scope=scoped()),
            "INVALID_FIELD",
        ),
        (
            "consents",
            "GiveConsent",
            give(**usual, scope=scoped(), expire_time=Timestamp(seconds=1)),
            "INVALID_FIELD",
        ),
        (
            "consents",
            "GiveConsent",
            give(**usual, scope=scoped(), expire_time=Timestamp(seconds=1 << 60)),
            "INVALID_FIELD",
        ),
        (
            "consents",
            "WithdrawConsent",
            consent_service_pb2.WithdrawConsentRequest(request_id=request_id(), name=others),
            "NOT_FOUND",
        ),
        ("preferences", "OptOut", preference_service_pb2.OptOutRequest(), "INVALID_FIELD"),
        (
            "preferences",
            "OptOut",
            preference_service_pb2.OptOutRequest(request_id=request_id(), choice=99),  # type: ignore[arg-type]  # a value of no version
            "INVALID_FIELD",
        ),
        (
            "preferences",
            "Object",
            preference_service_pb2.ObjectRequest(request_id=request_id(), purpose="delivery"),
            "INVALID_FIELD",
        ),
        (
            "preferences",
            "StopSharing",
            preference_service_pb2.StopSharingRequest(
                request_id=request_id(), recipient="recipients/nobody"
            ),
            "NOT_FOUND",
        ),
        (
            "preferences",
            "AcceptNotice",
            preference_service_pb2.AcceptNoticeRequest(request_id=request_id(), notice="x"),
            "INVALID_FIELD",
        ),
        (
            "preferences",
            "Lift",
            preference_service_pb2.LiftRequest(
                request_id=request_id(), name=others.replace("consents", "preferences")
            ),
            "NOT_FOUND",
        ),
        (
            "decisions",
            "ListDecisions",
            decision_service_pb2.ListDecisionsRequest(outcome=9),  # type: ignore[arg-type]  # a value of no version
            "INVALID_FIELD",
        ),
        (
            "decisions",
            "GetDecision",
            decision_service_pb2.GetDecisionRequest(name="decisions/nl-" + "0" * 26),
            "NOT_FOUND",
        ),
    ]
    for service, method, request, reason in wrong:
        fault = await refused(sharing, service, method, request, actor=(sharing.person, "person"))
        assert (method, fault.reason) == (method, reason), request
    moved = new_account("in")
    fault = await refused(
        sharing,
        "consents",
        "ListConsents",
        consent_service_pb2.ListConsentsRequest(),
        actor=(moved, "person"),
    )
    assert (fault.reason, fault.metadata) == ("WRONG_REGION", {"region": "in"})


async def test_invariant_6_wrong_callers_are_refused(sharing: Sharing) -> None:
    check = decision_service_pb2.CheckRequest(**question())
    consents = consent_service_pb2.ListConsentsRequest()
    contracts = contract_service_pb2.ListContractsRequest()
    put = subject_service_pb2.PutSubjectRequest()
    words = rulebook_service_pb2.GetVocabularyRequest()
    person, officer = (sharing.person, "person"), (sharing.officer, "officer")
    wrong: list[tuple[str, str, Message, str, tuple[str, ...], str]] = [
        ("decisions", "Check", check, "svc/portal", person, "CALLER_NOT_ALLOWED"),
        ("decisions", "Check", check, "staff/officer/ana", (), "CALLER_NOT_ALLOWED"),
        ("consents", "ListConsents", consents, "svc/portal", (), "ACTOR_REQUIRED"),
        ("consents", "ListConsents", consents, "svc/portal", officer, "ACTOR_ROLE_MISSING"),
        ("consents", "ListConsents", consents, "app/mi-store", (), "CALLER_NOT_ALLOWED"),
        ("contracts", "ListContracts", contracts, "svc/portal", person, "ACTOR_ROLE_MISSING"),
        ("contracts", "ListContracts", contracts, "staff/operator/o", (), "CALLER_NOT_ALLOWED"),
        ("subjects", "PutSubject", put, "svc/portal", person, "CALLER_NOT_ALLOWED"),
        ("rulebook", "GetVocabulary", words, "svc/audit", (), "CALLER_NOT_ALLOWED"),
    ]
    for service, method, request, as_, actor, reason in wrong:
        fault = await refused(sharing, service, method, request, as_=as_, actor=actor)
        assert (method, as_, fault.reason) == (method, as_, reason)


def _recipient(**given: Any) -> recipient_service_pb2.CreateRecipientRequest:
    fields = {"display_name": "R", "kind": "affiliate", "jurisdiction": "DE"}
    recipient = {key: given.get(key, usual) for key, usual in fields.items()}
    return recipient_service_pb2.CreateRecipientRequest(
        request_id=given.get("request_id", request_id()),
        recipient_id=given.get("recipient_id", "fresh"),
        recipient=recipient,  # type: ignore[arg-type]  # protobuf takes a mapping for a message
    )
