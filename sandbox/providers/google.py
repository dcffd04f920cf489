"""Google's wire: OpenID Connect with discovery, PKCE and its quirks.

Paths, claims and quirks are those of developers.google.com/identity/openid-connect/reference,
under one prefix: discovery, authorize, token, JWKS, userinfo, revoke. PKCE S256 is required here,
so that a client that forgets it is found out.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Callable
from urllib.parse import unquote_plus

from authlib.common.urls import add_params_to_uri
from joserfc.jwk import RSAKey
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from sandbox.providers.grants import TOKEN_SECONDS, Client, Grant, Grants, s256
from sandbox.providers.lies import base64url, bend, sign
from sandbox.providers.pages import Choice, picker, refusal
from sandbox.providers.people import GoogleAccount, People, Person

_PREFIX = "/google"
_NAME = "Google"
_KEY_SECONDS = 21_600
_WANTS = {
    "profile": "your name and picture",
    "email": "your email address",
    "openid": "who you are at Google",
}
_MONTHS_6 = 15_552_000.0
_NONE: frozenset[str] = frozenset()


class Google:
    """One issuer, `<origin>/google`, with one client."""

    def __init__(
        self, origin: str, client: Client, people: People, now: Callable[[], float]
    ) -> None:
        self.issuer = origin + _PREFIX
        self._origin = origin
        self._client = client
        self._people = people
        self._now = now
        self._grants = Grants(now)
        kid = secrets.token_hex(20)
        self._key = RSAKey.generate_key(2048, {"kid": kid, "use": "sig"})
        self._foreign_key = RSAKey.generate_key(2048, {"kid": kid})

    def routes(self) -> list[Route]:
        """Return the endpoints."""
        return [
            Route(_PREFIX + "/.well-known/openid-configuration", self._discovery),
            Route(_PREFIX + "/o/oauth2/v2/auth", self._authorize, methods=["GET", "POST"]),
            Route(_PREFIX + "/token", self._token, methods=["POST"]),
            Route(_PREFIX + "/oauth2/v3/certs", self._certs),
            Route(_PREFIX + "/v1/userinfo", self._userinfo),
            Route(_PREFIX + "/revoke", self._revoke, methods=["POST"]),
        ]

    async def _discovery(self, _request: Request) -> Response:
        return JSONResponse(
            {
                "issuer": self.issuer,
                "authorization_endpoint": self.issuer + "/o/oauth2/v2/auth",
                "token_endpoint": self.issuer + "/token",
                "userinfo_endpoint": self.issuer + "/v1/userinfo",
                "revocation_endpoint": self.issuer + "/revoke",
                "jwks_uri": self.issuer + "/oauth2/v3/certs",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "scopes_supported": ["openid", "email", "profile"],
                "token_endpoint_auth_methods_supported": [
                    "client_secret_post",
                    "client_secret_basic",
                ],
                "code_challenge_methods_supported": ["S256"],
                "authorization_response_iss_parameter_supported": True,
            },
            headers={"Cache-Control": "public, max-age=3600"},
        )

    async def _certs(self, _request: Request) -> Response:
        return JSONResponse(
            {"keys": [{**self._key.as_dict(private=False), "alg": "RS256"}]},
            headers={"Cache-Control": f"public, max-age={_KEY_SECONDS}, must-revalidate"},
        )

    async def _authorize(self, request: Request) -> Response:
        query = request.query_params
        if query.get("client_id") != self._client.client_id:
            return refusal(_NAME, "The client is not registered here (invalid_client).")
        redirect_uri = query.get("redirect_uri", "")
        if redirect_uri not in self._client.redirect_uris:
            return refusal(_NAME, "The address to return to is not registered for this client.")
        scopes = frozenset(query.get("scope", "").split())
        with_pkce = query.get("code_challenge") and query.get("code_challenge_method") == "S256"
        if query.get("response_type") != "code" or "openid" not in scopes or not with_pkce:
            return self._back(query.get("state"), redirect_uri, error="invalid_request")
        if request.method == "GET":
            choices = [Choice(person, google.email) for person, google in self._people.at_google()]
            wants = [text for scope, text in _WANTS.items() if scope in scopes]
            return picker(request, _NAME, "Accord", choices, wants)
        form = await request.form()
        person = self._people.find(str(form.get("person", "")))
        if "cancel" in form or person is None or person.google is None:
            return self._back(query.get("state"), redirect_uri, error="access_denied")
        code = self._grants.code(
            Grant(
                person=person.key,
                client_id=self._client.client_id,
                redirect_uri=redirect_uri,
                scopes=scopes,
                challenge=query["code_challenge"],
                nonce=query.get("nonce", ""),
                offline=query.get("access_type") == "offline",
            )
        )
        return self._back(query.get("state"), redirect_uri, code=code)

    def _back(self, state: str | None, redirect_uri: str, **answer: str) -> Response:
        """Return to the client; `iss` goes with success and error alike (RFC 9207 §2)."""
        parameters = {**({"state": state} if state else {}), **answer, "iss": self.issuer}
        target = add_params_to_uri(redirect_uri, list(parameters.items()))
        return RedirectResponse(target, status_code=303, headers={"Cache-Control": "no-store"})

    async def _token(self, request: Request) -> Response:
        form = {key: str(value) for key, value in (await request.form()).items()}
        if not self._knows_client(request, form):
            return _error("invalid_client", 401)
        if form.get("grant_type") != "authorization_code":
            return _error("unsupported_grant_type")
        grant = self._grants.redeem(form.get("code", ""))
        if grant is None or grant.redirect_uri != form.get("redirect_uri"):
            return _error("invalid_grant")
        if not hmac.compare_digest(s256(form.get("code_verifier", "")), grant.challenge):
            return _error("invalid_grant")
        person = self._people.find(grant.person)
        if person is None or person.google is None:
            return _error("invalid_grant")
        access_token = self._grants.token(grant)
        answer = {
            "access_token": access_token,
            "expires_in": TOKEN_SECONDS,
            "id_token": self._id_token(person, person.google, grant, access_token),
            "scope": " ".join(sorted(grant.scopes)),
            "token_type": "Bearer",
        }
        if grant.offline:
            answer["refresh_token"] = self._grants.token(grant, _MONTHS_6)
        return JSONResponse(answer, headers={"Cache-Control": "no-store"})

    def _knows_client(self, request: Request, form: dict[str, str]) -> bool:
        """Accept the client's secret in the body or, form-encoded, in Basic (RFC 6749 §2.3.1)."""
        client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            try:
                decoded = base64.b64decode(credentials, validate=True).decode()
            except (binascii.Error, UnicodeDecodeError):
                return False
            client_id, _, secret = (unquote_plus(part) for part in decoded.partition(":"))
        return client_id == self._client.client_id and hmac.compare_digest(
            secret.encode(), self._client.secret.encode()
        )

    def _id_token(
        self, person: Person, google: GoogleAccount, grant: Grant, access_token: str
    ) -> str:
        now = int(self._now())
        half = hashlib.sha256(access_token.encode()).digest()[:16]
        claims: dict[str, object] = {
            "iss": self.issuer.removeprefix("https://") if google.quirk else self.issuer,
            "azp": self._client.client_id,
            "aud": self._client.client_id,
            "iat": now,
            "exp": now + 3600,
            "at_hash": base64url(half),
            # Whoever has two faces shows the second at userinfo, so the id_token leaves it to that.
            **self._claims(person, google, grant.scopes if google.lie != "userinfo" else _NONE),
        }
        if grant.nonce:
            claims["nonce"] = grant.nonce
        return sign(bend(claims, google.lie, now), google.lie, self._key, self._foreign_key)

    def _claims(
        self, person: Person, google: GoogleAccount, scopes: frozenset[str]
    ) -> dict[str, object]:
        claims: dict[str, object] = {"sub": google.sub}
        if google.hd:
            claims["hd"] = google.hd
        if "email" in scopes:
            claims |= {"email": google.email, "email_verified": google.email_verified}
        if "profile" in scopes:
            claims |= {
                "name": person.name,
                "given_name": person.given_name,
                "family_name": person.family_name,
                "picture": f"{self._origin}/people/{person.key}.svg",
            }
        return claims

    async def _userinfo(self, request: Request) -> Response:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        grant = self._grants.holder(token) if scheme.lower() == "bearer" else None
        person = self._people.find(grant.person) if grant else None
        if grant is None or person is None or person.google is None:
            return JSONResponse(
                {"error": "invalid_token"},
                status_code=401,
                headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
            )
        claims = self._claims(person, person.google, grant.scopes)
        if person.google.lie == "userinfo":
            claims["sub"] = "0"
        return JSONResponse(claims, headers={"Cache-Control": "no-store"})

    async def _revoke(self, request: Request) -> Response:
        form = await request.form()
        token = str(form.get("token") or request.query_params.get("token", ""))
        return JSONResponse({}) if self._grants.revoke(token) else _error("invalid_token")


def _error(code: str, status: int = 400) -> Response:
    return JSONResponse({"error": code}, status_code=status, headers={"Cache-Control": "no-store"})
