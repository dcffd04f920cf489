"""Cosignatures (c2sp.org/tlog-cosignature, Ed25519): a witness's word on a checkpoint, with a time.

It says that at this time the checkpoint was of the largest tree of its log that the witness had
seen, and that everything it saw before is the beginning of that tree.
"""

from datetime import datetime

from services.audit.domain.note import (
    COSIGNATURE,
    MalformedNoteError,
    Signature,
    Signer,
    Verifier,
    VerifierKey,
)

_TIME_SIZE = 8  # bytes, big-endian, seconds since 1970
_SIZE = _TIME_SIZE + 64
_MAX_TIME = (1 << 63) - 1


class Cosigner:
    """A witness's public key, as one that may stand below a checkpoint: `note.Verifier`."""

    def __init__(self, ed25519: Verifier) -> None:
        """Take the bare key; MalformedNoteError unless it is one that cosigns."""
        if ed25519.key.kind != COSIGNATURE:
            raise MalformedNoteError(f"{ed25519.key.name} is not the key of a witness")
        self._ed25519 = ed25519

    @property
    def key(self) -> VerifierKey:
        """Return the key in the form that is passed around."""
        return self._ed25519.key

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Tell whether this is the witness's cosignature of the text, at whatever time it says."""
        seconds = int.from_bytes(signature[:_TIME_SIZE])
        if len(signature) != _SIZE or not 0 < seconds <= _MAX_TIME:
            return False
        return self._ed25519.verify(signature[_TIME_SIZE:], _message(seconds, message))


def cosign(signer: Signer, text: str, at: datetime) -> Signature:
    """Cosign the text of a checkpoint."""
    seconds = int(at.timestamp())
    signed = signer.sign(_message(seconds, text.encode()))
    return Signature(signer.key, seconds.to_bytes(_TIME_SIZE) + signed)


def _message(seconds: int, text: bytes) -> bytes:
    return b"cosignature/v1\ntime %d\n" % seconds + text
