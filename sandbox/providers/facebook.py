"""Facebook's wire: OAuth 2.0 with its dialog, a GET for the token, and the Graph.

Shapes follow developers.facebook.com/docs/facebook-login/guides/advanced/manual-flow and
docs/graph-api/securing-requests. Quirks kept: no id_token, no email_verified, an email that may be
missing, ids scoped to the app, fields that must be asked for by name, `#_=_` after the way back.
"""

import hashlib
import hmac
from collections.abc import Callable

from authlib.common.urls import add_params_to_uri
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from sandbox.providers.grants import Client, Grant, Grants
from sandbox.providers.pages import Choice, picker, refusal
from sandbox.providers.people import FacebookAccount, People, Person

_PREFIX = "/facebook"
_NAME = "Facebook"
_VERSION = "/{version:str}"
_TOKEN_SECONDS = 5_184_000  # sixty days


class Facebook:
    """One app at `<origin>/facebook`, with "Require App Secret" switched on."""

    def __init__(
        self, origin: str, client: Client, people: People, now: Callable[[], float]
    ) -> None:
        self._origin = origin
        self._client = client
        self._people = people
        self._grants = Grants(now)
        self._now = now

    def routes(self) -> list[Route]:
        """Return the endpoints; every one lives under a version such as `v21.0`."""
        graph = _PREFIX + _VERSION
        return [
            Route(graph + "/dialog/oauth", self._dialog, methods=["GET", "POST"]),
            Route(graph + "/oauth/access_token", self._access_token),
            Route(graph + "/me", self._me),
            Route(graph + "/debug_token", self._debug_token),
            Route(graph + "/{user_id:str}/permissions", self._permissions, methods=["DELETE"]),
        ]

    async def _dialog(self, request: Request) -> Response:
        query = request.query_params
        redirect_uri = query.get("redirect_uri", "")
        if query.get("client_id") != self._client.client_id:
            return refusal(_NAME, "Invalid App ID: the app does not exist.")
        if redirect_uri not in self._client.redirect_uris:
            return refusal(_NAME, "URL blocked: the address to return to is not in the settings.")
        if query.get("response_type", "code") != "code":
            return refusal(_NAME, "Only the code flow is supported.")
        scopes = frozenset(query.get("scope", "public_profile").replace(",", " ").split())
        if request.method == "GET":
            choices = [
                Choice(person, facebook.email or "no email address")
                for person, facebook in self._people.at_facebook()
            ]
            wants = ["your name and picture"]
            wants += ["your email address"] if "email" in scopes else []
            return picker(
                request, _NAME, "Accord", choices, wants, may_withhold_email="email" in scopes
            )
        form = await request.form()
        person = self._people.find(str(form.get("person", "")))
        state = query.get("state", "")
        if "cancel" in form or person is None or person.facebook is None:
            return _back(
                redirect_uri,
                error="access_denied",
                error_code="200",
                error_description="Permissions error",
                error_reason="user_denied",
                state=state,
            )
        if form.get("email") != "yes":
            scopes -= {"email"}
        code = self._grants.code(
            Grant(
                person=person.key,
                client_id=self._client.client_id,
                redirect_uri=redirect_uri,
                scopes=scopes,
            )
        )
        return _back(redirect_uri, code=code, state=state)

    async def _access_token(self, request: Request) -> Response:
        query = request.query_params
        if query.get("client_id") != self._client.client_id:
            return _error(101, "Error validating application.")
        if not _same(query.get("client_secret", ""), self._client.secret):
            return _error(1, "Error validating client secret.")
        grant = self._grants.redeem(query.get("code", ""))
        if grant is None:
            return _error(100, "This authorization code has been used or has expired.")
        if grant.redirect_uri != query.get("redirect_uri"):
            return _error(100, "Error validating verification code.")
        return JSONResponse(
            {
                "access_token": self._grants.token(grant, _TOKEN_SECONDS),
                "token_type": "bearer",
                "expires_in": _TOKEN_SECONDS,
            },
            headers={"Cache-Control": "no-store"},
        )

    async def _me(self, request: Request) -> Response:
        bearer = self._bearer(request)
        if isinstance(bearer, Response):
            return bearer
        grant, person, facebook = bearer
        asked = request.query_params.get("fields", "id,name").split(",")
        everything: dict[str, object] = {
            "id": facebook.id,
            "name": person.name,
            "first_name": person.given_name,
            "last_name": person.family_name,
            "picture": {
                "data": {
                    "height": 50,
                    "is_silhouette": False,
                    "url": f"{self._origin}/people/{person.key}.svg",
                    "width": 50,
                }
            },
        }
        if facebook.email and "email" in grant.scopes:
            everything["email"] = facebook.email
        return JSONResponse(
            {"id": facebook.id} | {key: everything[key] for key in asked if key in everything}
        )

    async def _debug_token(self, request: Request) -> Response:
        query = request.query_params
        if not _same(
            query.get("access_token", ""), f"{self._client.client_id}|{self._client.secret}"
        ):
            return _error(190, "Invalid OAuth access token.")
        grant = self._grants.holder(query.get("input_token", ""))
        person = self._people.find(grant.person) if grant else None
        if grant is None or person is None or person.facebook is None:
            return JSONResponse({"data": {"is_valid": False, "scopes": []}})
        return JSONResponse(
            {
                "data": {
                    "app_id": grant.client_id,
                    "type": "USER",
                    "is_valid": True,
                    "expires_at": int(self._now()) + _TOKEN_SECONDS,
                    "scopes": sorted(grant.scopes),
                    "user_id": person.facebook.id,
                }
            }
        )

    async def _permissions(self, request: Request) -> Response:
        bearer = self._bearer(request)
        if isinstance(bearer, Response):
            return bearer
        grant, person, facebook = bearer
        if request.path_params["user_id"] not in {facebook.id, "me"}:
            return _error(100, "Unsupported delete request.")
        self._grants.revoke_person(person.key, grant.client_id)
        return JSONResponse({"success": True})

    def _bearer(self, request: Request) -> tuple[Grant, Person, FacebookAccount] | Response:
        """Find who an access token stands for; it must come with its appsecret_proof."""
        token = request.query_params.get("access_token", "")
        grant = self._grants.holder(token)
        person = self._people.find(grant.person) if grant else None
        if grant is None or person is None or person.facebook is None:
            return _error(190, "Invalid OAuth access token.", status=401)
        proof = hmac.new(self._client.secret.encode(), token.encode(), hashlib.sha256).hexdigest()
        if not _same(request.query_params.get("appsecret_proof", ""), proof):
            return _error(100, "Invalid appsecret_proof provided in the API argument")
        return grant, person, person.facebook


def _back(redirect_uri: str, **answer: str) -> Response:
    target = add_params_to_uri(redirect_uri, list(answer.items())) + "#_=_"
    return RedirectResponse(target, status_code=302, headers={"Cache-Control": "no-store"})


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())


def _error(code: int, message: str, status: int = 400) -> Response:
    error = {"message": message, "type": "OAuthException", "code": code}
    return JSONResponse({"error": error}, status_code=status)
