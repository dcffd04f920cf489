"""A log's checkpoints (c2sp.org/tlog-checkpoint v1.0.0) and proof files (c2sp.org/tlog-proof)."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from accord_client.failure import VerificationError
from accord_client.merkle import HASH_SIZE, verify_consistency
from accord_client.note import (
    Algorithm,
    Signature,
    VerifierKey,
    decimal,
    decode_base64,
    open_note,
    split_note,
)

PROOF_HEADER = "c2sp.org/tlog-proof@v1"
_MAX_PROOF_HASHES = 63  # a tree of 2^63 entries
_MIN_CHECKPOINT_LINES = 3


@dataclass(frozen=True)
class Checkpoint:
    """A log's signed statement: this many entries, under this root."""

    origin: str
    size: int
    root: bytes
    signatures: tuple[Signature, ...]

    @classmethod
    def open(cls, note: bytes, keys: Sequence[VerifierKey]) -> Checkpoint:
        """Verifies ``note`` with pinned ``keys`` and reads it.

        A log's own signature is required: an Ed25519 key whose name is the checkpoint's origin.
        A witness alone vouches for consistency, not for the log having said it.
        Raises VerificationError(``format`` or ``signature``).
        """
        opened = open_note(note, keys)
        origin, size, root = _read(opened.text)
        checkpoint = cls(origin, size, root, opened.signatures)
        if not checkpoint.log_keys:
            raise VerificationError("signature", f"no pinned key of {origin} signed the checkpoint")
        return checkpoint

    @property
    def log_keys(self) -> tuple[VerifierKey, ...]:
        """The pinned keys with which the log signed: several, while it changes its key."""
        return tuple(
            signature.key
            for signature in self.signatures
            if signature.key.algorithm is Algorithm.ED25519 and signature.key.name == self.origin
        )

    @property
    def cosignatures(self) -> tuple[Signature, ...]:
        """The signatures of witnesses."""
        return tuple(one for one in self.signatures if one.key.algorithm.cosigns)


def read_unverified(note: bytes) -> tuple[str, int, bytes]:
    """Origin, size and root that a note states, whoever signed it: a claim, to be proved later.

    Raises VerificationError(``format``).
    """
    return _read(split_note(note)[0])


def _read(text: str) -> tuple[str, int, bytes]:
    lines = text[:-1].split("\n")
    if len(lines) < _MIN_CHECKPOINT_LINES or not all(lines):
        raise VerificationError("format", "a checkpoint reads: origin, size, root")
    origin, size, root = lines[0], decimal(lines[1]), decode_base64(lines[2], "format")
    if len(root) != HASH_SIZE:
        raise VerificationError("format", "the root of a checkpoint is 32 bytes long")
    return origin, size, root


def verify_growth(old: Checkpoint, new: Checkpoint, proof: Sequence[bytes]) -> None:
    """Returns if the log of ``new`` begins with the log of ``old``, both verified before.

    Raises VerificationError(``consistency``): then the log has signed two histories, if the
    proof is not merely a wrong one.
    """
    if old.origin != new.origin:
        raise VerificationError("consistency", f"{old.origin} and {new.origin} are two logs")
    if new.size < old.size:
        raise VerificationError(
            "consistency", f"the log had {old.size} entries and now has {new.size}"
        )
    verify_consistency(
        old_size=old.size,
        new_size=new.size,
        proof=proof,
        old_root=old.root,
        new_root=new.root,
    )


@dataclass(frozen=True)
class ProofFile:
    """A ``.tlog-proof`` file: where an entry is, the path to the root, the checkpoint.

    ``extra`` is not covered by any signature; whoever uses it must check it against the leaf.
    """

    index: int
    path: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes | None = None

    @classmethod
    def parse(cls, data: bytes) -> ProofFile:
        """Reads the file; raises VerificationError(``format``). Nothing is verified yet."""
        head, separator, checkpoint = data.partition(b"\n\n")
        try:
            lines = head.decode("ascii").split("\n")
        except UnicodeDecodeError as error:
            raise VerificationError("format", "not a proof file: it is not plain text") from error
        if not separator or lines.pop(0) != PROOF_HEADER:
            raise VerificationError("format", f"not a proof file: it must begin {PROOF_HEADER}")
        extra = None
        if lines and lines[0].startswith("extra "):
            extra = decode_base64(lines.pop(0).removeprefix("extra "), "format")
        if not lines or not lines[0].startswith("index "):
            raise VerificationError("format", "the proof file has no index line")
        index = decimal(lines.pop(0).removeprefix("index "))
        path = tuple(decode_base64(line, "format") for line in lines)
        if len(path) > _MAX_PROOF_HASHES or any(len(value) != HASH_SIZE for value in path):
            raise VerificationError("format", "the path of the proof file is not a list of hashes")
        return cls(index, path, checkpoint, extra)

    def serialise(self) -> bytes:
        """The bytes of the file; ``parse`` gives the same value back."""
        lines = [PROOF_HEADER]
        if self.extra is not None:
            lines.append(f"extra {base64.b64encode(self.extra).decode()}")
        lines.append(f"index {self.index}")
        lines += [base64.b64encode(value).decode() for value in self.path]
        return "\n".join(lines).encode() + b"\n\n" + self.checkpoint
