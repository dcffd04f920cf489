"""AuthZEN over HTTPS: the protocol's rules, case by case, and what its words mean here."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from accord.sharing.v1 import decision_service_pb2

from runtime.ids import new_account
from tests.contract.sharing.authzen import (
    ACTIONS,
    CIRCUMSTANCES,
    DELIVERY,
    DHL,
    EVALUATION,
    EVALUATIONS,
    METADATA,
    NEWSLETTER,
    RESOURCES,
    SUBJECTS,
    TOKEN,
    data,
    delivering,
    request,
    settings,
    tool,
    trusting,
)
from tests.contract.sharing.conftest import Sharing, rows

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

ENDPOINTS = (EVALUATION, EVALUATIONS, SUBJECTS, RESOURCES, ACTIONS)


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """One engine: a door knows neither."""
    return f"sqlite:///{tmp_path / 'store.db'}"


@pytest.fixture
def tools(tmp_path: Path) -> dict[str, object]:
    return settings(tmp_path)


@pytest.fixture
async def client(sharing: Sharing) -> httpx.AsyncClient:
    await delivering(sharing)
    return await tool(sharing)


def wanted(sharing: Sharing, endpoint: str, **changed: Any) -> dict[str, Any]:
    """A request that the endpoint accepts."""
    if endpoint == RESOURCES:
        named = {"account": sharing.person, "categories": ["contact.name", "contact.email"]}
        changed.setdefault("resource", {"type": "personal_data", "properties": named})
    if endpoint == SUBJECTS:
        changed.setdefault("subject", {"type": "service_provider.delivery"})
    if endpoint == ACTIONS:
        changed.setdefault("action", None)
    return request(sharing, **changed)


# --- what holds for every endpoint -------------------------------------------------------------


async def test_every_endpoint_keeps_the_rules_of_the_transport(
    sharing: Sharing, client: httpx.AsyncClient
) -> None:
    for endpoint in ENDPOINTS:
        body = wanted(sharing, endpoint)
        raw = json.dumps(body).encode()
        kind = {"content-type": "application/json"}
        for sent, said, status in (
            (raw, kind, 200),
            (raw, {"content-type": "application/json; charset=utf-8"}, 200),
            (raw, {"content-type": "Application/JSON;charset=UTF-8"}, 200),
            (raw, {"content-type": "application/json; charset=utf-16"}, 415),
            (raw, {"content-type": "text/plain"}, 415),
            (raw, {}, 415),
            (b"", kind, 400),
            (b"{", kind, 400),
            (b"\xff\xfe", kind, 400),
            (b"null", kind, 400),
            (b"[" + raw + b"]", kind, 400),
            (b'{"a":1,"a":2}', kind, 400),
            (b'{"a":NaN}', kind, 400),
            (b"[" * 100_000, kind, 400),
            (b" " * (1 << 20) + raw, kind, 413),
        ):
            answer = await client.post(endpoint, content=sent, headers=said)
            assert answer.status_code == status, (endpoint, sent[:20], said)
            assert answer.headers["content-type"] == "application/json"
            assert isinstance(answer.json(), dict if status == 200 else str)
        for method in ("GET", "PUT", "PATCH", "DELETE"):
            answer = await client.request(method, endpoint, content=raw, headers=kind)
            assert (answer.status_code, answer.headers["allow"]) == (405, "POST"), endpoint
        answer = await client.post(endpoint, json={**body, "later": {"version": 2}})
        assert answer.status_code == 200, endpoint
        echoed = await client.post(endpoint, json=body, headers={"x-request-id": "bfe9eb29"})
        assert echoed.headers["x-request-id"] == "bfe9eb29"
        refused = await client.post(endpoint, json={}, headers={"x-request-id": "bfe9eb2a"})
        assert (refused.status_code, refused.headers["x-request-id"]) == (400, "bfe9eb2a")
        assert "x-request-id" not in answer.headers
    assert (await client.post("/access/v1/other", json={})).status_code == 404


async def test_what_is_required_must_be_there_and_of_its_type(
    sharing: Sharing, client: httpx.AsyncClient
) -> None:
    properties = {"categories": ["contact.name"]}
    broken: list[tuple[str, dict[str, Any], str]] = []
    for endpoint in (EVALUATION, EVALUATIONS, SUBJECTS, RESOURCES, ACTIONS):
        named = (endpoint != SUBJECTS, endpoint != RESOURCES, endpoint != ACTIONS)
        for key, full, has_id in (
            ("subject", DHL, named[0]),
            ("resource", data(sharing), named[1]),
        ):
            broken += [
                (endpoint, {key: None}, key),
                (endpoint, {key: "dhl"}, key),
                (endpoint, {key: []}, key),
                (endpoint, {key: {"id": "x", "properties": properties}}, f"{key}.type"),
                (endpoint, {key: {**full, "type": 7}}, f"{key}.type"),
                (endpoint, {key: {**full, "type": ""}}, f"{key}.type"),
                (endpoint, {key: {**full, "properties": "x"}}, f"{key}.properties"),
            ]
            if has_id:
                broken += [
                    (endpoint, {key: {"type": full["type"]}}, f"{key}.id"),
                    (endpoint, {key: {**full, "id": 7}}, f"{key}.id"),
                    (endpoint, {key: {**full, "id": "\ud800"}}, f"{key}.id"),
                ]
        if named[2]:
            broken += [
                (endpoint, {"action": None}, "action"),
                (endpoint, {"action": "share"}, "action"),
                (endpoint, {"action": {}}, "action.name"),
                (endpoint, {"action": {**DELIVERY, "name": 7}}, "action.name"),
            ]
        broken += [
            (endpoint, {"context": "now"}, "context"),
            (endpoint, {"context": {**CIRCUMSTANCES, "relation": 4711}}, "context.relation"),
            (endpoint, {"context": {**CIRCUMSTANCES, "signed_in": "yes"}}, "context.signed_in"),
        ]
    for endpoint, change, field in broken:
        body = wanted(sharing, endpoint, **change)
        answer = await client.post(endpoint, content=json.dumps(body), headers=_JSON)
        assert answer.status_code == 400, (endpoint, change)
        assert answer.json().startswith(f"{field}: "), (endpoint, change, answer.json())
    assert rows(sharing.url, "decisions") == 0


_JSON = {"content-type": "application/json"}


async def test_unknown_fields_are_passed_over_wherever_they_stand(
    sharing: Sharing, client: httpx.AsyncClient
) -> None:
    body = request(sharing)
    for key in ("subject", "action", "resource"):
        body[key] = {**body[key], "hue": "red"}
        body[key]["properties"] = {**body[key].get("properties", {}), "hue": ["red"]}
    body["context"] = {**body["context"], "ip": "192.168.1.1", "time": "2025-06-27T18:03-07:00"}
    answer = await client.post(EVALUATION, json={**body, "hue": None})
    assert (answer.status_code, answer.json()["decision"]) == (200, True)


# --- who calls ---------------------------------------------------------------------------------


async def test_only_apps_pass_by_certificate_or_by_token(
    sharing: Sharing, client: httpx.AsyncClient
) -> None:
    bearer = {"authorization": f"Bearer {TOKEN}"}
    knocks: list[tuple[str, dict[str, Any], int]] = [
        ("app/mi-store", {}, 200),
        ("app/mi-store", bearer, 200),
        ("", bearer, 200),
        ("", {"authorization": f"bearer  {TOKEN}"}, 200),
        ("", {}, 401),
        ("", {"authorization": "Bearer wrong"}, 401),
        ("", {"authorization": b"Bearer \xc4"}, 401),
        ("", {"authorization": "Bearer"}, 401),
        ("", {"authorization": f"Basic {TOKEN}"}, 401),
        ("app/mi-store", {"authorization": "Bearer wrong"}, 401),
        ("app/live-chat", bearer, 401),  # two who say to be one
        ("svc/portal", {}, 403),
        ("staff/officer/otto", {}, 403),
        ("app/live-chat", {}, 403),  # an app, which may not speak for mi_store
        ("nobody/at-all", {}, 401),
    ]
    for identity, headers, status in knocks:
        knocking = await tool(sharing, identity)
        for endpoint in ENDPOINTS:
            answer = await knocking.post(endpoint, json=wanted(sharing, endpoint), headers=headers)
            assert answer.status_code == status, (identity, headers, endpoint, answer.text)
            assert ("www-authenticate" in answer.headers) == (status == 401)
    recorded = await sharing.call(
        "decisions",
        "GetDecision",
        decision_service_pb2.GetDecisionRequest(
            name=(await client.post(EVALUATION, json=request(sharing))).json()["context"][
                "decision_id"
            ]
        ),
        as_="app/mi-store",
    )
    assert recorded.decision.asker == "mi-store"


async def test_headers_make_nobody_an_app(sharing: Sharing) -> None:
    stranger = await tool(sharing, "")
    for name in ("x-forwarded-client-cert", "x-client-cert", "forwarded", "accord.caller"):
        answer = await stranger.post(
            EVALUATION,
            json=request(sharing),
            headers={name: "URI=spiffe://nl.accord.internal/app/mi-store"},
        )
        assert answer.status_code == 401


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


# --- searches ----------------------------------------------------------------------------------


async def results(client: httpx.AsyncClient, endpoint: str, body: dict[str, Any]) -> Any:
    answer = await client.post(endpoint, json=body)
    assert answer.status_code == 200, answer.text
    found = answer.json()
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


async def test_a_search_comes_in_parts(sharing: Sharing, client: httpx.AsyncClient) -> None:
    for carrier in ("gls", "hermes"):
        await sharing.in_force(await sharing.register(carrier))
    body = request(sharing, subject={"type": "service_provider"})
    found, token = [], ""
    while True:
        page = {"limit": 2, "hue": "red"} | ({"token": token} if token else {})
        part = await results(client, SUBJECTS, {**body, "page": page})
        found += [each["id"] for each in part["results"]]
        token = part["page"]["next_token"]
        if not token:
            break
        for change in (
            {"page": {"limit": 3, "token": token}},
            {"page": {"limit": 2, "token": token[:-4]}},
            {"page": {"limit": 2, "token": token}, "subject": {"type": "affiliate"}},
            {"page": {"limit": 2, "token": token}, "context": {"service": "mi_store"}},
        ):
            assert (await client.post(SUBJECTS, json={**body, **change})).status_code == 400
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


# --- metadata and certificates -----------------------------------------------------------------


async def test_metadata_is_for_everybody_and_signed(sharing: Sharing) -> None:
    stranger = await tool(sharing, "")
    answer = await stranger.get(METADATA)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    said = answer.json()
    origin = sharing.settings.tools_origin
    assert said["policy_decision_point"] == origin
    assert {value for key, value in said.items() if key.endswith("_endpoint")} == {
        f"{origin}{endpoint}" for endpoint in ENDPOINTS
    }
    claims = await _verified(sharing, said.pop("signed_metadata"))
    assert claims["iss"] == origin
    assert {key: claims[key] for key in said} == said
    assert "signed_metadata" not in claims
    assert (await stranger.post(METADATA, json={})).status_code == 405


async def _verified(sharing: Sharing, token: str) -> dict[str, Any]:
    from accord.sharing.v1 import key_service_pb2  # noqa: PLC0415  used here alone
    from joserfc import jwt  # noqa: PLC0415  the same
    from joserfc.jwk import KeySet  # noqa: PLC0415  the same

    answer = await sharing.call(
        "keys", "GetKeys", key_service_pb2.GetKeysRequest(), as_="app/mi-store"
    )
    keys = KeySet.import_key_set(json.loads(answer.jwks))
    return dict(jwt.decode(token, keys, algorithms=["ES256"]).claims)


async def test_a_renewed_certificate_and_a_new_root_are_taken_up(sharing: Sharing) -> None:
    import httpx  # noqa: PLC0415  a client of its own

    from runtime.authority import Authority  # noqa: PLC0415  the same

    bench, origin = sharing.bench, sharing.settings.tools_origin
    old = trusting(bench, "app/mi-store")
    other = Authority.create("nl.accord.internal")
    stem = bench.directory / "svc-sharing"
    bench.bundle.write_bytes(other.pem)
    other.issue("svc/sharing", dns=["sharing.nl.accord.internal"]).write(stem)
    new = trusting(bench, "app/mi-store", other)
    async with httpx.AsyncClient(verify=new, base_url=origin or "") as client:
        assert (await client.get(METADATA)).status_code == 200
    old.load_verify_locations(bench.bundle)  # it trusts the new root, which does not know it
    async with httpx.AsyncClient(verify=old, base_url=origin or "") as client:
        with pytest.raises(httpx.TransportError):
            await client.get(METADATA)


async def test_tokens_follow_their_file(sharing: Sharing, tmp_path: Path) -> None:
    await delivering(sharing)
    client = await tool(sharing, "", authorization=f"Bearer {TOKEN}")
    assert (await client.post(EVALUATION, json=request(sharing))).status_code == 200
    tokens = tmp_path / "tokens"
    kept = tokens.read_text()
    for broken in ("", "what is this", kept.replace("mi-store", "mi-stork")):
        tokens.write_text(broken)
        assert (await client.post(EVALUATION, json=request(sharing))).status_code == 401, broken
    tokens.write_text(kept)
    assert (await client.post(EVALUATION, json=request(sharing))).status_code == 200
    tokens.chmod(0o604)
    tokens.write_text(kept)
    assert (await client.post(EVALUATION, json=request(sharing))).status_code == 401
