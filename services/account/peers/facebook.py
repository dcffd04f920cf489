"""Facebook: OAuth 2.0 with a Graph behind it, no id_token, an email that may be missing.

Login dialog, token exchange and appsecret_proof as in Meta's "Manually build a login flow" and
"Securing Graph API requests". The flow is bound by state and browser; that the token is ours is
asked of debug_token, since a token of another app would name the same kind of subject.
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import timedelta

from authlib.common.urls import add_params_to_uri

from runtime.clock import Clock
from services.account.domain import faults
from services.account.domain.flow import Parameters
from services.account.domain.profile import Field, Identity, ProviderTokens, Value, sane
from services.account.domain.provider import Provider
from services.account.peers.http import Endpoint, Refused

_FIELDS = "id,name,email,picture"
_MAX_ID = 64
_MAX_TOKEN = 4096


@dataclass(frozen=True, slots=True)
class FacebookApp:
    """Our app: where the dialog and the Graph are, and under which version we speak to them.

    A call without a version gets the oldest that the app may use, so the version is always said.
    """

    app_id: str
    app_secret: str
    dialog: str
    graph: str
    version: str

    def __repr__(self) -> str:
        return f"FacebookApp({self.app_id})"


class FacebookProvider:
    """`domain.ports.IdentityProvider` for Facebook."""

    def __init__(
        self, provider: Provider, app: FacebookApp, endpoint: Endpoint, clock: Clock
    ) -> None:
        self.provider = provider
        self._app = app
        self._endpoint = endpoint
        self._clock = clock
        self._graph = f"{app.graph}/{app.version}"

    async def authorization_url(self, parameters: Parameters, redirect: str, language: str) -> str:
        """Return the dialog's address."""
        return str(
            add_params_to_uri(
                f"{self._app.dialog}/{self._app.version}/dialog/oauth",
                [
                    ("client_id", self._app.app_id),
                    ("redirect_uri", redirect),
                    ("response_type", "code"),
                    ("scope", "public_profile,email"),
                    ("state", parameters.state),
                    ("locale", "zh_TW" if language == "zh-Hant" else "en_US"),
                ],
            )
        )

    async def prove(
        self,
        code: str,
        parameters: Parameters,  # noqa: ARG002  Facebook knows neither nonce nor PKCE here
        redirect: str,
        iss: str | None,
    ) -> Identity:
        """Redeem a code, make sure that the token is for us, and ask who it speaks of."""
        if iss is not None and iss != self.provider.issuer:
            raise faults.flow_mismatch("iss")
        try:
            tokens = await self._redeem(code, redirect)
            user_id = await self._owner(tokens.access)
            profile = await self._profile(tokens.access)
        except Refused:
            raise faults.proof_refused(self.provider.key) from None
        if profile.get("id") != user_id:
            raise faults.proof_refused(self.provider.key)
        return Identity(
            provider=self.provider.key,
            issuer=self.provider.issuer,
            subject=user_id,
            values=_values(profile),
            tokens=tokens,
        )

    async def _redeem(self, code: str, redirect: str) -> ProviderTokens:
        answer, _ = await self._endpoint.json(
            "GET",
            f"{self._graph}/oauth/access_token",
            query={
                "client_id": self._app.app_id,
                "client_secret": self._app.app_secret,
                "redirect_uri": redirect,
                "code": code,
            },
        )
        access, seconds = answer.get("access_token"), answer.get("expires_in")
        if not isinstance(access, str) or not 0 < len(access) <= _MAX_TOKEN:
            raise Refused
        expires = None
        if isinstance(seconds, int) and 0 < seconds < 10**9:
            expires = self._clock.now() + timedelta(seconds=seconds)
        return ProviderTokens(access, None, expires)

    async def _owner(self, token: str) -> str:
        """Return whom a token stands for, once it is known to be valid and issued to our app."""
        answer, _ = await self._endpoint.json(
            "GET",
            f"{self._graph}/debug_token",
            query={
                "input_token": token,
                "access_token": f"{self._app.app_id}|{self._app.app_secret}",
            },
        )
        data = answer.get("data")
        if not isinstance(data, dict) or data.get("is_valid") is not True:
            raise Refused
        user_id = data.get("user_id")
        if str(data.get("app_id")) != self._app.app_id or not isinstance(user_id, str):
            raise Refused
        if not 0 < len(user_id) <= _MAX_ID:
            raise Refused
        return user_id

    async def _profile(self, token: str) -> dict[str, object]:
        key = self._app.app_secret.encode()
        proof = hmac.new(key, token.encode(), hashlib.sha256).hexdigest()
        answer, _ = await self._endpoint.json(
            "GET",
            f"{self._graph}/me",
            query={"fields": _FIELDS, "access_token": token, "appsecret_proof": proof},
        )
        return answer


def _values(profile: dict[str, object]) -> tuple[Value, ...]:
    """Read the profile; Facebook never says that an email is verified, so it is not."""
    picture = profile.get("picture")
    data = picture.get("data") if isinstance(picture, dict) else None
    return (
        *sane(Field.NICKNAME, profile.get("name"), verified=False),
        *sane(Field.PICTURE, data.get("url") if isinstance(data, dict) else None, verified=False),
        *sane(Field.EMAIL, profile.get("email"), verified=False),
    )
