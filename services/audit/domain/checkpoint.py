"""Checkpoints (c2sp.org/tlog-checkpoint): what a log says of itself, signed."""

import base64
import re
from dataclasses import dataclass

from services.audit.domain.log_keys import KnownLog, LogKeys
from services.audit.domain.merkle import HASH_SIZE
from services.audit.domain.note import (
    MalformedNoteError,
    decode_base64,
    open_note,
    sign_note,
    split_note,
)

MAX_SIZE = (1 << 63) - 1
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The first `size` entries of the log `origin` hash to `root`; `note` says so, signed."""

    origin: str
    size: int
    root: bytes
    note: str

    @classmethod
    def sign(cls, keys: LogKeys, size: int, root: bytes) -> "Checkpoint":
        """State size and root in the log's name, with every key that signs."""
        text = f"{keys.origin}\n{size}\n{base64.b64encode(root).decode()}\n"
        return cls(keys.origin, size, root, sign_note(text, keys.signers))

    @classmethod
    def read(cls, note: str, log: KnownLog, *, newest: bool = False) -> "Checkpoint":
        """Read a checkpoint that a key of `log` stands for; else MalformedNoteError.

        A key that was retired stands for what it signed in its time, else who has stolen it could
        go on. Where that was not put down, it stands for no checkpoint that is to be the newest.
        """
        opened = open_note(note, log.verifiers)
        origin, size, root = read_text(opened.text)
        unknown = -1 if newest else MAX_SIZE
        until = (log.ended.get(each.key, MAX_SIZE) for each in opened.signatures)
        if size > max(unknown if each is None else each for each in until):
            raise MalformedNoteError(
                f"of {size} entries, and signed by a retired key alone: `retire --size` puts down "
                "up to which size such a key counts"
            )
        if origin != log.origin:
            raise MalformedNoteError(f"the checkpoint is not of {log.origin}")
        return cls(origin, size, root, note)

    @classmethod
    def stated(cls, note: str, origin: str) -> "Checkpoint":
        """Read what a note says of a log, and believe nothing yet; else MalformedNoteError."""
        named, size, root = read_text(split_note(note)[0])
        if named != origin:
            raise MalformedNoteError(f"the checkpoint is not of {origin}")
        return cls(origin, size, root, note)

    @property
    def text(self) -> str:
        """Return what is signed."""
        return split_note(self.note)[0]


def read_text(text: str) -> tuple[str, int, bytes]:
    """Return origin, size and root of a note's text; MalformedNoteError when they are not there.

    Further lines are the log's own affair, as long as none is empty.
    """
    match text.removesuffix("\n").split("\n"):
        case [origin, size, encoded, *extensions] if origin and all(extensions):
            root = decode_base64(encoded)
            if len(root) == HASH_SIZE:
                return origin, read_size(size), root
    raise MalformedNoteError("the note is no checkpoint")


def read_size(text: str) -> int:
    """Read a tree size: decimal, no leading zeros, below 2^63; else MalformedNoteError."""
    if _SIZE.fullmatch(text) is None or int(text) > MAX_SIZE:
        raise MalformedNoteError("not the size of a tree")
    return int(text)
