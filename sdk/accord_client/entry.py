"""The bytes that the log hashed, read as the entry that they are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import IntEnum

from accord.audit.v1.log_entry_pb2 import LogEntry
from google.protobuf.message import DecodeError

from accord_client.failure import VerificationError

_FORMAT = 1
_MAX_SEQUENCE = (1 << 63) - 1
_MAX_EVENT = 0xFFFF  # the index keeps two bytes of it
_FIRST_SECOND, _LAST_SECOND = -62_135_596_800, 253_402_300_799  # the years 1 to 9999
_SECOND = 1_000_000_000  # nanoseconds
_SHORT, _LONG = 16, 32  # bytes of ids, pseudonyms and tags; of hashes
_MAYBE_SHORT, _ALL_LONG = frozenset((0, _SHORT)), frozenset((_LONG,))
_TRACES = {(0, 0), (16, 0), (16, 8)}
_APP = re.compile(r"(?:app|svc)/[a-z0-9][a-z0-9_-]{0,62}")
_WORKLOAD = re.compile(rf"spiffe://[a-z]{{2}}\.accord\.internal/{_APP.pattern}")


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
    except DecodeError as error:
        raise VerificationError("format", "the entry is not a log entry") from error
    if entry.format != _FORMAT:
        raise VerificationError("format", f"the entry is of unknown format {entry.format}")
    if not 0 < entry.own_sections <= len(entry.sections):
        raise VerificationError("format", "the entry has no section of its own")
    if malformed := _malformed(entry):
        raise VerificationError("format", f"the entry's {malformed} is not as an entry has it")
    return entry


def _malformed(entry: LogEntry) -> str:
    """The first member that no entry has so: what is signed may still be nonsense."""
    return _header(entry) or _names(entry) or _sections(entry)


def _header(entry: LogEntry) -> str:
    if not entry.producer or not 0 < entry.sequence <= _MAX_SEQUENCE:
        return "producer or sequence"
    if not 0 < entry.event <= _MAX_EVENT or not entry.outcome:
        return "event or outcome"
    if len(entry.event_id) != _SHORT:
        return "event id"
    time = entry.event_time
    if not _FIRST_SECOND <= time.seconds <= _LAST_SECOND or not 0 <= time.nanos < _SECOND:
        return "time"
    return "" if (len(entry.trace_id), len(entry.span_id)) in _TRACES else "trace"


def _names(entry: LogEntry) -> str:
    one = (
        len(entry.account_pseudonym),
        len(entry.actor_pseudonym),
        len(entry.on_behalf_of_pseudonym),
    )
    if not _MAYBE_SHORT.issuperset(one):
        return "pseudonym"
    # Whatever else stood there in clear might name a person.
    if entry.actor and (entry.actor_pseudonym or not _WORKLOAD.fullmatch(entry.actor)):
        return "actor"
    if entry.app and not _APP.fullmatch(entry.app):
        return "app"
    for tags in (entry.recipient_tags, entry.contract_tags):
        if tags and ({*map(len, tags)} != {_SHORT} or len(set(tags)) != len(tags)):
            return "tag"
    return ""


def _sections(entry: LogEntry) -> str:
    for section in entry.sections:
        if len(section.pseudonym) != _SHORT or not section.sealed:
            return "section"
        if not _ALL_LONG.issuperset(map(len, section.commitments)):
            return "commitment"
    return ""


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
    elif entry.actor:
        yield Facet.ACTOR, entry.actor.encode()
    if entry.app:
        yield Facet.APP, entry.app.encode()
    if entry.trace_id:
        yield Facet.TRACE, entry.trace_id
    for tag in entry.recipient_tags:
        yield Facet.RECIPIENT, tag
    for tag in entry.contract_tags:
        yield Facet.CONTRACT, tag
    yield Facet.EVENT, int(entry.event).to_bytes(2)
    yield Facet.OUTCOME, entry.outcome.encode()
