"""The log's signing key: one Ed25519 key in a file, named after the log's origin.

The file holds one line in the form that Go's note tools write,
`PRIVATE+KEY+<name>+<key id>+<base64 of type and seed>`; beside it lies the public half (vkey)
for auditors to pin. Who steals the key can sign a second history; who loses it can no longer
extend the log, and begins another under a new origin.
"""

import base64
import binascii
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from runtime.secret_file import read_secret, write_secret
from services.audit.domain.note import ED25519, MalformedNoteError, VerifierKey

_PREFIX = "PRIVATE+KEY+"


class LogVerifier:
    """The public half, enough to check what the log has signed."""

    def __init__(self, key: VerifierKey) -> None:
        self.key = key
        self._public = Ed25519PublicKey.from_public_bytes(key.public_key)

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Tell whether the signature is this key's over exactly this message."""
        try:
            self._public.verify(signature, message)
        except InvalidSignature:
            return False
        return True


class LogKey(LogVerifier):
    """The key pair, loaded."""

    def __init__(self, name: str, private: Ed25519PrivateKey) -> None:
        super().__init__(VerifierKey(name, private.public_key().public_bytes_raw()))
        self._private = private

    def sign(self, message: bytes) -> bytes:
        """Return the Ed25519 signature, 64 bytes; the same for the same message."""
        return self._private.sign(message)

    @classmethod
    def load(cls, path: Path, origin: str) -> "LogKey":
        """Read the key of the log `origin`; ValueError when the file holds another, or none."""
        text = read_secret(path)
        parts = text.removeprefix(_PREFIX).split("+", 2)
        try:
            name, key_id, encoded = parts
            decoded = base64.b64decode(encoded, validate=True)
            kind, seed = decoded[:1], decoded[1:]
            key = cls(name, Ed25519PrivateKey.from_private_bytes(seed))
        except (ValueError, binascii.Error, MalformedNoteError):
            raise ValueError(f"{path} holds no Ed25519 note key") from None
        if not text.startswith(_PREFIX) or kind != bytes([ED25519]):
            raise ValueError(f"{path} holds no Ed25519 note key")
        if key.key.key_id.hex() != key_id:
            raise ValueError(f"{path}: the key id is not that of the key")
        if name != origin:
            raise ValueError(f"{path} holds the key of {name}, not of {origin}")
        return key

    @classmethod
    def create(cls, path: Path, origin: str) -> "LogKey":
        """Make a new key and write it, and its vkey beside it; FileExistsError over an old one."""
        private = Ed25519PrivateKey.generate()
        key = cls(origin, private)
        encoded = base64.b64encode(bytes([ED25519]) + private.private_bytes_raw()).decode()
        write_secret(path, f"{_PREFIX}{origin}+{key.key.key_id.hex()}+{encoded}\n")
        vkey_path(path).write_text(f"{key.key}\n")
        return key


def vkey_path(path: Path) -> Path:
    """Return where the public half lies."""
    return path.with_suffix(".vkey")
