"""AuthZEN and Envoy's ext_authz over gRPC, without a proxy: what their messages mean here."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from accord.sharing.foreign import authzen_pb2, authzen_pb2_grpc, ext_authz_pb2, ext_authz_pb2_grpc
from accord.sharing.v1 import decision_service_pb2
from google.protobuf.json_format import MessageToDict, ParseDict
from google.rpc import code_pb2

from runtime.errors import from_error
from runtime.ids import new_account
from tests.contract.sharing.conftest import STUBS, Sharing, rows
from tests.contract.sharing.doors.conftest import DHL, NEWSLETTER, data, delivering, request

if TYPE_CHECKING:
    from google.protobuf.message import Message

STUBS["access"] = authzen_pb2_grpc.AccessStub
STUBS["authorization"] = ext_authz_pb2_grpc.AuthorizationStub
ROUTE = {
    "service": "mi_store",
    "recipient": "dhl",
    "purpose": "delivery",
    "categories": "contact.name, contact.phone",
    "account_header": "X-Account",
    "relation_header": "x-order",
}


# --- AuthZEN -----------------------------------------------------------------------------------


async def ask(sharing: Sharing, method: str, body: dict[str, Any], **kw: Any) -> dict[str, Any]:
    kind = getattr(authzen_pb2, f"{method}Request")
    answer = await sharing.call(
        "access", method, ParseDict(body, kind()), as_=kw.get("as_", "app/mi-store")
    )
    return dict(MessageToDict(answer, preserving_proto_field_name=True))


async def test_evaluations_over_grpc_answer_as_over_https(sharing: Sharing) -> None:
    await delivering(sharing)
    permitted = await ask(sharing, "Evaluation", request(sharing))
    assert permitted["decision"] is True
    assert permitted["context"]["obligations"][0]["id"] == "record_disclosure"
    denied = await ask(sharing, "Evaluation", request(sharing, action=NEWSLETTER))
    assert "decision" not in denied  # false is not sent
    assert denied["context"]["outcome"] == "DENY"
    several = {**request(sharing), "evaluations": [{}, {"action": NEWSLETTER}, {"subject": {}}]}
    answer = await ask(sharing, "Evaluations", several)
    assert [each.get("decision", False) for each in answer["evaluations"]] == [True, False, False]
    assert answer["evaluations"][2]["context"]["error"]["status"] == 400
    semantic = {"evaluations_semantic": "permit_on_first_permit"}
    answer = await ask(sharing, "Evaluations", {**several, "options": semantic})
    assert [each["decision"] for each in answer["evaluations"]] == [True]
    alone = await ask(sharing, "Evaluations", request(sharing))
    assert [each["decision"] for each in alone["evaluations"]] == [True]


async def test_searches_over_grpc_keep_their_obligations(sharing: Sharing) -> None:
    await delivering(sharing)
    named = {"type": "personal_data", "properties": {"account": sharing.person}}
    for method, change, expected in (
        ("SubjectSearch", {"subject": {"type": DHL["type"]}}, {"type": DHL["type"], "id": "dhl"}),
        ("ActionSearch", {"action": None}, {"name": "share"}),
        ("ResourceSearch", {"resource": named}, {"type": "personal_data", "id": sharing.person}),
    ):
        answer = await ask(sharing, method, request(sharing, **change))
        first = answer["results"][0]
        assert first.items() >= expected.items()
        assert first["properties"]["obligations"][0]["id"] == "record_disclosure"
        assert answer["page"]["count"] == str(len(answer["results"]))
    page = {"limit": 1}
    part = await ask(sharing, "ResourceSearch", request(sharing, resource=named, page=page))
    assert part["page"]["next_token"]


async def test_mistakes_over_grpc_have_typed_answers(sharing: Sharing) -> None:
    await delivering(sharing)
    for body, reason, field in (
        ({}, "INVALID_FIELD", "subject"),
        (request(sharing, action={"name": "x"}), "INVALID_FIELD", "action.name"),
        (request(sharing, subject={**DHL, "id": "nobody"}), "NOT_FOUND", ""),
        (request(sharing, context={"service": "live_chat"}), "APP_NOT_BOUND", ""),
        (request(sharing, resource={**data(sharing), "id": new_account("in")}), "WRONG_REGION", ""),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await ask(sharing, "Evaluation", body)
        fault = from_error(caught.value, "sharing")
        assert (fault.reason, fault.metadata.get("field", "")) == (reason, field)


# --- ext_authz ---------------------------------------------------------------------------------


async def knock(
    sharing: Sharing, headers: dict[str, str], as_: str = "app/mi-store", **route: str
) -> Any:
    attributes = ext_authz_pb2.AttributeContext(context_extensions={**ROUTE, **route})
    attributes.request.http.headers.update(headers)
    message: Message = ext_authz_pb2.CheckRequest(attributes=attributes)
    return await sharing.call("authorization", "Check", message, as_=as_)


async def test_a_proxy_lets_pass_what_is_permitted_and_says_so_upstream(sharing: Sharing) -> None:
    await delivering(sharing)
    account = {"x-account": sharing.person, "x-order": "order-4711"}
    answer = await knock(sharing, account)
    assert answer.status.code == code_pb2.OK
    added = {each.header.key: each.header.value for each in answer.ok_response.headers}
    assert added["accord-obligations"] == "record_disclosure"
    assert added["accord-token"]
    overwrite = ext_authz_pb2.HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD
    assert {each.append_action for each in answer.ok_response.headers} == {overwrite}
    get = decision_service_pb2.GetDecisionRequest(name=added["accord-decision"])
    recorded = (await sharing.app("decisions", "GetDecision", get)).decision
    assert recorded.question.relation == "order-4711"
    assert list(recorded.question.categories) == ["contact.name", "contact.phone"]
    bare = {**account, "x-account": sharing.person.removeprefix("accounts/")}
    assert (await knock(sharing, bare)).status.code == code_pb2.OK


async def test_a_proxy_denies_with_reasons_and_names_nobody(sharing: Sharing) -> None:
    await delivering(sharing)
    answer = await knock(sharing, {"x-account": sharing.person}, purpose="newsletter")
    assert answer.status.code == code_pb2.PERMISSION_DENIED
    denied = answer.denied_response
    assert denied.status.code == 403
    sent = {each.header.key: each.header.value for each in denied.headers}
    assert sent["content-type"] == "application/problem+json"
    problem = json.loads(denied.body)
    assert problem["status"] == 403
    assert problem["outcome"] == "DENY"
    assert "NOT_IN_NOTICE" in {reason["id"] for reason in problem["reasons"]}
    assert sharing.person.partition("/")[2] not in denied.body


async def test_what_a_proxy_asks_wrongly_is_denied_in_so_many_words(sharing: Sharing) -> None:
    await delivering(sharing)
    person = {"x-account": sharing.person}
    wrong: list[tuple[dict[str, str], dict[str, str], str, str]] = [
        ({}, {}, "INVALID_FIELD", "headers.x-account"),
        ({"x-account": f"{sharing.person},{sharing.person}"}, {}, "INVALID_FIELD", ""),
        (person, {"purpose": ""}, "INVALID_FIELD", ""),
        (person, {"recipient": ""}, "INVALID_FIELD", ""),
        (person, {"categories": " , "}, "INVALID_FIELD", ""),
        (person, {"signed_in": "yes"}, "INVALID_FIELD", "context_extensions.signed_in"),
        (person, {"porpose": "delivery"}, "INVALID_FIELD", "context_extensions.porpose"),
        (person, {"recipient": "nobody"}, "NOT_FOUND", ""),
        (person, {"service": "live_chat"}, "APP_NOT_BOUND", ""),
        ({"x-account": new_account("in")}, {}, "WRONG_REGION", ""),
    ]
    for headers, route, reason, field in wrong:
        answer = await knock(sharing, headers, **route)
        assert answer.status.code == code_pb2.PERMISSION_DENIED, route
        problem = json.loads(answer.denied_response.body)
        assert (problem["status"], problem["reason"]) == (403, reason), route
        assert not field or problem["field"] == field
        assert "accounts/" not in answer.denied_response.body
    assert rows(sharing.url, "decisions") == 0
