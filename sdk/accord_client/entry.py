"""The bytes that the log hashed, read as the entry that they are."""

from __future__ import annotations

from datetime import UTC

from accord.audit.v1.log_entry_pb2 import LogEntry
from google.protobuf.message import DecodeError

from accord_client.failure import VerificationError

_FORMAT = 1


def parse_entry(leaf: bytes) -> LogEntry:
    """Reads the bytes that the log hashed; raises VerificationError(``format``)."""
    entry = LogEntry()
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


def own_sections(entry: LogEntry) -> int:
    """How many sections are the entry's own: the subject's, and the actor's if it is another.

    Each section after these says something about one person among several.
    """
    return 1 + (entry.actor_pseudonym not in (b"", entry.sections[0].pseudonym))


def people_of(entry: LogEntry) -> frozenset[bytes]:
    """The pseudonyms of the accounts that the entry is about."""
    among_several = {section.pseudonym for section in entry.sections[own_sections(entry) :]}
    return frozenset({entry.account_pseudonym} | among_several) - {b""}
