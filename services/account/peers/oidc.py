"""A provider that speaks OpenID Connect: code flow with PKCE S256, nonce and RFC 9207 `iss`.

What `prove` has established when it returns, in this order; a failure of any is PROOF_REFUSED:

1. `iss` of the callback is the issuer's (RFC 9207), and is there if the issuer promised it;
2. the code was redeemed by us, with the verifier of this flow;
3. the id_token is signed with a key of the issuer, by an asymmetric algorithm that we allow;
4. it is of this issuer, for us alone, of now, and carries this flow's nonce (OIDC Core §3.1.3.7);
5. its `at_hash`, where there is one, is that of the access token;
6. what userinfo adds is about the same subject (OIDC Core §5.3.2).
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from authlib.common.urls import add_params_to_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from runtime.clock import Clock
from services.account.domain import faults
from services.account.domain.flow import Parameters
from services.account.domain.profile import Field, Identity, ProviderTokens, Value, sane
from services.account.domain.provider import EmailAuthority, Provider
from services.account.peers.discovery import Discovery
from services.account.peers.http import Endpoint, Refused

_ALGORITHMS = ["RS256", "ES256", "PS256"]
_LEEWAY_S = 30  # their clock and ours
_MAX_AGE = timedelta(minutes=15)  # of an id_token when it arrives
_MAX_SUBJECT = 255  # OIDC Core §2
_MAX_TOKEN = 4096


@dataclass(frozen=True, slots=True)
class OidcClient:
    """Our registration at an OpenID provider."""

    client_id: str
    client_secret: str
    issuer_aliases: tuple[str, ...]  # other spellings of `iss` in its id_tokens
    scopes: tuple[str, ...]
    parameters: tuple[tuple[str, str], ...]  # further ones for the authorization request
    email_authority: EmailAuthority

    def __repr__(self) -> str:
        return f"OidcClient({self.client_id})"


class OidcProvider:
    """`domain.ports.IdentityProvider` for OpenID Connect."""

    def __init__(
        self,
        provider: Provider,
        client: OidcClient,
        endpoint: Endpoint,
        discovery: Discovery,
        clock: Clock,
    ) -> None:
        self.provider = provider
        self._client = client
        self._endpoint = endpoint
        self._discovery = discovery
        self._clock = clock

    async def authorization_url(self, parameters: Parameters, redirect: str, language: str) -> str:
        """Return the authorization request (OIDC Core §3.1.2.1, RFC 7636 §4.3)."""
        metadata = await self._discovery.metadata()
        challenge = create_s256_code_challenge(parameters.verifier)  # type: ignore[no-untyped-call]  # Authlib's stubs
        return str(
            add_params_to_uri(
                metadata.authorization_endpoint,
                [
                    ("response_type", "code"),
                    ("client_id", self._client.client_id),
                    ("redirect_uri", redirect),
                    ("scope", " ".join(self._client.scopes)),
                    ("state", parameters.state),
                    ("nonce", parameters.nonce),
                    ("code_challenge", challenge),
                    ("code_challenge_method", "S256"),
                    ("ui_locales", language),
                    *self._client.parameters,
                ],
            )
        )

    async def prove(
        self, code: str, parameters: Parameters, redirect: str, iss: str | None
    ) -> Identity:
        """Redeem a code and verify who it speaks of."""
        metadata = await self._discovery.metadata()
        if iss != self.provider.issuer and (iss is not None or metadata.returns_iss):
            raise faults.flow_mismatch("iss")
        try:
            answer, _ = await self._endpoint.json(
                "POST",
                metadata.token_endpoint,
                form={
                    "grant_type": "authorization_code",
                    "code": code,
                    "redirect_uri": redirect,
                    "client_id": self._client.client_id,
                    "client_secret": self._client.client_secret,
                    "code_verifier": parameters.verifier,
                },
            )
            tokens = self._tokens(answer)
            claims = await self._verified(answer, parameters.nonce, tokens.access)
            claims = await self._completed(claims, metadata.userinfo_endpoint, tokens.access)
        except Refused:
            raise faults.proof_refused(self.provider.key) from None
        return Identity(
            provider=self.provider.key,
            issuer=self.provider.issuer,
            subject=claims["sub"],
            values=self._values(claims),
            tokens=tokens,
        )

    def _tokens(self, answer: dict[str, object]) -> ProviderTokens:
        access, refresh = answer.get("access_token"), answer.get("refresh_token")
        seconds = answer.get("expires_in")
        if not isinstance(access, str) or not 0 < len(access) <= _MAX_TOKEN:
            raise Refused
        if not isinstance(refresh, str) or not 0 < len(refresh) <= _MAX_TOKEN:
            refresh = None
        expires = None
        if isinstance(seconds, int) and 0 < seconds < 10**9:
            expires = self._clock.now() + timedelta(seconds=seconds)
        return ProviderTokens(access, refresh, expires)

    async def _verified(
        self, answer: dict[str, object], nonce: str, access_token: str
    ) -> dict[str, Any]:
        id_token = answer.get("id_token")
        if not isinstance(id_token, str):
            raise Refused
        try:
            header = jws.extract_compact(id_token.encode()).headers()
            keys: KeySet = await self._discovery.keys(header.get("kid"))
            token = jwt.decode(id_token, keys, algorithms=_ALGORITHMS)
            now = int(self._clock.now().timestamp())
            CodeIDToken(
                token.claims,
                token.header,
                options={
                    "iss": {
                        "essential": True,
                        "values": [self.provider.issuer, *self._client.issuer_aliases],
                    },
                    "aud": {"essential": True, "value": self._client.client_id},
                },
                params={
                    "nonce": nonce,
                    "client_id": self._client.client_id,
                    "access_token": access_token,
                },
            ).validate(now=now, leeway=_LEEWAY_S)
            issued = datetime.fromtimestamp(token.claims["iat"], UTC)
        except (JoseError, ValueError, TypeError, KeyError, OverflowError):
            raise Refused from None
        subject = token.claims["sub"]
        if not isinstance(subject, str) or not 0 < len(subject) <= _MAX_SUBJECT:
            raise Refused
        if token.claims["aud"] not in (self._client.client_id, [self._client.client_id]):
            raise Refused  # a token that is also someone else's could have come from them
        if self._clock.now() - issued > _MAX_AGE:
            raise Refused
        return token.claims

    async def _completed(
        self, claims: dict[str, Any], userinfo: str | None, access_token: str
    ) -> dict[str, Any]:
        """Ask userinfo for what the id_token leaves out; the id_token's own claims prevail."""
        wanted = {"openid": "sub", "profile": "name", "email": "email"}
        missing = any(wanted.get(scope, "sub") not in claims for scope in self._client.scopes)
        if userinfo is None or not missing:
            return claims
        more, _ = await self._endpoint.json("GET", userinfo, bearer=access_token)
        if more.get("sub") != claims["sub"]:
            raise Refused
        return {**more, **claims}

    def _values(self, claims: dict[str, Any]) -> tuple[Value, ...]:
        email = claims.get("email")
        vouched = self._client.email_authority.vouches(
            email, verified=claims.get("email_verified"), hosted_domain=claims.get("hd")
        )
        return (
            *sane(Field.NICKNAME, claims.get("nickname") or claims.get("name"), verified=False),
            *sane(Field.PICTURE, claims.get("picture"), verified=False),
            *sane(Field.EMAIL, email, verified=vouched),
        )
