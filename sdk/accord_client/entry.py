"""The bytes that the log hashed, read as the entry that they are."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC
from enum import IntEnum

from accord.audit.v1.log_entry_pb2 import LogEntry
from google.protobuf.message import DecodeError

from accord_client.failure import VerificationError

_FORMAT = 1


class Facet(IntEnum):
    """By what the log finds an entry; the numbers are those of its index."""

    PERSON = 1
    ACTOR = 2
    APP = 3
    TRACE = 4
    RECIPIENT = 5
    CONTRACT = 6
    EVENT = 7
    OUTCOME = 8


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
    if not 0 < entry.own_sections <= len(entry.sections):
        raise VerificationError("format", "the entry has no section of its own")
    return entry


def people_of(entry: LogEntry) -> frozenset[bytes]:
    """The pseudonyms of the accounts that the entry is about."""
    among_several = {section.pseudonym for section in entry.sections[entry.own_sections :]}
    own = {entry.account_pseudonym, entry.on_behalf_of_pseudonym}
    return frozenset(own | among_several) - {b""}


def postings_of(entry: LogEntry) -> Iterator[tuple[Facet, bytes]]:
    """Under what an entry must be found, each pair once."""
    for pseudonym in people_of(entry):
        yield Facet.PERSON, pseudonym
    if entry.actor_pseudonym:
        yield Facet.ACTOR, entry.actor_pseudonym
    if entry.app_tag:
        yield Facet.APP, entry.app_tag
    if entry.trace_id:
        yield Facet.TRACE, entry.trace_id
    for tag in entry.recipient_tags:
        yield Facet.RECIPIENT, tag
    for tag in entry.contract_tags:
        yield Facet.CONTRACT, tag
    yield Facet.EVENT, int(entry.event).to_bytes(2)
    yield Facet.OUTCOME, entry.outcome.encode()
