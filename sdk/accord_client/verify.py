"""Offline verification of one entry of the log, from a proof file and pinned keys alone.

What is proved, in this order; each number stands beside the code that proves it:

1. **Key.** The checkpoint carries a valid signature of a pinned key that speaks for its origin.
2. **Witnesses.** It is cosigned as the policy requires, when one is given.
3. **Inclusion.** The entry's bytes, hashed, lead to the checkpoint's root from the index given.
4. **Format.** Those bytes are an entry of the one format that is defined.
5. **Openings.** Each value shown is the one the entry commits to.

Not proved: that the entry tells the truth, that no other entry is missing, or that the value of a
field that is not shown has any particular content. The pinned key file must come from elsewhere
than the log.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from accord.audit.v1 import entry_pb2
from accord.audit.v1.log_entry_pb2 import LogEntry
from accord.audit.v1.read_service_pb2 import ProveInclusionResponse

from accord_client.checkpoint import Checkpoint, ProofFile
from accord_client.entry import parse_entry
from accord_client.event_names import text_of
from accord_client.failure import VerificationError
from accord_client.merkle import leaf_hash, verify_inclusion
from accord_client.note import VerifierKey, decode_base64
from accord_client.opening import Opening, opening_as_json, openings_from_json, verify_openings
from accord_client.policy import Policy
from accord_client.trust import Attested, Trust


@dataclass(frozen=True)
class VerifiedEntry:
    """What the proof shows; ``openings`` are those that the entry commits to, in their order."""

    attested: Attested
    index: int
    leaf_hash: bytes
    entry: LogEntry
    openings: tuple[Opening, ...]

    @property
    def checkpoint(self) -> Checkpoint:
        """The log's statement that the entry is part of."""
        return self.attested.checkpoint

    @property
    def shown(self) -> tuple[tuple[str, str], ...]:
        """The values that the entry says as a whole."""
        own = self.entry.own_sections
        return tuple((o.name, o.value) for o in self.openings if o.section < own)

    @property
    def shown_of_several(self) -> dict[int, tuple[tuple[str, str], ...]]:
        """The values about one person among several, by the number of their section."""
        own = self.entry.own_sections
        numbers = dict.fromkeys(o.section for o in self.openings if o.section >= own)
        return {
            number: tuple((o.name, o.value) for o in self.openings if o.section == number)
            for number in numbers
        }

    @property
    def action(self) -> str:
        """What happened: ``source:subject:action``."""
        return text_of(self.entry.event)

    @property
    def event_time(self) -> datetime:
        """When it happened, by the clock of the service that reported it."""
        return self.entry.event_time.ToDatetime(tzinfo=UTC)

    @property
    def commitments(self) -> int:
        """How many values the entry commits to, shown or not."""
        return sum(len(section.commitments) for section in self.entry.sections)


def pack_proof(response: ProveInclusionResponse, only: Collection[str] | None = None) -> ProofFile:
    """The proof file of the log's answer; the entry and its openings travel as ``extra``.

    ``only`` names the values that the file is to show, ``NAME`` wherever it stands or ``N:NAME`` in
    section N (from 0). Of all others it then holds the commitments, which tell nothing without
    their salts, and the sealed bytes. KeyError for a name that nothing opened has.
    """
    openings = list(response.openings)
    if only is not None:
        wanted = set(only)
        openings = [each for each in openings if not wanted.isdisjoint(_names_of(each))]
        if missing := wanted.difference(*map(_names_of, openings)):
            raise KeyError(min(missing))
    extra = {
        "leaf": base64.b64encode(response.entry.leaf).decode(),
        "openings": [opening_as_json(opening) for opening in openings],
    }
    return ProofFile(
        index=response.entry.index,
        path=tuple(response.proof),
        checkpoint=response.checkpoint.note.encode(),
        extra=json.dumps(extra, ensure_ascii=False, separators=(",", ":")).encode(),
    )


def _names_of(opening: entry_pb2.Opening) -> tuple[str, str]:
    return opening.name, f"{opening.section}:{opening.name}"


def verify_proof(
    proof: ProofFile, keys: Sequence[VerifierKey], policy: Policy | None = None
) -> VerifiedEntry:
    """Verifies a proof file that carries its entry; raises VerificationError."""
    leaf, openings = _unpack_extra(proof.extra)
    # 1. Key.
    attested = Trust(tuple(keys), policy).open(proof.checkpoint)
    # 2. Witnesses.
    attested.require_quorum()
    # 3. Inclusion.
    digest = leaf_hash(leaf)
    verify_inclusion(
        index=proof.index,
        size=attested.checkpoint.size,
        leaf=digest,
        proof=proof.path,
        root=attested.checkpoint.root,
    )
    # 4. Format.
    entry = parse_entry(leaf)
    # 5. Openings.
    return VerifiedEntry(attested, proof.index, digest, entry, verify_openings(entry, openings))


def _unpack_extra(extra: bytes | None) -> tuple[bytes, tuple[Opening, ...]]:
    """The entry and its openings; nothing in here is trusted before it is checked."""
    if extra is None:
        raise VerificationError("format", "the proof file does not carry its entry")
    try:
        content = json.loads(extra)
        leaf = decode_base64(content["leaf"], "format")
        openings = openings_from_json(content["openings"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise VerificationError("format", "the entry carried by the proof is malformed") from error
    return leaf, openings
