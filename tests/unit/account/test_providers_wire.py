"""What account makes of providers that are away, odd or hostile on their own wire."""

import asyncio
import hashlib
import hmac
from collections.abc import Callable

import httpx
import pytest
from joserfc.jwk import ECKey

from runtime.clock import SettableClock
from runtime.fault import Fault
from runtime.testing import NOON
from services.account.domain.flow import Parameters
from services.account.domain.profile import Field
from services.account.domain.provider import Provider
from services.account.peers.discovery import Discovery
from services.account.peers.facebook import FacebookApp, FacebookProvider
from services.account.peers.http import Endpoint, Refused

ISSUER = "https://id.example"
GRAPH = "https://graph.facebook.com"
HOSTS = frozenset({"id.example"})
DOCUMENT = {
    "issuer": ISSUER,
    "authorization_endpoint": ISSUER + "/authorize",
    "token_endpoint": ISSUER + "/token",
    "jwks_uri": ISSUER + "/keys",
}
PARAMETERS = Parameters("state", "nonce", "verifier")
CALLBACK = "https://localhost:8443/callback/facebook"

Handler = Callable[[httpx.Request], httpx.Response]


def endpoint(handler: Handler) -> Endpoint:
    return Endpoint(httpx.AsyncClient(transport=httpx.MockTransport(handler)), "google")


def answers(value: object, status: int = 200) -> Handler:
    return lambda _request: httpx.Response(status, json=value)


def away(_request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("no route to https://id.example/?code=secret")


def slow(_request: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("nothing came")


@pytest.mark.parametrize(
    "handler",
    [
        away,
        slow,
        answers({}, 500),
        answers({}, 503),
        answers({}, 429),
        answers({}, 302),
        answers(["no object"]),
        lambda _: httpx.Response(200, content=b"<html>"),
        lambda _: httpx.Response(200, content=b"\xff" * 10),
        lambda _: httpx.Response(200, content=b" " * (257 << 10)),
    ],
)
async def test_a_provider_that_does_not_answer_sensibly_is_unavailable(handler: Handler) -> None:
    with pytest.raises(Fault) as refused:
        await endpoint(handler).json("GET", ISSUER)
    assert refused.value.reason == "PROVIDER_UNAVAILABLE"
    assert refused.value.retry_after is not None
    assert "secret" not in str(refused.value)
    assert refused.value.__cause__ is None


async def test_a_no_of_the_provider_is_no_outage() -> None:
    with pytest.raises(Refused):
        await endpoint(answers({"error": "invalid_grant"}, 400)).json("GET", ISSUER)


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": "https://id.evil.example"},
        {"issuer": None},
        {"token_endpoint": "https://id.evil.example/token"},
        {"token_endpoint": "http://id.example/token"},
        {"token_endpoint": "https://id.example@evil.example/token"},
        {"token_endpoint": "https://id.example:444/token"},
        {"jwks_uri": None},
        {"authorization_endpoint": ["https://id.example/authorize"]},
        {"userinfo_endpoint": "https://169.254.169.254/latest"},
    ],
)
async def test_a_discovery_document_is_believed_about_its_own_issuer_and_hosts_alone(
    change: dict[str, object],
) -> None:
    discovery = Discovery(endpoint(answers(DOCUMENT | change)), "google", ISSUER, HOSTS)
    with pytest.raises(Fault) as refused:
        await discovery.metadata()
    assert refused.value.reason == "PROVIDER_UNAVAILABLE"


async def test_discovery_and_keys_are_kept_and_asked_again_for_an_unknown_key() -> None:
    asked: list[str] = []
    key = ECKey.generate_key("P-256", {"kid": "1"}).as_dict(private=False)

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        document = {"keys": [key, {"kty": "oct", "k": "AAAA"}]} if "keys" in asked[-1] else DOCUMENT
        return httpx.Response(200, json=document, headers={"Cache-Control": "max-age=600"})

    discovery = Discovery(endpoint(handler), "google", ISSUER, HOSTS)
    for _ in range(3):
        await discovery.metadata()
        keys = await discovery.keys("1")
        assert [key.kid for key in keys.keys] == ["1"]  # a symmetric key is no key of a provider
    assert asked == ["/.well-known/openid-configuration", "/keys"]
    await discovery.keys("made up")
    assert len(asked) == 2  # asked moments ago: a made-up key id cannot make us hammer


def facebook(handler: Handler) -> FacebookProvider:
    provider = Provider("facebook", "Facebook", "https://www.facebook.com", (), None, frozenset())
    app = FacebookApp(
        "1", "s3cret", "https://www.facebook.com", "https://graph.facebook.com", "v21.0"
    )
    return FacebookProvider(provider, app, endpoint(handler), SettableClock(NOON))


def graph(**changes: object) -> Handler:
    """Answer as the Graph does, with changes to debug_token or me."""

    def handler(request: httpx.Request) -> httpx.Response:
        assert request.url.path.startswith("/v21.0/")
        query = request.url.params
        match request.url.path.rsplit("/", 1)[1]:
            case "access_token":
                assert query["redirect_uri"] == CALLBACK
                return httpx.Response(200, json={"access_token": "t", "expires_in": 60})
            case "debug_token":
                assert (query["input_token"], query["access_token"]) == ("t", "1|s3cret")
                data = {"app_id": "1", "user_id": "9", "is_valid": True}
                return httpx.Response(200, json={"data": data | changes})
            case _:
                proof = hmac.new(b"s3cret", b"t", hashlib.sha256).hexdigest()
                assert query["appsecret_proof"] == proof
                me = {"id": changes.get("me", "9"), "name": "Anna", "email": "anna@post.example"}
                return httpx.Response(200, json=me)

    return handler


async def test_facebook_proves_with_appsecret_proof_and_verifies_no_email() -> None:
    identity = await facebook(graph()).prove("code", PARAMETERS, CALLBACK, None)
    assert (identity.issuer, identity.subject) == ("https://www.facebook.com", "9")
    assert [(v.field, v.verified) for v in identity.values] == [
        (Field.NICKNAME, False),
        (Field.EMAIL, False),
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"app_id": "2"},  # a token of another app: whoever runs that one could replay it here
        {"is_valid": False},
        {"user_id": None},
        {"user_id": "8"},
        {"me": "8"},
    ],
)
async def test_facebook_tokens_that_are_not_ours_or_not_theirs_are_refused(
    change: dict[str, object],
) -> None:
    with pytest.raises(Fault) as refused:
        await facebook(graph(**change)).prove("code", PARAMETERS, CALLBACK, None)
    assert refused.value.reason == "PROOF_REFUSED"


async def test_facebook_that_names_another_issuer_is_a_mix_up() -> None:
    with pytest.raises(Fault) as refused:
        await facebook(graph()).prove("code", PARAMETERS, CALLBACK, "https://accounts.google.com")
    assert refused.value.reason == "FLOW_MISMATCH"


async def test_however_many_ask_at_once_the_provider_is_asked_once() -> None:
    asked: list[str] = []
    key = ECKey.generate_key("P-256", {"kid": "1"}).as_dict(private=False)

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(200, json=DOCUMENT | {"keys": [key]})

    discovery = Discovery(endpoint(handler), "google", ISSUER, HOSTS)
    await asyncio.gather(*(discovery.keys("1") for _ in range(20)))
    assert asked == ["/.well-known/openid-configuration", "/keys"]
