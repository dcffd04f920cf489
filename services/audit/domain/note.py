"""Signed notes (c2sp.org/signed-note): a text, an empty line, and who stands by it.

Many may: a log's keys while they change, and witnesses. Lines of keys that nobody asked about are
passed over, whatever they hold; one wrong line of a key that was asked about refuses the note.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Protocol

ED25519 = 0x01  # over the text itself
COSIGNATURE = 0x04  # Ed25519 with a time: c2sp.org/tlog-cosignature
_KINDS = (ED25519, COSIGNATURE)
_KEY_SIZE = 32
_KEY_ID_SIZE = 4
_MAX_SIGNATURES = 100
_NAME = re.compile(r"[^\s+]+")


class MalformedNoteError(ValueError):
    """The text is no signed note, no key, or not signed by a key that must have signed it."""


class Verifier(Protocol):
    """A public key with a name."""

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
    kind: int = ED25519  # what it signs: ED25519 or COSIGNATURE

    def __post_init__(self) -> None:
        """Refuse what could not stand in a signature line."""
        if _NAME.fullmatch(self.name) is None:
            raise MalformedNoteError("a key name is not empty and has no space and no '+'")
        if self.kind not in _KINDS:
            raise MalformedNoteError("the key is not of type Ed25519, nor of type cosignature/v1")
        if len(self.public_key) != _KEY_SIZE:
            raise MalformedNoteError("an Ed25519 public key has 32 bytes")

    @property
    def key_id(self) -> bytes:
        """Return the 4 bytes that pick the key among others of the name; no proof of anything."""
        named = self.name.encode() + b"\n" + bytes([self.kind]) + self.public_key
        return hashlib.sha256(named).digest()[:_KEY_ID_SIZE]

    def __str__(self) -> str:
        encoded = base64.b64encode(bytes([self.kind]) + self.public_key).decode()
        return f"{self.name}+{self.key_id.hex()}+{encoded}"

    @classmethod
    def parse(cls, text: str) -> "VerifierKey":
        """Read a vkey; MalformedNoteError when it is none, or its parts do not fit together."""
        # Base64 may hold a '+', a name and a key id may not.
        match text.split("+", 2):
            case [name, key_id, encoded]:
                decoded = decode_base64(encoded)
            case _:
                raise MalformedNoteError("a key is <name>+<key id>+<key>")
        key = cls(name, decoded[1:], decoded[0] if decoded else 0)
        if key.key_id.hex() != key_id:
            raise MalformedNoteError("the key id is not that of the key")
        return key


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature that was found good, and whose it is."""

    key: VerifierKey
    signature: bytes  # of whatever form the key's kind has

    @property
    def line(self) -> str:
        """Return it as it stands below a note, with its newline."""
        encoded = base64.b64encode(self.key.key_id + self.signature).decode()
        return f"— {self.key.name} {encoded}\n"


@dataclass(frozen=True, slots=True)
class OpenedNote:
    """A text, and who of those asked about stands by it: one at least."""

    text: str
    signatures: tuple[Signature, ...]


def sign_note(text: str, signers: Iterable[Signer]) -> str:
    """Sign `text`, which ends in a newline, with each key; return the note."""
    if not text.endswith("\n"):
        raise MalformedNoteError("the text of a note ends in a newline")
    lines = (Signature(signer.key, signer.sign(text.encode())).line for signer in signers)
    return f"{text}\n{''.join(lines)}"


def split_note(note: str) -> tuple[str, str]:
    """Part a note into its text and its signature lines, and believe neither yet."""
    text, separator, lines = note.rpartition("\n\n")
    if not separator or not lines.endswith("\n") or any(c < " " and c != "\n" for c in note):
        raise MalformedNoteError("no text, empty line and signature lines")
    return text + "\n", lines


def open_note(note: str, verifiers: Collection[Verifier]) -> OpenedNote:
    """Return the text of a note that one of `verifiers` stands for at least.

    MalformedNoteError when none does, or when any signature that claims to be of one of them is
    wrong. Signatures of other keys are passed over; more than 100 are refused unread.
    """
    text, block = split_note(note)
    lines = block.removesuffix("\n").split("\n")
    if len(lines) > _MAX_SIGNATURES:
        raise MalformedNoteError("more than 100 signatures")
    known = {(verifier.key.name, verifier.key.key_id): verifier for verifier in verifiers}
    found = []
    for name, key_id, signature in map(_signature, lines):
        verifier = known.get((name, key_id))
        if verifier is None:
            continue
        if not verifier.verify(signature, text.encode()):
            raise MalformedNoteError(f"the signature of {name} is wrong")
        found.append(Signature(verifier.key, signature))
    if not found:
        names = sorted({verifier.key.name for verifier in verifiers})
        raise MalformedNoteError(f"not signed by {' or '.join(names)}")
    return OpenedNote(text, tuple(found))


def lines_of(note: str, verifiers: Collection[Verifier]) -> str:
    """Return those lines below an opened note that claim to be of `verifiers`."""
    known = {(verifier.key.name, verifier.key.key_id) for verifier in verifiers}
    lines = split_note(note)[1].splitlines(keepends=True)
    return "".join(line for line in lines if _signature(line.removesuffix("\n"))[:2] in known)


def _signature(line: str) -> tuple[str, bytes, bytes]:
    match line.split(" "):
        case ["—", name, encoded] if _NAME.fullmatch(name):
            decoded = decode_base64(encoded)
            if len(decoded) > _KEY_ID_SIZE:
                return name, decoded[:_KEY_ID_SIZE], decoded[_KEY_ID_SIZE:]
    raise MalformedNoteError("a signature line is malformed")


def decode_base64(text: str) -> bytes:
    """Decode what encodes to the same text again; MalformedNoteError otherwise."""
    try:
        decoded = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise MalformedNoteError("not base64") from None
    if base64.b64encode(decoded).decode() != text:
        raise MalformedNoteError("not canonical base64")
    return decoded
