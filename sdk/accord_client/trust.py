"""What somebody trusts before looking at any evidence: pinned keys of a log, and a policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from accord_client.checkpoint import Checkpoint
from accord_client.failure import VerificationError
from accord_client.note import VerifierKey
from accord_client.policy import Policy, Standing


@dataclass(frozen=True)
class Attested:
    """A checkpoint that a pinned key signed; ``standing`` is what the policy, if any, makes of it.

    ``checkpoint.size`` is how much of the log it covers.
    """

    checkpoint: Checkpoint
    standing: Standing | None

    @property
    def signers(self) -> str:
        """Who signed for the log, in words."""
        keys = self.checkpoint.log_keys
        return ", ".join(f"{key.name} (key {key.key_id.hex()})" for key in keys)

    @property
    def cosigned(self) -> str:
        """By whom it was cosigned and whether that is enough, in words."""
        standing = self.standing
        if standing is None:
            others = [one.key.name for one in self.checkpoint.cosignatures]
            known = f"by {', '.join(others)}; " if others else ""
            return f"{known}quorum not verified: no policy was given"
        by = ", ".join(f"{one.name} at {one.time:%Y-%m-%d %H:%M:%S}Z" for one in standing.cosigners)
        held = "holds" if standing.satisfied else "does NOT hold"
        return f"by {by or 'no witness of the policy'}; the quorum ({standing.rule}) {held}"

    def require_quorum(self) -> None:
        """Returns if the policy is met or there is none; raises VerificationError(``quorum``)."""
        standing = self.standing
        if standing is not None and not standing.satisfied:
            cosigned = ", ".join(one.name for one in standing.cosigners) or "nobody"
            raise VerificationError(
                "quorum",
                f"the policy requires {standing.rule}; cosigned by {cosigned}, "
                f"not by {', '.join(standing.missing) or 'anyone else'}",
            )


@dataclass(frozen=True)
class Trust:
    """Pinned keys, one or several for a log whose key changes, and optionally a policy.

    Without pinned keys the logs of the policy are the ones that are trusted; with both, a
    checkpoint must satisfy both. None of it may come from the log.
    """

    keys: tuple[VerifierKey, ...]
    policy: Policy | None = None

    @property
    def log_keys(self) -> Sequence[VerifierKey]:
        """The keys that may speak for a log."""
        return self.keys or (self.policy.logs if self.policy else ())

    @property
    def known(self) -> Sequence[VerifierKey]:
        """The keys with which a note is opened: those of logs, and of the policy's witnesses."""
        witnesses = self.policy.witnesses.values() if self.policy else ()
        return tuple(dict.fromkeys((*self.log_keys, *witnesses)))

    def open(self, note: bytes) -> Attested:
        """Verifies a note and judges it; that a quorum is not met is said, not raised.

        Raises VerificationError(``format``, ``signature`` or ``policy``).
        """
        policy = self.policy
        checkpoint = Checkpoint.open(note, self.known)
        return Attested(checkpoint, policy.judge(checkpoint) if policy else None)
