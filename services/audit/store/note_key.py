"""Ed25519 keys that sign notes, each in a file of its own, and what checks their signatures.

The file holds one line in the form that Go's note tools write,
`PRIVATE+KEY+<name>+<key id>+<base64 of type and seed>`; beside it lies the public half (vkey)
for others to pin.
"""

import base64
import binascii
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from runtime.secret_file import read_secret, write_secret
from services.audit.domain.note import ED25519, MalformedNoteError, VerifierKey

_PREFIX = "PRIVATE+KEY+"


class NoteVerifier:
    """The public half: `domain.note.Verifier`."""

    def __init__(self, key: VerifierKey) -> None:
        """Take a key; MalformedNoteError when its bytes are no point of the curve."""
        self.key = key
        try:
            self._public = Ed25519PublicKey.from_public_bytes(key.public_key)
        except ValueError:
            raise MalformedNoteError(f"{key.name} is no Ed25519 public key") from None

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Tell whether the signature is this key's over exactly this message."""
        try:
            self._public.verify(signature, message)
        except InvalidSignature:
            return False
        return True


class NoteKey(NoteVerifier):
    """The key pair, loaded: `domain.note.Signer`."""

    def __init__(self, name: str, private: Ed25519PrivateKey, kind: int = ED25519) -> None:
        super().__init__(VerifierKey(name, private.public_key().public_bytes_raw(), kind))
        self._private = private

    def sign(self, message: bytes) -> bytes:
        """Return the Ed25519 signature, 64 bytes; the same for the same message."""
        return self._private.sign(message)

    def write(self, path: Path) -> None:
        """Write the secret, durable on return; FileExistsError over an old one."""
        key = self.key
        encoded = base64.b64encode(bytes([key.kind]) + self._private.private_bytes_raw()).decode()
        write_secret(path, f"{_PREFIX}{key.name}+{key.key_id.hex()}+{encoded}\n")

    @classmethod
    def load(cls, path: Path, name: str, kind: int = ED25519) -> "NoteKey":
        """Read the key of `name`; ValueError when the file holds another, or none."""
        text = read_secret(path)
        parts = text.removeprefix(_PREFIX).split("+", 2)
        try:
            found, key_id, encoded = parts
            decoded = base64.b64decode(encoded, validate=True)
            key = cls(found, Ed25519PrivateKey.from_private_bytes(decoded[1:]), kind)
        except (ValueError, binascii.Error, MalformedNoteError):
            raise ValueError(f"{path} holds no Ed25519 note key") from None
        if not text.startswith(_PREFIX) or decoded[:1] != bytes([kind]):
            raise ValueError(f"{path} holds no Ed25519 note key of type {kind}")
        if key.key.key_id.hex() != key_id:
            raise ValueError(f"{path}: the key id is not that of the key")
        if found != name:
            raise ValueError(f"{path} holds the key of {found}, not of {name}")
        return key

    @classmethod
    def create(cls, path: Path, name: str, kind: int = ED25519) -> "NoteKey":
        """Make a new key and write it, and its vkey beside it; FileExistsError over an old one."""
        key = cls(name, Ed25519PrivateKey.generate(), kind)
        key.write(path)
        write_vkey(path, key.key)
        return key


def vkey_path(path: Path) -> Path:
    """Return where the public half of the key at `path` lies."""
    return path.with_suffix(".vkey")


def write_vkey(path: Path, key: VerifierKey) -> None:
    """Write the public half of the key at `path` whole, in place of what was there."""
    made = path.with_suffix(".vkey.new")
    made.write_text(f"{key}\n")
    made.replace(vkey_path(path))
