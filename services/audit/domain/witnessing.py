"""What a witness is asked, and what it must be shown before it cosigns (c2sp.org/tlog-witness).

A witness keeps of each log the largest tree that it has cosigned. It cosigns what provably begins
with that tree, and nothing else: then all that it ever cosigned is one history.
"""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from services.audit.domain.checkpoint import Checkpoint, read_size
from services.audit.domain.merkle import EMPTY_ROOT, HASH_SIZE
from services.audit.domain.note import MalformedNoteError, decode_base64
from services.audit.domain.verification import consistent

MAX_PROOF = 63  # hashes: a tree of 2^63 entries is that high
# Of a request: the proof, and a note with a hundred of the longest signatures that there are.
MAX_BYTES = 1 << 19
_OLD = re.compile(r"old ([0-9]+)")


class Why(Enum):
    """For what a checkpoint is not cosigned."""

    MALFORMED = "the request is malformed"
    LOG_UNKNOWN = "this witness does not know the log"
    NOT_SIGNED = "no signature of a key that is trusted for the log, or a wrong one"
    SHRINKS = "the old size is larger than that of the checkpoint"
    STALE = "the old size is not that of the tree cosigned last"
    FORKED = "another tree of this size was cosigned"
    NOT_PROVEN = "the checkpoint does not provably continue the tree cosigned last"


class NotCosignedError(Exception):
    """The witness does not cosign; `size` is that of the tree cosigned last, when STALE."""

    def __init__(self, why: Why, size: int = 0) -> None:
        super().__init__(why.value)
        self.why = why
        self.size = size


@dataclass(frozen=True, slots=True)
class Witnessed:
    """The largest tree of a log that was cosigned; `note` has log's and witness's signature."""

    origin: str
    size: int
    root: bytes
    note: str


@dataclass(frozen=True, slots=True)
class Presented:
    """A checkpoint that somebody presents, nothing of it believed yet."""

    old_size: int  # of the tree that the proof begins with
    proof: tuple[bytes, ...]
    note: str

    def __str__(self) -> str:
        """Return the body of the request."""
        lines = [
            f"old {self.old_size}",
            *(base64.b64encode(hash_).decode() for hash_ in self.proof),
        ]
        return "\n".join([*lines, "", self.note])

    @classmethod
    def read(cls, body: bytes) -> "Presented":
        """Read the body of a request; NotCosignedError when it is malformed."""
        try:
            head, separator, note = body.decode().partition("\n\n")
            old, *proof = head.split("\n")
            match = _OLD.fullmatch(old)
            if not separator or match is None or len(proof) > MAX_PROOF:
                raise NotCosignedError(Why.MALFORMED)
            return cls(read_size(match[1]), tuple(map(_hash, proof)), note)
        except (UnicodeDecodeError, MalformedNoteError):
            raise NotCosignedError(Why.MALFORMED) from None

    def check(self, checkpoint: Checkpoint, last: Witnessed | None) -> None:
        """Raise NotCosignedError unless the checkpoint provably continues what was cosigned last.

        `checkpoint` is what the note says, its signature found good.
        """
        size, root = (last.size, last.root) if last else (0, EMPTY_ROOT)
        if self.old_size > checkpoint.size:
            raise NotCosignedError(Why.SHRINKS)
        if self.old_size != size:
            raise NotCosignedError(Why.STALE, size)
        if checkpoint.size == size and checkpoint.root != root:
            raise NotCosignedError(Why.FORKED)
        if not _continues(size, root, checkpoint, self.proof):
            raise NotCosignedError(Why.NOT_PROVEN)


def _continues(size: int, root: bytes, checkpoint: Checkpoint, proof: Sequence[bytes]) -> bool:
    if size == 0:  # every tree begins with the empty one; there is nothing to prove
        return not proof
    return consistent(size, checkpoint.size, root, checkpoint.root, proof)


def _hash(line: str) -> bytes:
    decoded = decode_base64(line)
    if len(decoded) != HASH_SIZE:
        raise MalformedNoteError("not a hash")
    return decoded
