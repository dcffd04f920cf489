"""Whose word counts for a log: its keys, which may be several while they change.

Every key of a log has the log's name; the key id in a signature line tells which one it was.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.audit.domain.note import Signer, Verifier, VerifierKey


@dataclass(frozen=True, slots=True)
class KnownLog:
    """A log, and the public keys that may speak for it."""

    origin: str
    verifiers: tuple[Verifier, ...]
    # Keys that sign no more, and up to which size of the log they count; None where nobody said.
    ended: Mapping[VerifierKey, int | None] = field(default_factory=dict, kw_only=True, hash=False)


@dataclass(frozen=True, slots=True)
class LogKeys(KnownLog):
    """A log of our own. The first of `signers` is the newest; all sign, so that every pin holds.

    `verifiers` has them all, and besides the retired ones: what they signed stays true.
    """

    signers: tuple[Signer, ...]

    @property
    def key(self) -> VerifierKey:
        """Return the newest key, the one to pin."""
        return self.signers[0].key
