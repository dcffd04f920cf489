"""Checkpoints (c2sp.org/tlog-checkpoint): what a log says of itself, signed."""

import base64
import binascii
import re
from dataclasses import dataclass

from services.audit.domain.merkle import HASH_SIZE
from services.audit.domain.note import MalformedNoteError, Signer, Verifier, open_note, sign_note

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The first `size` entries of the log `origin` hash to `root`; `note` says so, signed."""

    origin: str
    size: int
    root: bytes
    note: str

    @classmethod
    def sign(cls, signer: Signer, size: int, root: bytes) -> "Checkpoint":
        """State size and root in the log's name; the key's name is the log's origin."""
        origin = signer.key.name
        text = f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"
        return cls(origin, size, root, sign_note(text, signer))

    @classmethod
    def read(cls, note: str, verifier: Verifier) -> "Checkpoint":
        """Read a checkpoint that `verifier` stands for, of its own log; else MalformedNoteError."""
        lines = open_note(note, verifier).removesuffix("\n").split("\n")
        match lines:
            case [origin, size, encoded] if _SIZE.fullmatch(size):
                try:
                    root = base64.b64decode(encoded, validate=True)
                except binascii.Error:
                    root = b""
                if origin == verifier.key.name and len(root) == HASH_SIZE:
                    return cls(origin, int(size), root, note)
        raise MalformedNoteError("the note is no checkpoint of this log")
