"""Offline verification of one entry of the log, from a proof file and pinned keys alone.

What is proved, in this order; each number stands beside the code that proves it:

1. **Key.** The checkpoint carries a valid signature of a pinned key that speaks for its origin.
2. **Inclusion.** The entry's bytes, hashed, lead to the checkpoint's root from the index given.
3. **Format.** Those bytes are an entry of the one format that is defined.
4. **Openings.** Each value shown is the one the entry commits to:
   SHA-256(32-byte salt ‖ uint16(length of name) ‖ name ‖ value), big-endian, UTF-8.

Not proved: that the entry tells the truth, that no other entry is missing, or that the value of a
field that is not shown has any particular content. The pinned key file must come from elsewhere
than the log.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from accord.audit.v1 import entry_pb2, log_entry_pb2
from accord.audit.v1.read_service_pb2 import ProveInclusionResponse
from google.protobuf.message import DecodeError

from accord_client.checkpoint import Checkpoint, ProofFile
from accord_client.failure import VerificationError
from accord_client.merkle import leaf_hash, verify_inclusion
from accord_client.note import VerifierKey, decode_base64

_FORMAT = 1
_SALT_BYTES = 32
_MAX_NAME_BYTES = 0xFFFF


@dataclass(frozen=True)
class Opening:
    """The claim that a commitment of an entry holds ``value`` under ``name``."""

    section: int
    position: int
    name: str
    salt: bytes
    value: str


@dataclass(frozen=True)
class VerifiedEntry:
    """What the proof shows; ``openings`` are those that the entry commits to, in their order."""

    checkpoint: Checkpoint
    index: int
    leaf_hash: bytes
    entry: log_entry_pb2.LogEntry
    openings: tuple[Opening, ...]

    @property
    def shown(self) -> tuple[tuple[str, str], ...]:
        """The values that the entry says as a whole."""
        own = own_sections(self.entry)
        return tuple((o.name, o.value) for o in self.openings if o.section < own)

    @property
    def shown_of_several(self) -> dict[int, tuple[tuple[str, str], ...]]:
        """The values about one person among several, by the number of their section."""
        own = own_sections(self.entry)
        numbers = dict.fromkeys(o.section for o in self.openings if o.section >= own)
        return {
            number: tuple((o.name, o.value) for o in self.openings if o.section == number)
            for number in numbers
        }

    @property
    def event_time(self) -> datetime:
        """When it happened, by the clock of the service that reported it."""
        return self.entry.event_time.ToDatetime(tzinfo=UTC)

    @property
    def commitments(self) -> int:
        """How many values the entry commits to, shown or not."""
        return sum(len(section.commitments) for section in self.entry.sections)


def pack_proof(response: ProveInclusionResponse) -> ProofFile:
    """The proof file of the log's answer; the entry and its openings travel as ``extra``."""
    extra = {
        "leaf": base64.b64encode(response.entry.leaf).decode(),
        "openings": [_opening_as_json(opening) for opening in response.openings],
    }
    return ProofFile(
        index=response.entry.index,
        path=tuple(response.proof),
        checkpoint=response.checkpoint.note.encode(),
        extra=json.dumps(extra, ensure_ascii=False, separators=(",", ":")).encode(),
    )


def verify_proof(proof: ProofFile, keys: Sequence[VerifierKey]) -> VerifiedEntry:
    """Verifies a proof file that carries its entry; raises VerificationError."""
    leaf, openings = _unpack_extra(proof.extra)
    # 1. Key.
    checkpoint = Checkpoint.open(proof.checkpoint, keys)
    # 2. Inclusion.
    digest = leaf_hash(leaf)
    verify_inclusion(
        index=proof.index,
        size=checkpoint.size,
        leaf=digest,
        proof=proof.path,
        root=checkpoint.root,
    )
    # 3. Format.
    entry = parse_entry(leaf)
    # 4. Openings.
    for opening in openings:
        verify_opening(entry, opening)
    # The same opening twice opens nothing more.
    shown = tuple({(o.section, o.position): o for o in openings}.values())
    return VerifiedEntry(checkpoint, proof.index, digest, entry, shown)


def parse_entry(leaf: bytes) -> log_entry_pb2.LogEntry:
    """Reads the bytes that the log hashed; raises VerificationError(``format``)."""
    entry = log_entry_pb2.LogEntry()
    try:
        entry.ParseFromString(leaf)
        entry.event_time.ToDatetime(tzinfo=UTC)
    except (DecodeError, ValueError) as error:
        raise VerificationError("format", "the entry is not a log entry") from error
    if entry.format != _FORMAT:
        raise VerificationError("format", f"the entry is of unknown format {entry.format}")
    if not entry.sections:
        raise VerificationError("format", "the entry has no section")
    return entry


def own_sections(entry: log_entry_pb2.LogEntry) -> int:
    """How many sections are the entry's own: the subject's, and the actor's if it is another.

    Each section after these says something about one person among several.
    """
    return 1 + (entry.actor_pseudonym not in (b"", entry.sections[0].pseudonym))


def people_of(entry: log_entry_pb2.LogEntry) -> frozenset[bytes]:
    """The pseudonyms of the accounts that the entry is about."""
    among_several = {section.pseudonym for section in entry.sections[own_sections(entry) :]}
    return frozenset({entry.account_pseudonym} | among_several) - {b""}


def verify_opening(entry: log_entry_pb2.LogEntry, opening: Opening) -> None:
    """Returns if the entry commits to the value shown; raises VerificationError(``opening``)."""
    name, value = opening.name.encode(), opening.value.encode()
    if len(opening.salt) != _SALT_BYTES or len(name) > _MAX_NAME_BYTES:
        raise VerificationError("opening", f"the opening of {opening.name} is malformed")
    if not (
        0 <= opening.section < len(entry.sections)
        and 0 <= opening.position < len(entry.sections[opening.section].commitments)
    ):
        raise VerificationError("opening", f"the entry has no place for {opening.name}")
    preimage = opening.salt + len(name).to_bytes(2) + name + value
    committed = entry.sections[opening.section].commitments[opening.position]
    if hashlib.sha256(preimage).digest() != committed:
        message = f"the entry does not commit to the value shown for {opening.name}"
        raise VerificationError("opening", message)


def _opening_as_json(opening: entry_pb2.Opening) -> dict[str, object]:
    return {
        "section": opening.section,
        "position": opening.position,
        "name": opening.name,
        "salt": base64.b64encode(opening.salt).decode(),
        "value": opening.value,
    }


def _unpack_extra(extra: bytes | None) -> tuple[bytes, tuple[Opening, ...]]:
    """The entry and its openings; nothing in here is trusted before it is checked."""
    if extra is None:
        raise VerificationError("format", "the proof file does not carry its entry")
    try:
        content = json.loads(extra)
        leaf = decode_base64(content["leaf"], "format")
        openings = tuple(_read_openings(content["openings"]))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise VerificationError("format", "the entry carried by the proof is malformed") from error
    return leaf, openings


def _read_openings(items: Iterable[dict[str, str | int]]) -> Iterable[Opening]:
    for item in items:
        section, position = item["section"], item["position"]
        name, salt, value = item["name"], item["salt"], item["value"]
        if not isinstance(section, int) or not isinstance(position, int):
            raise TypeError("a place is a number")
        if not isinstance(name, str) or not isinstance(salt, str) or not isinstance(value, str):
            raise TypeError("a name, a salt and a value are text")
        (name + value).encode()  # JSON can spell text that UTF-8 cannot: a ValueError
        yield Opening(section, position, name, decode_base64(salt, "format"), value)
