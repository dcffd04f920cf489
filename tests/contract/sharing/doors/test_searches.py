"""AuthZEN's searches: only what is permitted is found, part by part, and no directory of people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from accord.sharing.v1 import decision_service_pb2

from runtime.ids import new_account
from tests.contract.sharing.conftest import Sharing
from tests.contract.sharing.doors.conftest import (
    ACTIONS,
    DHL,
    EVALUATION,
    NEWSLETTER,
    RESOURCES,
    SUBJECTS,
    data,
    request,
    wanted,
)

if TYPE_CHECKING:
    import httpx


# --- searches ----------------------------------------------------------------------------------


async def results(client: httpx.AsyncClient, endpoint: str, body: dict[str, Any]) -> Any:
    answer = await client.post(endpoint, json=body)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert next(iter(found)) == "page"  # so that a reader knows early how much comes
    assert found["page"]["count"] == len(found["results"])
    return found


async def test_a_subject_search_finds_who_may(sharing: Sharing, client: httpx.AsyncClient) -> None:
    await sharing.in_force(await sharing.register("gls"))
    await sharing.register("ups")  # without a contract
    for subject in ({"type": "service_provider.delivery"}, DHL, {"type": "service_provider"}):
        found = await results(client, SUBJECTS, request(sharing, subject=subject))
        assert [(each["type"], each["id"]) for each in found["results"]] == [
            ("service_provider.delivery", "dhl"),
            ("service_provider.delivery", "gls"),
        ]
        assert found["page"]["next_token"] == ""
        for each in found["results"]:
            name = each["properties"]["decision_id"]
            get = decision_service_pb2.GetDecisionRequest(name=name)
            assert (await sharing.app("decisions", "GetDecision", get)).decision.name == name
            assert each["obligations"][0]["id"] == "record_disclosure"


@pytest.mark.parametrize("text", ["dhl\0", "\x1b[0m", "x" * 3000])
async def test_no_text_reaches_the_store_that_it_cannot_keep(
    sharing: Sharing, client: httpx.AsyncClient, text: str
) -> None:
    entity = {"type": "service_provider.delivery", "id": text}
    for endpoint in (EVALUATION, RESOURCES, ACTIONS):
        answer = await client.post(endpoint, json=request(sharing, subject=entity))
        assert answer.status_code == 400, endpoint
    answer = await client.post(SUBJECTS, json=request(sharing, subject={"type": text}))
    assert answer.status_code == 400


async def test_a_search_comes_in_parts(sharing: Sharing, client: httpx.AsyncClient) -> None:
    for carrier in ("gls", "hermes"):
        await sharing.in_force(await sharing.register(carrier))
    body = request(sharing, subject={"type": "service_provider"})
    found, token = [], ""
    while True:
        page = {"token": token, "hue": "blue"} if token else {"limit": 2, "hue": "red"}
        part = await results(client, SUBJECTS, {**body, "page": page})
        found += [each["id"] for each in part["results"]]
        token = part["page"]["next_token"]
        if not token:
            break
        for change in (
            {"page": {"limit": 3, "token": token}},
            {"page": {"limit": 2, "token": token[:-4]}},
            {"page": {"token": token, "properties": {"sort": "name"}}},
            {"page": {"limit": 2, "token": token}, "subject": {"type": "affiliate"}},
            {"page": {"limit": 2, "token": token}, "context": {"service": "mi_store"}},
        ):
            assert (await client.post(SUBJECTS, json={**body, **change})).status_code == 400
        again = await results(client, SUBJECTS, {**body, "page": {"limit": 2, "token": token}})
        assert len(again["results"]) == 1
    assert found == ["dhl", "gls", "hermes"]
    for limit in (-1, "2", 1.5, True):
        answer = await client.post(SUBJECTS, json={**body, "page": {"limit": limit}})
        assert answer.status_code == 400, limit


async def test_a_resource_search_finds_which_categories_of_one_person(
    sharing: Sharing, client: httpx.AsyncClient
) -> None:
    named = {"account": sharing.person}
    for resource in (
        {"type": "personal_data", "properties": named},
        {"type": "personal_data", "id": "passed over", "properties": named},
    ):
        found = await results(client, RESOURCES, request(sharing, resource=resource))
        assert {each["type"] for each in found["results"]} == {"personal_data"}
        assert {each["id"] for each in found["results"]} == {sharing.person}
        categories = [each["properties"]["categories"] for each in found["results"]]
        assert ["contact.address"] in categories
        assert ["financial.card"] not in categories
    one = {"type": "personal_data", "properties": {**named, "categories": ["contact.email"]}}
    found = await results(client, RESOURCES, request(sharing, resource=one))
    assert [each["properties"]["categories"] for each in found["results"]] == [["contact.email"]]
    # There is no directory of people to search.
    nobody = request(sharing, resource={"type": "personal_data"})
    answer = await client.post(RESOURCES, json=nobody)
    assert (answer.status_code, answer.json()) == (400, "resource.properties.account: is missing")


async def test_an_action_search_finds_the_purposes(
    sharing: Sharing, client: httpx.AsyncClient
) -> None:
    for body in (
        request(sharing, action=None),
        request(sharing),
        request(sharing, action=NEWSLETTER),
    ):
        found = await results(client, ACTIONS, body)
        assert [(each["name"], each["properties"]["purpose"]) for each in found["results"]] == [
            ("share", "delivery")
        ]
    parts, token = [], ""
    while True:
        page = {"limit": 10} | ({"token": token} if token else {})
        part = await results(client, ACTIONS, {**request(sharing), "page": page})
        parts += [each["properties"]["purpose"] for each in part["results"]]
        token = part["page"]["next_token"]
        if not token:
            break
    assert parts == ["delivery"]


async def test_what_is_found_is_permitted_when_it_is_asked_for(
    sharing: Sharing, client: httpx.AsyncClient
) -> None:
    for endpoint, key in ((SUBJECTS, "subject"), (RESOURCES, "resource"), (ACTIONS, "action")):
        found = await results(client, endpoint, wanted(sharing, endpoint))
        assert found["results"], endpoint
        for each in found["results"]:
            answer = await client.post(EVALUATION, json=request(sharing, **{key: each}))
            assert answer.json()["decision"] is True, (endpoint, each)


async def test_what_nobody_knows_is_found_nowhere(
    sharing: Sharing, client: httpx.AsyncClient
) -> None:
    unknown = {
        "type": "personal_data",
        "id": new_account("nl"),
        "properties": data(sharing)["properties"],
    }
    nameless = {**unknown, "id": "x"}
    record = {**unknown, "type": "record"}
    for endpoint, change in (
        (SUBJECTS, {"subject": {"type": "spaceship"}}),
        (SUBJECTS, {"resource": unknown}),
        (SUBJECTS, {"resource": nameless}),
        (SUBJECTS, {"resource": record}),
        (RESOURCES, {"subject": {**DHL, "id": "nobody"}}),
        (RESOURCES, {"subject": {**DHL, "type": "spaceship"}}),
        (RESOURCES, {"resource": {"type": "record"}}),
        (ACTIONS, {"subject": {**DHL, "id": "nobody"}}),
        (ACTIONS, {"resource": unknown}),
        (ACTIONS, {"resource": nameless}),
        (ACTIONS, {"resource": record}),
    ):
        found = await results(client, endpoint, wanted(sharing, endpoint, **change))
        assert (found["results"], found["page"]["next_token"]) == ([], ""), (endpoint, change)
    away = {**unknown, "id": new_account("in")}
    assert (await client.post(ACTIONS, json=request(sharing, resource=away))).status_code == 421
