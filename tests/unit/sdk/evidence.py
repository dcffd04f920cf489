"""Evidence made by hand for the verifier's tests: a small log, its keys, its signed notes.

Built from the published formats alone, so that it is a second opinion on the log's own writer.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field

from accord.audit.v1 import event_pb2, log_entry_pb2
from accord_client.checkpoint import ProofFile
from accord_client.merkle import leaf_hash, root_of
from accord_client.note import Algorithm, VerifierKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ORIGIN = "nl.accord.internal/audit"
WITNESS = "sg.accord.internal/witness"


@dataclass
class Signer:
    """Signs notes under a name."""

    name: str
    algorithm: Algorithm = Algorithm.ED25519
    private: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    @property
    def key(self) -> VerifierKey:
        """The public half, as a pinned key file holds it."""
        return VerifierKey(self.name, self.algorithm, self.private.public_key().public_bytes_raw())

    def line(self, text: str, *, at: int | None = None) -> str:
        """The signature line for ``text``; with a time, a witness's cosignature."""
        signature = self.private.sign(text.encode())
        if at is not None:
            stamped = f"cosignature/v1\ntime {at}\n{text}".encode()
            signature = at.to_bytes(8) + self.private.sign(stamped)
        blob = base64.b64encode(self.key.key_id + signature).decode()
        return f"— {self.name} {blob}\n"


def checkpoint_text(size: int, root: bytes, origin: str = ORIGIN) -> str:
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"


def commitment(salt: bytes, name: str, value: str) -> bytes:
    preimage = salt + len(name.encode()).to_bytes(2) + name.encode() + value.encode()
    return hashlib.sha256(preimage).digest()


def entry(sequence: int = 1, fields: dict[str, str] | None = None) -> bytes:
    """A serialised entry that commits to ``fields``; the salts are the field's number repeated."""
    message = log_entry_pb2.LogEntry(
        format=1,
        producer="sharing",
        sequence=sequence,
        event_id=bytes(16),
        event=event_pb2.EVENT_NAME_SHARING_DECISION_PERMIT,
        own_sections=1,
        outcome="permit",
        account_pseudonym=b"p" * 16,
    )
    section = message.sections.add(pseudonym=b"p" * 16, sealed=b"sealed")
    for number, (name, value) in enumerate((fields or {}).items()):
        section.commitments.append(commitment(bytes([number]) * 32, name, value))
    return message.SerializeToString(deterministic=True)


def inclusion_path(index: int, leaves: list[bytes]) -> list[bytes]:
    """RFC 6962 §2.1.1, by its definition."""
    if len(leaves) == 1:
        return []
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    if index < split:
        return [*inclusion_path(index, leaves[:split]), root_of(leaves[split:])]
    return [*inclusion_path(index - split, leaves[split:]), root_of(leaves[:split])]


def proof_file(
    signer: Signer, entries: list[bytes], index: int, extra: bytes | None, tail: str = ""
) -> ProofFile:
    leaves = [leaf_hash(data) for data in entries]
    text = checkpoint_text(len(leaves), root_of(leaves))
    note = f"{text}\n{signer.line(text)}{tail}".encode()
    return ProofFile(index, tuple(inclusion_path(index, leaves)), note, extra)
