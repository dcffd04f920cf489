"""Logs of a test that may tell two histories: trees over made-up leaves, signed by real keys."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.audit.domain.checkpoint import Checkpoint
from services.audit.domain.log_keys import LogKeys
from services.audit.domain.merkle import consistency_spans, leaf_hash, tree_hash
from services.audit.domain.witnessing import Presented
from services.audit.store.note_key import NoteKey


def new_log(origin: str) -> LogKeys:
    """Makes a log with a key of its own."""
    key = NoteKey(origin, Ed25519PrivateKey.generate())
    return LogKeys(origin, (key,), (key,))


class History:
    """What one log says has happened; another story with the same keys is a fork of it."""

    def __init__(self, keys: LogKeys, story: str = "told", since: int = 0) -> None:
        self.keys = keys
        self._story = story
        self._since = since

    def root(self, size: int) -> bytes:
        """Returns the root of the first entries."""
        return tree_hash(self._hashes(0, size))

    def checkpoint(self, size: int) -> Checkpoint:
        """Signs a size."""
        return Checkpoint.sign(self.keys, size, self.root(size))

    def proof(self, first: int, second: int) -> tuple[bytes, ...]:
        """Proves that the tree of `second` begins with that of `first`."""
        if first == 0:
            return ()
        spans = consistency_spans(first, second)
        return tuple(tree_hash(self._hashes(span.start, span.end)) for span in spans)

    async def prove(self, first: int, second: int) -> tuple[bytes, ...]:
        """Proves it to whom awaits it."""
        return self.proof(first, second)

    def presented(self, old: int, size: int) -> Presented:
        """Asks for a cosignature as a log does that tells the truth about itself."""
        return Presented(old, self.proof(old, size), self.checkpoint(size).note)

    def _hashes(self, start: int, end: int) -> list[bytes]:
        stories = (self._story if at >= self._since else "told" for at in range(start, end))
        return [leaf_hash(f"{story} {start + at}".encode()) for at, story in enumerate(stories)]
