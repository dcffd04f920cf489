"""What sharing signs, verified here without asking anybody: compact JWS (RFC 7515), ES256."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicKey,
    EllipticCurvePublicNumbers,
)
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from accord_client.failure import VerificationError

_COORDINATE = 32  # bytes
_ES256 = ECDSA(SHA256())


class Keys:
    """Sharing's public keys by key id, from the JSON Web Key Set that KeyService shows."""

    def __init__(self, jwks: str = '{"keys": []}') -> None:
        self._keys: dict[str, EllipticCurvePublicKey] = {}
        try:
            for jwk in json.loads(jwks)["keys"]:
                if (jwk["kty"], jwk["crv"]) == ("EC", "P-256"):
                    self._keys[jwk["kid"]] = _public_key(jwk)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise VerificationError("key", f"the key set cannot be read: {error}") from None

    def __contains__(self, kid: str) -> bool:
        return kid in self._keys

    def __getitem__(self, kid: str) -> EllipticCurvePublicKey:
        """The key; raises VerificationError for one that is not shown."""
        try:
            return self._keys[kid]
        except KeyError:
            raise VerificationError("key", "it is signed with a key of nobody") from None


def key_id(text: str, typ: str) -> str:
    """The id of the key that a token of a type says it is signed with; nothing is verified yet."""
    header = _json(text.partition(".")[0])
    if header.get("alg") != "ES256" or header.get("typ") != typ:
        raise VerificationError("format", f"this is no {typ}")
    kid = header.get("kid")
    if not isinstance(kid, str) or "crit" in header:
        raise VerificationError("format", "the header is not understood")
    return kid


def claims(text: str, keys: Keys, *, typ: str, most: int) -> Mapping[str, Any]:
    """What a token of a type and at most so many characters says, if one of the keys signed it.

    Raises VerificationError with the obligation that is not met: ``format``, ``key`` or
    ``signature``.
    """
    if len(text) > most or text.count(".") != 2:  # noqa: PLR2004  header.claims.signature
        raise VerificationError("format", f"this is no {typ}")
    key = keys[key_id(text, typ)]
    signed, _, signature = text.rpartition(".")
    try:
        raw = _bytes(signature)
    except VerificationError:
        raw = b""
    if len(raw) != 2 * _COORDINATE:
        raise VerificationError("signature", "the signature is cut")
    r, s = (int.from_bytes(half, "big") for half in (raw[:_COORDINATE], raw[_COORDINATE:]))
    try:
        key.verify(encode_dss_signature(r, s), signed.encode(), _ES256)
    except InvalidSignature:
        raise VerificationError("signature", "the signature does not hold") from None
    return _json(signed.partition(".")[2])


def _json(part: str) -> Mapping[str, Any]:
    try:
        value = json.loads(_bytes(part))
    except (ValueError, RecursionError):
        raise VerificationError("format", "a part of it is no JSON") from None
    if not isinstance(value, dict):
        raise VerificationError("format", "a part of it is no JSON object")
    return value


def _bytes(part: str) -> bytes:
    """The bytes of base64url without padding (RFC 7515 §2), written in the one way that counts."""
    try:
        value = base64.b64decode(part + "=" * (-len(part) % 4), b"-_", validate=True)
    except ValueError:
        value = b""
    if base64.urlsafe_b64encode(value).rstrip(b"=") != part.encode():
        raise VerificationError("format", "a part of it is no base64url")
    return value


def _public_key(jwk: Mapping[str, str]) -> EllipticCurvePublicKey:
    x, y = (int.from_bytes(_bytes(jwk[name]), "big") for name in ("x", "y"))
    return EllipticCurvePublicNumbers(x, y, SECP256R1()).public_key()
