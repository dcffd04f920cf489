"""Signed notes and verifier keys (c2sp.org/signed-note v1.0.0, c2sp.org/tlog-cosignature).

Parsing is strict: what two readers could read differently is refused.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

from accord_client.failure import VerificationError

MAX_NOTE_BYTES = 1_000_000
MAX_SIGNATURES = 100
_KEY_ID_BYTES = 4
_TIMESTAMP_BYTES = 8
_FIRST_PRINTABLE = 0x20
_CHECKPOINT_LINES = 3  # what a cosignature of a subtree covers; extension lines it does not
_SUBTREE_LABEL = b"subtree/v1\n\0"
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_MAX_VECTOR = 255  # opaque<1..2^8-1>


class Algorithm(IntEnum):
    """The signature types that are read; a note may carry others, which are ignored."""

    ED25519 = 0x01
    COSIGNATURE = 0x04  # cosignature/v1: Ed25519 over a time and the whole checkpoint
    SUBTREE = 0x06  # subtree/v1: ML-DSA-44 over a time and the checkpoint's first three lines

    @property
    def cosigns(self) -> bool:
        """Whether it is a witness's, and states when the checkpoint was the newest one seen."""
        return self is not Algorithm.ED25519


_KEY_BYTES = {Algorithm.ED25519: 32, Algorithm.COSIGNATURE: 32, Algorithm.SUBTREE: 1312}


@dataclass(frozen=True)
class VerifierKey:
    """A public key that is trusted, under the name it signs with."""

    name: str
    algorithm: Algorithm
    public_key: bytes

    @property
    def key_id(self) -> bytes:
        """The four bytes that name this key in a signature line."""
        material = self.name.encode() + b"\n" + bytes([self.algorithm]) + self.public_key
        return hashlib.sha256(material).digest()[:_KEY_ID_BYTES]

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """Reads ``<name>+<8 hex digits>+<base64(type ‖ key)>``; raises VerificationError(``key``).

        The name itself holds no plus sign, the base64 part may.
        """
        parts = text.split("+", 2)
        if len(parts) != 3 or not _is_name(parts[0]):  # noqa: PLR2004 -- name, id, key
            raise VerificationError("key", "a verifier key reads name+keyid+base64")
        name, key_id, encoded = parts
        material = decode_base64(encoded, "key")
        if not material or material[0] not in set(Algorithm):
            raise VerificationError("key", f"the key of {name} is of a type that is not supported")
        key = cls(name, Algorithm(material[0]), material[1:])
        if len(key.public_key) != _KEY_BYTES[key.algorithm]:
            raise VerificationError("key", f"the key of {name} is not as long as its type says")
        if key.key_id.hex() != key_id:
            raise VerificationError("key", f"the key id of {name} does not match its key")
        return key

    def __str__(self) -> str:
        material = bytes([self.algorithm]) + self.public_key
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(material).decode()}"

    def verify(self, text: str, signature: bytes) -> datetime | None:
        """Returns the time that a cosignature states, ``None`` for a plain signature.

        Raises VerificationError(``signature``).
        """
        signed, stated = text.encode(), None
        if self.algorithm.cosigns:
            seconds = int.from_bytes(signature[:_TIMESTAMP_BYTES])
            signature = signature[_TIMESTAMP_BYTES:]
            try:
                stated = datetime.fromtimestamp(seconds, UTC)
            except (OverflowError, ValueError, OSError) as error:
                raise VerificationError("signature", f"{self.name} states no time") from error
            if self.algorithm is Algorithm.COSIGNATURE:
                signed = f"cosignature/v1\ntime {seconds}\n".encode() + signed
            else:
                signed = self._subtree(text, seconds)
        try:
            if self.algorithm is Algorithm.SUBTREE:
                MLDSA44PublicKey.from_public_bytes(self.public_key).verify(signature, signed)
            else:
                Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, signed)
        except (InvalidSignature, ValueError) as error:
            message = f"the signature of {self.name} (key {self.key_id.hex()}) does not verify"
            raise VerificationError("signature", message) from error
        return stated

    def _subtree(self, text: str, seconds: int) -> bytes:
        """The ``cosigned_message`` of a checkpoint: the whole tree is the subtree from 0 on."""
        lines = text.split("\n")
        if len(lines) <= _CHECKPOINT_LINES:
            raise VerificationError("format", "what a witness cosigned is no checkpoint")
        name, origin, size = self.name.encode(), lines[0].encode(), decimal(lines[1])
        root = decode_base64(lines[2], "format")
        if len(root) != hashlib.sha256().digest_size or max(len(name), len(origin)) > _MAX_VECTOR:
            raise VerificationError("format", "what a witness cosigned is no checkpoint")
        return b"".join(
            (
                _SUBTREE_LABEL,
                bytes([len(name)]) + name,
                seconds.to_bytes(8),
                bytes([len(origin)]) + origin,
                (0).to_bytes(8) + size.to_bytes(8),
                root,
            )
        )


@dataclass(frozen=True)
class Signature:
    """One verified signature; ``time`` is set on witnesses' cosignatures alone."""

    key: VerifierKey
    time: datetime | None


@dataclass(frozen=True)
class Note:
    """The text of a note, and who of the trusted keys signed it."""

    text: str
    signatures: tuple[Signature, ...]


def parse_keys(text: str) -> tuple[VerifierKey, ...]:
    """Reads a key file: one verifier key a line; empty lines and ``#`` comments are skipped.

    Raises VerificationError(``key``), also if the file holds no key or one of them twice.
    """
    lines = [line.strip() for line in text.splitlines()]
    keys = tuple(VerifierKey.parse(line) for line in lines if line and not line.startswith("#"))
    if not keys:
        raise VerificationError("key", "the key file holds no key")
    if len({(key.name, key.key_id) for key in keys}) != len(keys):
        raise VerificationError("key", "the key file holds a key twice")
    return keys


def open_note(data: bytes, keys: Sequence[VerifierKey]) -> Note:
    """Returns the note if at least one of ``keys`` signed it.

    Signatures by other keys are ignored; one by a known key that does not verify spoils the
    note. Raises VerificationError(``format`` or ``signature``).
    """
    text, lines = split_note(data)
    known = {(key.name, key.key_id): key for key in keys}
    signatures: dict[tuple[str, bytes], Signature] = {}
    signers = [parse_signature_line(line) for line in lines]
    for name, key_id, signature in signers:
        key = known.get((name, key_id))
        if key is not None:
            signatures[name, key_id] = Signature(key, key.verify(text, signature))
    if not signatures:
        pinned = ", ".join(f"{key.name} ({key.key_id.hex()})" for key in keys)
        found = ", ".join(f"{name} ({key_id.hex()})" for name, key_id, _ in signers[:5])
        message = f"no pinned key signed this note: it is signed by {found}; pinned are {pinned}"
        raise VerificationError("signature", message)
    return Note(text, tuple(signatures.values()))


def split_note(data: bytes) -> tuple[str, list[str]]:
    """The text with its final newline, and the signature lines after the last blank line."""
    if len(data) > MAX_NOTE_BYTES:
        raise VerificationError("format", f"the note is larger than {MAX_NOTE_BYTES} bytes")
    try:
        whole = data.decode()
    except UnicodeDecodeError as error:
        raise VerificationError("format", "the note is not UTF-8") from error
    if any(ord(char) < _FIRST_PRINTABLE and char != "\n" for char in whole):
        raise VerificationError("format", "the note holds a control character")
    text, separator, tail = whole.rpartition("\n\n")
    if not separator or not text or not tail.endswith("\n"):
        raise VerificationError("format", "a note is a text, a blank line and signature lines")
    lines = tail[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise VerificationError("format", f"the note has more than {MAX_SIGNATURES} signatures")
    return text + "\n", lines


def parse_signature_line(line: str) -> tuple[str, bytes, bytes]:
    """Name, key id and signature of a line; raises VerificationError(``format``)."""
    parts = line.split(" ")
    if len(parts) != 3 or parts[0] != "—" or not _is_name(parts[1]):  # noqa: PLR2004 -- dash, name, blob
        raise VerificationError("format", "a signature line reads: dash, name, base64")
    blob = decode_base64(parts[2], "format")
    if len(blob) <= _KEY_ID_BYTES:
        raise VerificationError("format", "a signature line holds no signature")
    return parts[1], blob[:_KEY_ID_BYTES], blob[_KEY_ID_BYTES:]


def _is_name(text: str) -> bool:
    return bool(text) and "+" not in text and not any(char.isspace() for char in text)


def decode_base64(text: str, obligation: str) -> bytes:
    """Standard base64 in its one canonical spelling; raises VerificationError(``obligation``)."""
    try:
        value = binascii.a2b_base64(text, strict_mode=True)
    except ValueError as error:
        raise VerificationError(obligation, "not base64") from error
    if binascii.b2a_base64(value, newline=False) != text.encode():
        raise VerificationError(obligation, "not canonical base64")
    return value


def decimal(text: str) -> int:
    """An ASCII decimal below 2^63 without leading zeros; raises VerificationError(``format``)."""
    if not _DECIMAL.fullmatch(text) or int(text) >= 1 << 63:
        raise VerificationError("format", f"not a decimal number: {text[:30]!r}")
    return int(text)
