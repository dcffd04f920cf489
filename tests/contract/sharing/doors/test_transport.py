"""AuthZEN over HTTPS: the protocol's rules, case by case, and what its words mean here."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from accord.sharing.v1 import decision_service_pb2

from tests.contract.sharing.conftest import Sharing, rows
from tests.contract.sharing.doors.conftest import (
    ACTIONS,
    CIRCUMSTANCES,
    DELIVERY,
    DHL,
    EVALUATION,
    EVALUATIONS,
    METADATA,
    RESOURCES,
    SUBJECTS,
    TOKEN,
    data,
    delivering,
    request,
    tool,
    trusting,
    wanted,
)

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

ENDPOINTS = (EVALUATION, EVALUATIONS, SUBJECTS, RESOURCES, ACTIONS)


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
            (raw, {"content-type": "application/json; charset=utf-16"}, 400),
            (raw, {"content-type": "text/plain"}, 400),
            (raw, {}, 400),
            (b"", kind, 400),
            (b"{", kind, 400),
            (b"\xff\xfe", kind, 400),
            (b"null", kind, 400),
            (b"[" + raw + b"]", kind, 400),
            (raw[:-1] + b', "hue": 1}', kind, 200),
            (raw[:-1] + b', "hue": 1, "hue": 2}', kind, 400),
            (raw[:-1] + b', "hue": NaN}', kind, 400),
            (raw[:-1] + b', "hue": 1.5e308}', kind, 200),
            (raw[:-1] + b', "hue": 1e309}', kind, 400),
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
    for path in ("/access/v1/other", f"{EVALUATION}/", f"{METADATA}/"):
        for method in ("GET", "POST"):
            answer = await client.request(method, path, content=raw, headers=kind)
            assert (answer.status_code, answer.json()) == (404, "Not Found"), path


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
        ("svc/mi-store", {}, 403),  # of the app's name, and no app
        ("staff/officer/mi-store", {}, 403),
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


# --- metadata and certificates -----------------------------------------------------------------


async def test_metadata_is_for_everybody_and_signed(sharing: Sharing) -> None:
    stranger = await tool(sharing, "")
    answer = await stranger.get(METADATA)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.headers["cache-control"] == "max-age=3600"
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
