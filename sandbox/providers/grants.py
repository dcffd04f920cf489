"""Authorization codes and access tokens of one provider, in memory: a restart forgets them."""

import hashlib
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass

CODE_SECONDS = 60
TOKEN_SECONDS = 3599


@dataclass(frozen=True, slots=True)
class Client:
    """Our own registration at a provider: what its dashboard would hold."""

    client_id: str
    secret: str
    redirect_uris: frozenset[str]


@dataclass(frozen=True, slots=True)
class Grant:
    """What a person agreed to on a provider's page."""

    person: str
    client_id: str
    redirect_uri: str
    scopes: frozenset[str]
    challenge: str = ""  # PKCE, S256
    nonce: str = ""
    offline: bool = False


class Grants:
    """Single-use codes for 60 s, access and refresh tokens, and their revocation."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._codes: dict[str, tuple[float, Grant]] = {}
        self._tokens: dict[str, tuple[float, Grant]] = {}

    def code(self, grant: Grant) -> str:
        """Issue a code."""
        code = "4/0" + secrets.token_urlsafe(32)
        self._codes[code] = (self._now() + CODE_SECONDS, grant)
        return code

    def redeem(self, code: str) -> Grant | None:
        """Take a code out of circulation; None if it was never there, used before, or too old."""
        expires, grant = self._codes.pop(code, (0.0, None))
        return grant if self._now() < expires else None

    def token(self, grant: Grant, seconds: float = TOKEN_SECONDS) -> str:
        """Issue an access or refresh token."""
        token = secrets.token_urlsafe(48)
        self._tokens[token] = (self._now() + seconds, grant)
        return token

    def holder(self, token: str) -> Grant | None:
        """Return what a token stands for while it is good."""
        expires, grant = self._tokens.get(token, (0.0, None))
        return grant if self._now() < expires else None

    def revoke(self, token: str) -> bool:
        """End a token; False when it was none."""
        return self._tokens.pop(token, None) is not None

    def revoke_person(self, person: str, client_id: str) -> None:
        """End every token that a person gave a client."""
        self._tokens = {
            token: (expires, grant)
            for token, (expires, grant) in self._tokens.items()
            if (grant.person, grant.client_id) != (person, client_id)
        }


def s256(verifier: str) -> str:
    """Return the PKCE challenge of a verifier (RFC 7636 §4.2)."""
    digest = hashlib.sha256(verifier.encode("ascii", "replace")).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode()
