"""Permits: signed decisions of sharing, verified here without asking anybody.

A permit is a JWS (RFC 7515) in compact form, ES256, of type ``accord-permit+jwt``. What it says
holds until it expires, and only as long as Watch, heard within the last second, does not name one
of its ``watch`` keys: ``accord_client.guard`` keeps to that.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
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

LEEWAY_S = 5.0  # clocks of one data center differ by less
MAX_LIFE_S = 300  # none lives longer, whatever it says
_MAX_BYTES = 1 << 16
_COORDINATE = 32  # bytes
_ES256 = ECDSA(SHA256())


@dataclass(frozen=True, slots=True)
class Permit:
    """What a verified permit says."""

    decision: str  # decisions/…, to be named when what was sent is recorded
    holder: str  # whose data: accounts/… or guests/<session>; empty: nobody's
    audience: str  # SPIFFE id of the app that asked, and alone may act on it
    service: str
    recipient: str
    purpose: str
    categories: tuple[str, ...]
    destination: str
    obligations: tuple[str, ...]
    contract: str
    rulebook: str  # digest
    token: str
    watch: tuple[str, ...]  # the keys by which Watch revokes it
    issued: int  # seconds since 1970
    expires: int


class Keys:
    """Sharing's public keys by key id, from the JSON Web Key Set that KeyService shows."""

    def __init__(self, jwks: str = '{"keys": []}') -> None:
        self._keys: dict[str, EllipticCurvePublicKey] = {}
        try:
            for jwk in json.loads(jwks)["keys"]:
                if (jwk["kty"], jwk["crv"]) == ("EC", "P-256"):
                    self._keys[jwk["kid"]] = _public_key(jwk)
        except (ValueError, KeyError, TypeError) as error:
            raise VerificationError("key", f"the key set cannot be read: {error}") from None

    def __contains__(self, kid: str) -> bool:
        return kid in self._keys

    def __getitem__(self, kid: str) -> EllipticCurvePublicKey:
        """The key; raises VerificationError for one that is not shown."""
        try:
            return self._keys[kid]
        except KeyError:
            raise VerificationError("key", "the permit is signed with a key of nobody") from None


def key_id(text: str) -> str:
    """The id of the key that a permit says it is signed with; nothing is verified yet."""
    header = _json(text.partition(".")[0])
    if header.get("alg") != "ES256" or header.get("typ") != "accord-permit+jwt":
        raise VerificationError("format", "this is no permit")
    kid = header.get("kid")
    if not isinstance(kid, str) or "crit" in header:
        raise VerificationError("format", "the permit's header is not understood")
    return kid


def verify(text: str, keys: Keys, *, region: str, audience: str, now: float) -> Permit:
    """What a permit says, if it is sharing's, for this audience and not expired.

    ``audience`` is the SPIFFE id of the app that may act on it, ``now`` seconds since 1970.
    Raises VerificationError with the obligation that is not met: ``format``, ``key``,
    ``signature``, ``issuer``, ``audience`` or ``time``.
    """
    if len(text) > _MAX_BYTES or text.count(".") != 2:  # noqa: PLR2004  header.claims.signature
        raise VerificationError("format", "this is no permit")
    key = keys[key_id(text)]
    signed, _, signature = text.rpartition(".")
    raw = _bytes(signature)
    if len(raw) != 2 * _COORDINATE:
        raise VerificationError("signature", "the signature is cut")
    r, s = (int.from_bytes(half, "big") for half in (raw[:_COORDINATE], raw[_COORDINATE:]))
    try:
        key.verify(encode_dss_signature(r, s), signed.encode(), _ES256)
    except InvalidSignature:
        raise VerificationError("signature", "the signature does not hold") from None
    claims = _json(signed.partition(".")[2])
    permit = _permit(claims)
    if claims.get("iss") != f"spiffe://{region}.accord.internal/svc/sharing":
        raise VerificationError("issuer", "the permit is another region's")
    if permit.audience != audience:
        raise VerificationError("audience", "the permit is for another app")
    if permit.expires - permit.issued > MAX_LIFE_S:
        raise VerificationError("time", "the permit lives too long")
    if not permit.issued - LEEWAY_S <= now < permit.expires:
        raise VerificationError("time", "the permit is not valid now")
    return permit


def _permit(claims: Mapping[str, Any]) -> Permit:
    try:
        return Permit(
            decision=_text(claims, "jti"),
            holder=_text(claims, "sub") if "sub" in claims else "",
            audience=_text(claims, "aud"),
            service=_text(claims, "service"),
            recipient=_text(claims, "recipient"),
            purpose=_text(claims, "purpose"),
            categories=_texts(claims, "categories"),
            destination=_text(claims, "destination"),
            obligations=_texts(claims, "obligations"),
            contract=_text(claims, "contract"),
            rulebook=_text(claims, "rulebook"),
            token=_text(claims, "token"),
            watch=_texts(claims, "watch"),
            issued=_seconds(claims, "iat"),
            expires=_seconds(claims, "exp"),
        )
    except (KeyError, TypeError) as error:
        raise VerificationError("format", f"a claim is missing or malformed: {error}") from None


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims[name]
    if not isinstance(value, str):
        raise TypeError(name)
    return value


def _texts(claims: Mapping[str, Any], name: str) -> tuple[str, ...]:
    values = claims[name]
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise TypeError(name)
    return tuple(values)


def _seconds(claims: Mapping[str, Any], name: str) -> int:
    value = claims[name]
    if type(value) is not int:
        raise TypeError(name)
    return value


def _json(part: str) -> Mapping[str, Any]:
    try:
        value = json.loads(_bytes(part))
    except (ValueError, RecursionError):
        raise VerificationError("format", "a part of the permit is no JSON") from None
    if not isinstance(value, dict):
        raise VerificationError("format", "a part of the permit is no JSON object")
    return value


def _bytes(part: str) -> bytes:
    try:
        return base64.b64decode(part + "=" * (-len(part) % 4), b"-_", validate=True)
    except ValueError:
        raise VerificationError("format", "a part of the permit is no base64url") from None


def _public_key(jwk: Mapping[str, str]) -> EllipticCurvePublicKey:
    x, y = (int.from_bytes(_bytes(jwk[name]), "big") for name in ("x", "y"))
    return EllipticCurvePublicNumbers(x, y, SECP256R1()).public_key()
