"""Actor tokens: proof that the person for whom a service calls is there, now.

A JWS (RFC 7515, ES256) that account mints for a signed-in person or member of staff and that every
service verifies offline against account's key set. It lives at most a minute, so that a copy is
worth little; it names its audiences, so that one service cannot spend it at another.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet

from runtime.call import Actor
from runtime.clock import Clock
from runtime.fault import Fault

METADATA_KEY = "accord-actor"
MAX_LIFE = timedelta(seconds=60)
ALGORITHM = "ES256"
_LEEWAY = timedelta(seconds=5)  # clocks of one data center differ by less
_REFETCH_S = 5.0  # a made-up key id makes us ask account no more often
_STALE_S = 3600.0  # a key that account has withdrawn is trusted no longer
_MAX_TOKEN = 4096
_ROLES = frozenset({"person", "officer", "auditor", "operator"})

KeySource = Callable[[], Awaitable[KeySet]]


def issuer(region: str) -> str:
    """Return the `iss` of a region's actor tokens."""
    return f"https://account.{region}.accord.internal"


def mint(
    key: ECKey,
    *,
    region: str,
    actor: Actor,
    audiences: Sequence[str],
    now: datetime,
    life: timedelta = MAX_LIFE,
) -> str:
    """Sign a token for `actor`; `key` has a `kid`."""
    claims = {
        "iss": issuer(region),
        "aud": list(audiences),
        "sub": actor.subject,
        "roles": sorted(actor.roles),
        "auth_time": int(actor.auth_time.timestamp()),
        "iat": int(now.timestamp()),
        "exp": int((now + min(life, MAX_LIFE)).timestamp()),
        "jti": uuid4().hex,
    }
    return jwt.encode({"alg": ALGORITHM, "kid": key.kid}, claims, key, algorithms=[ALGORITHM])


@dataclass(slots=True)
class Verifier:
    """Verifies tokens for one audience, offline; asks `source` for keys only when it must."""

    region: str
    audience: str
    source: KeySource
    clock: Clock
    _keys: KeySet | None = None
    _fetched: float = float("-inf")

    async def verify(self, token: str) -> Actor:
        """Return whom the token speaks for; ACTOR_INVALID when anything about it is wrong."""
        if len(token) > _MAX_TOKEN:
            raise _invalid("it is too long")
        keys = self._keys
        stale = time.monotonic() - self._fetched > _STALE_S
        if keys is None or stale or not _knows(keys, token):
            keys = await self._fetch()
        try:
            claims = jwt.decode(token, keys, algorithms=[ALGORITHM]).claims
            return self._actor(claims)
        except (JoseError, ValueError, KeyError, TypeError, OverflowError):
            raise _invalid("it cannot be read, or its signature does not hold") from None

    def _actor(self, claims: dict[str, Any]) -> Actor:
        now = self.clock.now()
        issued, expires = _instant(claims["iat"]), _instant(claims["exp"])
        audiences = claims["aud"]
        if claims["iss"] != issuer(self.region):
            raise _invalid("it is another region's")
        if not isinstance(audiences, list) or self.audience not in audiences:
            raise _invalid("it is meant for another service")
        if not issued - _LEEWAY <= now < expires + _LEEWAY:
            raise _invalid("it is not valid now")
        if expires - issued > MAX_LIFE:
            raise _invalid("it lives too long")
        roles = frozenset(claims["roles"])
        subject = claims["sub"]
        if not isinstance(subject, str) or not roles <= _ROLES:
            raise _invalid("it names no actor")
        return Actor(subject, roles, _instant(claims["auth_time"]))

    async def _fetch(self) -> KeySet:
        if self._keys is not None and time.monotonic() - self._fetched < _REFETCH_S:
            return self._keys
        self._keys = await self.source()
        self._fetched = time.monotonic()
        return self._keys


def _knows(keys: KeySet, token: str) -> bool:
    try:
        kid = jws.extract_compact(token.encode()).headers().get("kid")
    except (JoseError, ValueError):
        return True  # malformed: decoding will say so, no need to ask for keys
    return any(key.kid == kid for key in keys.keys)


def _instant(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _invalid(why: str) -> Fault:
    return Fault("ACTOR_INVALID", f"the actor token is refused: {why}")
