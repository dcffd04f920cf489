"""Signs what leaves sharing to be verified elsewhere: permits, receipts, revocation notices."""

import asyncio
import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.jwk import ECKey

from runtime.signing_keys import SigningKeys

_ES256 = ECDSA(SHA256())
_COORDINATE = 32  # bytes of each half of a P-256 signature


@dataclass(frozen=True, slots=True)
class JwsSigner:
    """`domain.ports.Signer`: JWS ES256 in compact form (RFC 7515, RFC 7518 §3.4).

    Put together here, since a batch may ask for hundreds of permits: some 50 µs each, half of what
    the general library takes.
    """

    keys: SigningKeys

    async def sign(self, claims: Mapping[str, object], typ: str) -> str:
        """Return the claims, signed; the header names the key and what kind of token it is."""
        await asyncio.sleep(0)  # whoever signs a thousand lets others have their turn between
        return sign(await self.keys.current(), claims, typ)

    async def jwks(self, *, past: bool) -> str:
        """Return the public keys as a JSON Web Key Set, `past`: all that ever signed."""
        return await self.keys.jwks(past=past)


def sign(key: ECKey, claims: Mapping[str, object], typ: str) -> str:
    """Sign with a key that has a `kid`."""
    private = key.private_key
    assert isinstance(private, EllipticCurvePrivateKey)  # noqa: S101  SigningKeys makes no other
    signed = b".".join((_part({"alg": "ES256", "kid": key.kid, "typ": typ}), _part(claims)))
    r, s = decode_dss_signature(private.sign(signed, _ES256))
    signature = r.to_bytes(_COORDINATE, "big") + s.to_bytes(_COORDINATE, "big")
    return b".".join((signed, _encoded(signature))).decode()


def _part(value: Mapping[str, object]) -> bytes:
    return _encoded(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def _encoded(value: bytes) -> bytes:
    return base64.urlsafe_b64encode(value).rstrip(b"=")
