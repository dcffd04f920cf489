"""AuthZEN's evaluations: what they ask, what they answer, and how several go together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from accord.sharing.v1 import decision_service_pb2

from runtime.ids import new_account
from tests.contract.sharing.conftest import Sharing, rows
from tests.contract.sharing.doors.conftest import (
    CIRCUMSTANCES,
    DHL,
    EVALUATION,
    EVALUATIONS,
    NEWSLETTER,
    RESOURCES,
    data,
    request,
    tool,
)

if TYPE_CHECKING:
    import httpx


# --- evaluation --------------------------------------------------------------------------------


async def test_an_evaluation_is_a_check_on_the_record(
    sharing: Sharing, client: httpx.AsyncClient
) -> None:
    permitted = (await client.post(EVALUATION, json=request(sharing))).json()
    assert permitted["decision"] is True
    context = permitted["context"]
    assert context["outcome"] == "PERMIT"
    assert {"reasons", "permitted_categories"}.isdisjoint(context)
    (duty,) = context["obligations"]
    assert duty["type"] == "custom"
    assert duty["properties"]["action"] == "record_disclosure"

    denied = (await client.post(EVALUATION, json=request(sharing, action=NEWSLETTER))).json()
    assert denied["decision"] is False
    assert denied["context"]["outcome"] == "DENY"
    reasons = {reason["id"]: reason for reason in denied["context"]["reasons"]}
    assert "NOT_IN_NOTICE" in reasons
    assert reasons["NOT_IN_NOTICE"]["reason_user"]["en"]
    assert reasons["NOT_IN_NOTICE"]["citations"]

    gap = await client.post(EVALUATION, json=request(sharing, context={"service": "mi_store"}))
    assert (gap.json()["decision"], gap.json()["context"]["outcome"]) == (False, "GAP")
    assert rows(sharing.url, "decisions") == 3
    for answer in (permitted, denied, gap.json()):
        name = answer["context"]["decision_id"]
        get = decision_service_pb2.GetDecisionRequest(name=name)
        recorded = await sharing.app("decisions", "GetDecision", get)
        assert recorded.decision.name == name


async def test_a_decision_keeps_while_nothing_changes(
    sharing: Sharing, client: httpx.AsyncClient
) -> None:
    answers = [(await client.post(EVALUATION, json=request(sharing))).json() for _ in range(5)]
    assert {answer["decision"] for answer in answers} == {True}


async def test_the_token_of_an_answer_is_good_for_the_next(
    sharing: Sharing, client: httpx.AsyncClient
) -> None:
    first = (await client.post(EVALUATION, json=request(sharing))).json()
    token = first["context"]["token"]
    for freshness in ({"token": token}, {"freshness": "fully_consistent"}):
        body = request(sharing, context={**CIRCUMSTANCES, **freshness})
        assert (await client.post(EVALUATION, json=body)).json()["decision"] is True
    for wrong in (
        {"token": "x"},
        {"freshness": "x"},
        {"freshness": "fully_consistent", "token": "x"},
    ):
        body = request(sharing, context={**CIRCUMSTANCES, **wrong})
        assert (await client.post(EVALUATION, json=body)).status_code == 400


async def test_questions_that_are_none_are_errors_and_not_denials(
    sharing: Sharing, client: httpx.AsyncClient
) -> None:
    away = {**data(sharing), "id": new_account("in")}
    for change, status, field in (
        ({"subject": {**DHL, "id": "nobody"}}, 404, ""),
        ({"subject": {**DHL, "type": "affiliate"}}, 404, ""),
        ({"action": {"name": "sell", "properties": {"purpose": "delivery"}}}, 400, "action.name"),
        ({"action": {"name": "share"}}, 400, "action.properties.purpose"),
        (
            {"action": {"name": "share", "properties": {"purpose": "x"}}},
            400,
            "action.properties.purpose",
        ),
        ({"resource": {**data(sharing), "type": "record"}}, 400, "resource.type"),
        ({"resource": {**data(sharing), "id": "x"}}, 400, "resource.id"),
        ({"resource": data(sharing, "x")}, 400, "resource.properties.categories"),
        ({"context": {"service": "x"}}, 400, "context.service"),
        ({"context": {**CIRCUMSTANCES, "destination": "ZZ"}}, 400, "context.destination"),
        ({"context": {"service": "live_chat"}}, 403, ""),
        ({"resource": away}, 421, ""),
    ):
        answer = await client.post(EVALUATION, json=request(sharing, **change))
        assert answer.status_code == status, (change, answer.text)
        assert answer.json().startswith(field), (change, answer.json())
    assert rows(sharing.url, "decisions") == 0


async def test_names_may_come_with_their_collection_and_a_service_may_go_without_saying(
    sharing: Sharing, client: httpx.AsyncClient
) -> None:
    body = request(
        sharing,
        subject={**DHL, "id": "recipients/dhl"},
        resource={**data(sharing), "id": sharing.person.removeprefix("accounts/")},
        context={"relation": "order-4711"},
    )
    assert (await client.post(EVALUATION, json=body)).json()["decision"] is True


async def test_a_permit_may_be_asked_for(sharing: Sharing, client: httpx.AsyncClient) -> None:
    asking = {**CIRCUMSTANCES, "permit": True}
    answer = (await client.post(EVALUATION, json=request(sharing, context=asking))).json()
    assert answer["context"]["permit"].count(".") == 2
    denied = request(sharing, context=asking, action=NEWSLETTER)
    assert "permit" not in (await client.post(EVALUATION, json=denied)).json()["context"]


async def test_the_data_of_a_guest(sharing: Sharing) -> None:
    await sharing.in_force(
        await sharing.register("model", "service_provider.llm"),
        purposes=["chat_response"],
        categories=["chat"],
    )
    chat = await tool(sharing, "app/live-chat")
    asked = {
        "subject": {"type": "service_provider.llm", "id": "model"},
        "action": {"name": "share", "properties": {"purpose": "chat_response"}},
        "resource": {
            "type": "guest_data",
            "id": "session-1",
            "properties": {"jurisdiction": "NL", "categories": ["chat.text"]},
        },
        "context": {"service": "live_chat", "relation": "chat-1"},
    }
    answer = await chat.post(EVALUATION, json=asked)
    assert answer.json()["decision"] is True, answer.text
    asked["resource"] = {
        "type": "guest_data",
        "properties": {"session": "session-1", "jurisdiction": "NL", "categories": ["chat.text"]},
    }
    found = (await chat.post(RESOURCES, json=asked)).json()["results"]
    assert [(each["type"], each["id"]) for each in found] == [("guest_data", "session-1")]


async def test_aggregates_of_nobody(sharing: Sharing, client: httpx.AsyncClient) -> None:
    await sharing.in_force(
        await sharing.register("stat", "business_partner"),
        purposes=["statistics"],
        categories=["usage"],
    )
    body = request(
        sharing,
        subject={"type": "business_partner", "id": "stat"},
        action={"name": "disclose", "properties": {"purpose": "statistics"}},
        resource={
            "type": "aggregate_data",
            "id": "-",
            "properties": {"categories": ["usage.statistics"]},
        },
    )
    assert (await client.post(EVALUATION, json=body)).json()["decision"] is True


# --- evaluations -------------------------------------------------------------------------------


def decisions(answer: httpx.Response) -> list[bool]:
    assert answer.status_code == 200, answer.text
    return [each["decision"] for each in answer.json()["evaluations"]]


async def test_evaluations_take_what_stands_beside_them_key_by_whole_key(
    sharing: Sharing, client: httpx.AsyncClient
) -> None:
    full = request(sharing)
    one = {"type": "personal_data", "id": sharing.person}  # no categories: nothing is merged in
    for defaults, items, expected in (
        ({}, [full, request(sharing, action=NEWSLETTER)], [True, False]),
        (
            full,
            [{}, {"action": NEWSLETTER}, {"resource": data(sharing, "contact.name")}],
            [1, 0, 1],
        ),
        (full, [{"context": {"service": "mi_store"}}, {"resource": one}], [False, False]),
        (request(sharing, resource=None), [{"resource": data(sharing)}, {}], [True, False]),
        (request(sharing, subject=None), [{}], [False]),
        (full, [{"subject": "dhl"}, 7, {}], [False, False, True]),
    ):
        answer = await client.post(EVALUATIONS, json={**defaults, "evaluations": items})
        assert decisions(answer) == expected, items


async def test_an_evaluation_that_cannot_be_asked_says_why_in_its_place(
    sharing: Sharing, client: httpx.AsyncClient
) -> None:
    items = [
        {},
        {"subject": {**DHL, "id": "nobody"}},
        {"resource": data(sharing, "x")},
        {"context": {"service": "live_chat"}},
        {"action": None},
    ]
    answer = await client.post(EVALUATIONS, json={**request(sharing), "evaluations": items})
    assert decisions(answer) == [True, False, False, False, False]
    errors = [each["context"].get("error", {}) for each in answer.json()["evaluations"]]
    assert [error.get("status") for error in errors] == [None, 404, 400, 403, 400]
    assert errors[4]["message"] == "action: is missing"
    assert rows(sharing.url, "decisions") == 1


async def test_what_a_batch_is_refused_for_leaves_the_others_one_batch(
    sharing: Sharing, client: httpx.AsyncClient
) -> None:
    items: list[dict[str, object]] = [{} for _ in range(40)]
    for place in (3, 30):
        items[place] = {"resource": data(sharing, "x")}
    answer = await client.post(EVALUATIONS, json={**request(sharing), "evaluations": items})
    assert decisions(answer) == [place not in {3, 30} for place in range(40)]
    assert rows(sharing.url, "decisions") == 1


@pytest.mark.parametrize(
    ("semantic", "expected"),
    [
        ("", [True, False, True]),
        ("execute_all", [True, False, True]),
        ("deny_on_first_deny", [True, False]),
        ("permit_on_first_permit", [True]),
    ],
)
async def test_a_semantic_ends_the_evaluations(
    sharing: Sharing, client: httpx.AsyncClient, semantic: str, expected: list[bool]
) -> None:
    items = [{}, {"action": NEWSLETTER}, {}]
    body: dict[str, Any] = {**request(sharing), "evaluations": items}
    if semantic:
        body["options"] = {"evaluations_semantic": semantic, "another": 1}
    assert decisions(await client.post(EVALUATIONS, json=body)) == expected
    if semantic == "permit_on_first_permit":
        denied_first = {**body, "evaluations": [{"action": NEWSLETTER}, {}, {}]}
        assert decisions(await client.post(EVALUATIONS, json=denied_first)) == [False, True]
    if semantic == "deny_on_first_deny":  # a failure ends them as a denial does
        failing = {**body, "evaluations": [{}, {"action": None}, {}]}
        assert decisions(await client.post(EVALUATIONS, json=failing)) == [True, False]


async def test_without_a_list_evaluations_are_the_one_beside_it(
    sharing: Sharing, client: httpx.AsyncClient
) -> None:
    for body in (request(sharing), {**request(sharing), "evaluations": []}):
        answer = await client.post(EVALUATIONS, json=body)
        assert answer.json()["decision"] is True
        assert "evaluations" not in answer.json()
    for wrong in (
        {**request(sharing), "evaluations": {}},
        {**request(sharing), "evaluations": [{}] * 1001},
        {**request(sharing), "evaluations": [{}], "options": {"evaluations_semantic": "bogus"}},
        {**request(sharing), "evaluations": [{}], "options": []},
        request(sharing, subject=None),
    ):
        assert (await client.post(EVALUATIONS, json=wrong)).status_code == 400, wrong
