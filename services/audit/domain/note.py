"""Signed notes (c2sp.org/signed-note): a text, an empty line, and who stands by it."""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import Protocol

ED25519 = 0x01
_KEY_SIZE = 32
_KEY_ID_SIZE = 4
_MAX_SIGNATURES = 100
_NAME = re.compile(r"[^\s+]+")


class MalformedNoteError(ValueError):
    """The text is no signed note, no key, or not signed by the key it must be signed by."""


class Verifier(Protocol):
    """An Ed25519 public key with a name."""

    @property
    def key(self) -> "VerifierKey":
        """Return the key in the form that is passed around."""
        ...

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Tell whether the signature is this key's over exactly this message."""
        ...


class Signer(Verifier, Protocol):
    """An Ed25519 key pair with a name."""

    def sign(self, message: bytes) -> bytes:
        """Return the signature, 64 bytes."""
        ...


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A named Ed25519 public key; its text form (vkey) is what auditors pin."""

    name: str
    public_key: bytes  # 32 bytes

    def __post_init__(self) -> None:
        """Refuse what could not stand in a signature line."""
        if _NAME.fullmatch(self.name) is None:
            raise MalformedNoteError("a key name is not empty and has no space and no '+'")
        if len(self.public_key) != _KEY_SIZE:
            raise MalformedNoteError("an Ed25519 public key has 32 bytes")

    @property
    def key_id(self) -> bytes:
        """Return the 4 bytes that pick the key among others of the name; no proof of anything."""
        named = self.name.encode() + b"\n" + bytes([ED25519]) + self.public_key
        return hashlib.sha256(named).digest()[:_KEY_ID_SIZE]

    def __str__(self) -> str:
        encoded = base64.b64encode(bytes([ED25519]) + self.public_key).decode()
        return f"{self.name}+{self.key_id.hex()}+{encoded}"

    @classmethod
    def parse(cls, text: str) -> "VerifierKey":
        """Read a vkey; MalformedNoteError when it is none, or its parts do not fit together."""
        name, key_id, encoded = _three_parts(text)
        kind, public_key = encoded[:1], encoded[1:]
        if kind != bytes([ED25519]):
            raise MalformedNoteError("the key is not of type Ed25519")
        key = cls(name, public_key)
        if key.key_id.hex() != key_id:
            raise MalformedNoteError("the key id is not that of the key")
        return key


def sign_note(text: str, signer: Signer) -> str:
    """Sign `text`, which ends in a newline; return the note."""
    if not text.endswith("\n"):
        raise MalformedNoteError("the text of a note ends in a newline")
    signature = signer.key.key_id + signer.sign(text.encode())
    return f"{text}\n— {signer.key.name} {base64.b64encode(signature).decode()}\n"


def open_note(note: str, verifier: Verifier) -> str:
    """Return the text of a note that `verifier` stands for.

    MalformedNoteError when it has not, or when any signature that claims to be of this key is
    wrong. Signatures of other keys are passed over.
    """
    text, separator, lines = note.rpartition("\n\n")
    if not separator or not lines.endswith("\n") or any(c < " " and c != "\n" for c in note):
        raise MalformedNoteError("no text, empty line and signature lines")
    text += "\n"
    signatures = [_signature(line) for line in lines.removesuffix("\n").split("\n")]
    if len(signatures) > _MAX_SIGNATURES:
        raise MalformedNoteError("more than 100 signatures")
    ours = (verifier.key.name, verifier.key.key_id)
    verified = False
    for name, key_id, signature in signatures:
        if (name, key_id) != ours:
            continue
        if not verifier.verify(signature, text.encode()):
            raise MalformedNoteError(f"the signature of {name} is wrong")
        verified = True
    if not verified:
        raise MalformedNoteError(f"not signed by {verifier.key.name}")
    return text


def _signature(line: str) -> tuple[str, bytes, bytes]:
    match line.split(" "):
        case ["—", name, encoded] if _NAME.fullmatch(name):
            decoded = _base64(encoded)
            if len(decoded) > _KEY_ID_SIZE:
                return name, decoded[:_KEY_ID_SIZE], decoded[_KEY_ID_SIZE:]
    raise MalformedNoteError("a signature line is malformed")


def _three_parts(text: str) -> tuple[str, str, bytes]:
    # Base64 may hold a '+', a name and a key id may not.
    match text.split("+", 2):
        case [name, key_id, encoded]:
            return name, key_id, _base64(encoded)
    raise MalformedNoteError("a key is <name>+<key id>+<key>")


def _base64(text: str) -> bytes:
    try:
        decoded = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise MalformedNoteError("not base64") from None
    if base64.b64encode(decoded).decode() != text:
        raise MalformedNoteError("not canonical base64")
    return decoded
