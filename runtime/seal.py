"""Sealing with a service's own key: AES-256-GCM, one derived key a purpose, bound to its place.

What is sealed for one row opens in no other (the purpose and the row's key are authenticated), so
whoever can write the database cannot move a token or a value from one person to another. Nonces are
96 random bits: a derived key may seal 2^32 texts before it must be replaced (NIST SP 800-38D §8.3).
"""

import base64
import contextlib
import hmac
import secrets
from functools import cache
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from runtime.secret_file import read_secret, write_secret

_KEY_BYTES = 32
_NONCE_BYTES = 12
_FORMAT = b"\x01"  # names the format and the key; a second key will be a second format


class UnsealError(Exception):
    """What was given was not sealed here, for this purpose, at this place."""


class Sealer:
    """Seals, opens and derives for one service; the key itself never leaves it."""

    def __init__(self, key: bytes, service: str) -> None:
        if len(key) != _KEY_BYTES:
            raise ValueError("the sealing key must be 32 bytes")
        self._key = key
        self._service = service
        self._cipher = cache(lambda purpose: AESGCM(self._derived("seal/" + purpose)))

    @classmethod
    def load(cls, path: Path, service: str) -> "Sealer":
        """Read the key: base64 of 32 random bytes on one line. ValueError when it is not that."""
        text = read_secret(path)
        try:
            key = base64.b64decode(text, validate=True)
        except ValueError:  # binascii's too, and that of a character beyond ASCII
            raise ValueError("the sealing key file must hold base64 of 32 bytes") from None
        return cls(key, service)

    def seal(self, text: str, purpose: str, place: str) -> bytes:
        """Seal a text for one purpose at one place."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return _FORMAT + nonce + self._cipher(purpose).encrypt(nonce, text.encode(), place.encode())

    def open(self, sealed: bytes, purpose: str, place: str) -> str:
        """Open it again; UnsealError when anything about it differs."""
        nonce, body = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        if sealed[:1] != _FORMAT or len(nonce) != _NONCE_BYTES:
            raise UnsealError
        try:
            return self._cipher(purpose).decrypt(nonce, body, place.encode()).decode()
        except InvalidTag:
            raise UnsealError from None

    def derive(self, purpose: str, *parts: str) -> str:
        """Return 256 bits, base64url, that follow from the parts and from our key alone."""
        message = b"".join(len(part).to_bytes(4, "big") + part.encode() for part in parts)
        mac = hmac.digest(self._derived("derive/" + purpose), message, "sha256")
        return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()

    def _derived(self, info: str) -> bytes:
        info = f"accord {self._service} {info}"
        return HKDF(SHA256(), _KEY_BYTES, salt=None, info=info.encode()).derive(self._key)


def make_key(path: Path) -> None:
    """Make a sealing key, readable by its owner alone; a key that exists is never replaced."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        write_secret(path, base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode() + "\n")
