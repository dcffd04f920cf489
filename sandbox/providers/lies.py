"""What can be wrong with an id_token; a client that believes any of these is found out."""

import base64
import hmac
import json
import secrets

from joserfc import jws, jwt
from joserfc.jwk import OctKey, RSAKey

from sandbox.providers.people import Lie

_ELSEWHERE = "someone-else.apps.sandbox"
_HOUR, _DAY = 3600, 86_400

Claims = dict[str, object]


def base64url(raw: bytes) -> str:
    """Encode as JOSE does (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def bend(claims: Claims, lie: Lie | None, now: int) -> Claims:
    """Return the claims with what is wrong with them."""
    changes: dict[Lie | None, Claims] = {
        "nonce": {"nonce": secrets.token_urlsafe(16)},
        "audience": {"aud": _ELSEWHERE, "azp": _ELSEWHERE},
        "shared": {"aud": [claims["aud"], _ELSEWHERE]},
        "issuer": {"iss": f"{claims['iss']}/elsewhere"},
        "expired": {"iat": now - 2 * _HOUR, "exp": now - _HOUR},
        "stale": {"iat": now - _DAY},
        "at_hash": {"at_hash": base64url(secrets.token_bytes(16))},
    }
    bent = claims | changes.get(lie, {})
    return {key: value for key, value in bent.items() if (lie, key) != ("subject", "sub")}


def sign(claims: Claims, lie: Lie | None, key: RSAKey, foreign_key: RSAKey) -> str:
    """Sign the claims, with what is wrong with the signature."""
    header: dict[str, object] = {"alg": "RS256", "kid": key.kid}
    match lie:
        case "algorithm":
            unsecured = jws.JWSRegistry(algorithms=["none"])
            return jwt.encode({"alg": "none"}, claims, OctKey.generate_key(128), registry=unsecured)
        case "symmetric":
            return _signed_with_public_key(claims, key)
        case "signature":
            return jwt.encode(header, claims, foreign_key)
        case _:
            return jwt.encode(header, claims, key)


def _signed_with_public_key(claims: Claims, key: RSAKey) -> str:
    """Sign by the classic confusion, the public key as HMAC secret: no library will."""
    header = {"alg": "HS256", "kid": key.kid, "typ": "JWT"}
    signed = ".".join(base64url(json.dumps(part).encode()) for part in (header, claims))
    mac = hmac.digest(key.as_pem(private=False), signed.encode(), "sha256")
    return f"{signed}.{base64url(mac)}"
