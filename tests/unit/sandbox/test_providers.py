"""The sandbox is as strict as the providers it stands for; a client that errs is found out."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from sandbox.providers.app import FACEBOOK_APP_ID, GOOGLE_CLIENT_ID, application
from sandbox.providers.grants import CODE_SECONDS, s256
from sandbox.providers.people import People

ORIGIN = "https://localhost:9443"
PORTAL = "https://localhost:8443"
GOOGLE_SECRET = "sandbox-google-client-secret"
FACEBOOK_SECRET = "sandbox-facebook-app-secret"
VERIFIER = secrets.token_urlsafe(32)


class World:
    """The sandbox in this process, with a clock that can be moved."""

    def __init__(self) -> None:
        self.time = 1_780_000_000.0
        app = application(ORIGIN, [PORTAL], now=lambda: self.time)
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=ORIGIN)

    async def google_code(self, person: str = "anna", **changes: str) -> dict[str, str]:
        query = {
            "client_id": GOOGLE_CLIENT_ID,
            "redirect_uri": f"{PORTAL}/callback/google",
            "response_type": "code",
            "scope": "openid profile email",
            "state": "s",
            "nonce": "n",
            "code_challenge": s256(VERIFIER),
            "code_challenge_method": "S256",
        } | changes
        answer = await self.http.post(
            "/google/o/oauth2/v2/auth", params=query, data={"person": person}
        )
        return {k: v[0] for k, v in parse_qs(urlsplit(answer.headers["location"]).query).items()}

    async def google_token(self, code: str, **changes: str) -> httpx.Response:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": f"{PORTAL}/callback/google",
            "client_id": GOOGLE_CLIENT_ID,
            "client_secret": GOOGLE_SECRET,
            "code_verifier": VERIFIER,
        } | changes
        return await self.http.post("/google/token", data=form)

    async def facebook_token(self, person: str, **form: str) -> str:
        redirect = f"{PORTAL}/callback/facebook"
        query = {"client_id": FACEBOOK_APP_ID, "redirect_uri": redirect, "scope": "email"}
        answer = await self.http.post(
            "/facebook/v21.0/dialog/oauth", params=query, data={"person": person} | form
        )
        assert answer.headers["location"].endswith("#_=_")
        code = parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]
        exchange = {
            "client_id": FACEBOOK_APP_ID,
            "client_secret": FACEBOOK_SECRET,
            "redirect_uri": redirect,
            "code": code,
        }
        token = await self.http.get("/facebook/v21.0/oauth/access_token", params=exchange)
        again = await self.http.get("/facebook/v21.0/oauth/access_token", params=exchange)
        assert again.status_code == httpx.codes.BAD_REQUEST
        return str(token.json()["access_token"])

    async def me(self, token: str, secret: str = FACEBOOK_SECRET) -> httpx.Response:
        proof = hmac.new(secret.encode(), token.encode(), hashlib.sha256).hexdigest()
        query = {"fields": "id,name,email,picture", "access_token": token, "appsecret_proof": proof}
        return await self.http.get("/facebook/v21.0/me", params=query)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    yield made
    await made.http.aclose()


async def test_google_proves_a_person_to_a_client_that_does_all_right(world: World) -> None:
    answer = await world.google_code()
    assert (answer["state"], answer["iss"]) == ("s", f"{ORIGIN}/google")
    tokens = (await world.google_token(answer["code"])).json()
    keys = KeySet.import_key_set((await world.http.get("/google/oauth2/v3/certs")).json())
    claims = jwt.decode(tokens["id_token"], keys, algorithms=["RS256"]).claims
    assert (claims["iss"], claims["aud"], claims["nonce"]) == (
        f"{ORIGIN}/google",
        GOOGLE_CLIENT_ID,
        "n",
    )
    assert "refresh_token" not in tokens
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    userinfo = await world.http.get("/google/v1/userinfo", headers=bearer)
    assert userinfo.json()["sub"] == claims["sub"]
    await world.http.post("/google/revoke", data={"token": tokens["access_token"]})
    after = await world.http.get("/google/v1/userinfo", headers=bearer)
    assert after.status_code == httpx.codes.UNAUTHORIZED


async def test_google_gives_a_refresh_token_only_for_offline_access(world: World) -> None:
    answer = await world.google_code(access_type="offline")
    assert "refresh_token" in (await world.google_token(answer["code"])).json()


async def test_a_client_may_show_its_secret_in_basic(world: World) -> None:
    answer = await world.google_code()
    basic = base64.b64encode(f"{GOOGLE_CLIENT_ID}:{GOOGLE_SECRET}".encode()).decode()
    form = {
        "grant_type": "authorization_code",
        "code": answer["code"],
        "redirect_uri": f"{PORTAL}/callback/google",
        "code_verifier": VERIFIER,
    }
    tokens = await world.http.post(
        "/google/token", data=form, headers={"Authorization": f"Basic {basic}"}
    )
    assert tokens.status_code == httpx.codes.OK


@pytest.mark.parametrize(
    "changes",
    [
        {"code_verifier": "x" * 43},
        {"code_verifier": ""},
        {"redirect_uri": f"{PORTAL}/elsewhere"},
        {"code": "made up"},
        {"client_secret": "guess"},
        {"client_id": "someone else"},
        {"grant_type": "password"},
    ],
)
async def test_google_refuses_a_redemption_that_is_not_the_clients_own(
    world: World, changes: dict[str, str]
) -> None:
    answer = await world.google_code()
    refused = await world.google_token(**{"code": answer["code"]} | changes)
    assert refused.status_code in {400, 401}


async def test_a_code_is_good_once_and_for_a_minute(world: World) -> None:
    answer = await world.google_code()
    assert (await world.google_token(answer["code"])).status_code == httpx.codes.OK
    again = await world.google_token(answer["code"])
    assert again.json() == {"error": "invalid_grant"}
    late = await world.google_code()
    world.time += CODE_SECONDS
    assert (await world.google_token(late["code"])).json() == {"error": "invalid_grant"}


@pytest.mark.parametrize(
    "changes",
    [
        {"code_challenge": ""},
        {"code_challenge_method": "plain"},
        {"code_challenge_method": ""},
        {"response_type": "token"},
        {"scope": "email"},
    ],
)
async def test_google_wants_pkce_s256_and_openid(world: World, changes: dict[str, str]) -> None:
    answer = await world.google_code(**changes)
    assert (answer["error"], answer["iss"]) == ("invalid_request", f"{ORIGIN}/google")


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "nobody"},
        {"redirect_uri": "https://evil.example/callback"},
        {"redirect_uri": f"{PORTAL}/callback/google/"},
    ],
)
async def test_nobody_is_sent_to_an_address_that_is_not_registered(
    world: World, changes: dict[str, str]
) -> None:
    query = {"client_id": GOOGLE_CLIENT_ID, "redirect_uri": f"{PORTAL}/callback/google"} | changes
    for path in ("/google/o/oauth2/v2/auth", "/facebook/v21.0/dialog/oauth"):
        answer = await world.http.get(path, params=query)
        assert answer.status_code == httpx.codes.BAD_REQUEST
        assert "location" not in answer.headers


async def test_a_no_comes_back_as_a_no(world: World) -> None:
    assert (await world.google_code(person=""))["error"] == "access_denied"


async def test_facebook_wants_a_proof_of_the_app_with_each_call(world: World) -> None:
    token = await world.facebook_token("anna", email="yes")
    assert (await world.me(token)).json()["email"] == "anna.devries@post.example"
    assert (await world.me(token, secret="guess")).status_code == httpx.codes.BAD_REQUEST
    bare = await world.http.get("/facebook/v21.0/me", params={"access_token": token})
    assert bare.json()["error"]["code"] == 100


@pytest.mark.parametrize(("person", "form"), [("arjun", {"email": "yes"}), ("anna", {})])
async def test_facebook_may_have_no_email_to_give(
    world: World, person: str, form: dict[str, str]
) -> None:
    token = await world.facebook_token(person, **form)
    assert "email" not in (await world.me(token)).json()


async def test_facebook_forgets_a_person_who_takes_back_permission(world: World) -> None:
    token = await world.facebook_token("anna")
    debug = {"input_token": token, "access_token": f"{FACEBOOK_APP_ID}|{FACEBOOK_SECRET}"}
    asked = await world.http.get("/facebook/v21.0/debug_token", params=debug)
    assert asked.json()["data"]["app_id"] == FACEBOOK_APP_ID
    user = asked.json()["data"]["user_id"]
    proof = hmac.new(FACEBOOK_SECRET.encode(), token.encode(), hashlib.sha256).hexdigest()
    query = {"access_token": token, "appsecret_proof": proof}
    gone = await world.http.delete(f"/facebook/v21.0/{user}/permissions", params=query)
    assert gone.json() == {"success": True}
    asked = await world.http.get("/facebook/v21.0/debug_token", params=debug)
    assert asked.json()["data"]["is_valid"] is False


async def test_the_page_works_without_javascript_and_escapes_what_it_shows(world: World) -> None:
    query = {
        "client_id": GOOGLE_CLIENT_ID,
        "redirect_uri": f"{PORTAL}/callback/google",
        "response_type": "code",
        "scope": "openid email",
        "state": '"><script>alert(1)</script>',
        "code_challenge": s256(VERIFIER),
        "code_challenge_method": "S256",
    }
    page = await world.http.get("/google/o/oauth2/v2/auth", params=query)
    assert "<script" not in page.text
    assert "script-src" not in page.headers["content-security-policy"]
    assert "default-src 'none'" in page.headers["content-security-policy"]
    for person in People.load().at_google():
        assert person[0].name in page.text
    assert (await world.http.get("/people/anna.svg")).headers["content-type"] == "image/svg+xml"
    assert (await world.http.get("/people/nobody.svg")).status_code == httpx.codes.NOT_FOUND


def test_liars_are_met_only_by_those_who_ask_for_them() -> None:
    assert not any(google.lie for _, google in People.load().at_google())
    assert any(google.lie for _, google in People.load(hostile=True).at_google())
