"""The bytes of an entry: a LogEntry message, serialised once, when it is sequenced."""

from datetime import datetime
from functools import lru_cache

from accord.audit.v1 import log_entry_pb2 as wire
from google.protobuf.message import DecodeError

from runtime.event import Trace
from runtime.fault import Fault
from runtime.instants import from_wire, to_wire
from services.audit.domain.entry import FORMAT, SealedEntry, Section

# Tags of the wire format: number << 3 | 0 for a varint, 2 for what has a length; a fixed length
# follows. Of LogEntry, in the order of the numbers:
_FORMAT = b"\x08" + bytes((FORMAT,))
_PRODUCER, _SEQUENCE, _EVENT_ID, _EVENT, _OUTCOME = b"\x12", b"\x18", b"\x22\x10", b"\x28", b"\x32"
_TIME, _TRACE_ID, _SPAN_ID, _TRACE_FLAGS = b"\x3a", b"\x42\x10", b"\x4a\x08", b"\x50"
_ACCOUNT_PSEUDONYM, _ACTOR_PSEUDONYM, _BEHALF_PSEUDONYM = b"\x5a\x10", b"\x62\x10", b"\x6a\x10"
_ACTOR, _APP, _OWN_SECTIONS = b"\x72", b"\x7a", b"\x80\x01"
_RECIPIENT_TAG, _CONTRACT_TAG = b"\x8a\x01\x10", b"\x92\x01\x10"
_SECTION, _DESTROYED = b"\x9a\x01", b"\xa2\x01"
# Of LogEntry.Section:
_PSEUDONYM, _COMMITMENT, _SEALED = b"\x0a\x10", b"\x12\x20", b"\x1a"
_BYTES = [bytes((number,)) for number in range(1 << 7)]


class LogEntryEnvelope:
    """Entries as serialised `accord.audit.v1.LogEntry`."""

    def encode(self, entry: SealedEntry) -> bytes:
        """Serialise an entry; the result is kept, so that no encoder ever need repeat it."""
        trace = entry.trace
        parts = [
            _FORMAT,
            _text(_PRODUCER, entry.producer),
            _SEQUENCE,
            _varint(entry.sequence),
            _EVENT_ID,
            bytes.fromhex(entry.event_id),
            _what(entry.event, entry.outcome),
            _time(entry.time),
        ]
        if trace.trace_id:
            parts += _TRACE_ID, bytes.fromhex(trace.trace_id)
        if trace.span_id:
            parts += _SPAN_ID, bytes.fromhex(trace.span_id)
        if trace.flags:
            parts += _TRACE_FLAGS, _varint(trace.flags)
        if entry.account_pseudonym:
            parts += _ACCOUNT_PSEUDONYM, entry.account_pseudonym
        if entry.actor_pseudonym:
            parts += _ACTOR_PSEUDONYM, entry.actor_pseudonym
        if entry.behalf_pseudonym:
            parts += _BEHALF_PSEUDONYM, entry.behalf_pseudonym
        parts += _text(_ACTOR, entry.actor), _text(_APP, entry.app)
        parts += _OWN_SECTIONS, _varint(entry.own_sections)
        for tag in entry.recipient_tags:
            parts += _RECIPIENT_TAG, tag
        for tag in entry.contract_tags:
            parts += _CONTRACT_TAG, tag
        parts += map(_section, entry.sections)
        parts.append(_text(_DESTROYED, entry.destroyed))
        return b"".join(parts)

    def decode(self, leaf: bytes) -> SealedEntry:
        """Read an entry; ValueError when the bytes are none of a format known here."""
        try:
            message = wire.LogEntry.FromString(leaf)
        except DecodeError:
            raise ValueError("the bytes are no LogEntry") from None
        if message.format != FORMAT:
            raise ValueError(f"entry format {message.format} is unknown")
        if not 0 < message.own_sections <= len(message.sections):
            raise ValueError("an entry has a section of its own")
        try:
            time = from_wire(message.event_time, "event_time")
        except Fault as fault:
            raise ValueError(str(fault)) from None
        return SealedEntry(
            producer=message.producer,
            sequence=message.sequence,
            event_id=message.event_id.hex(),
            event=message.event,
            outcome=message.outcome,
            time=time,
            trace=Trace(message.trace_id.hex(), message.span_id.hex(), message.trace_flags),
            account_pseudonym=message.account_pseudonym,
            actor_pseudonym=message.actor_pseudonym,
            behalf_pseudonym=message.on_behalf_of_pseudonym,
            actor=message.actor,
            app=message.app,
            recipient_tags=tuple(message.recipient_tags),
            contract_tags=tuple(message.contract_tags),
            own_sections=message.own_sections,
            sections=tuple(
                Section(section.pseudonym, tuple(section.commitments), section.sealed)
                for section in message.sections
            ),
            destroyed=message.destroyed,
        )


def _section(section: Section) -> bytes:
    """Write a section as its message is serialised: most of an entry, and dear as many objects."""
    pseudonym, commitments, sealed = section
    said = _COMMITMENT.join((_PSEUDONYM + pseudonym, *commitments))
    return _SECTION + _counted(said + _SEALED + _counted(sealed))


@lru_cache(maxsize=1024)
def _text(tag: bytes, text: str) -> bytes:
    """Write a text, unless it is empty; there are few of them, and each comes often."""
    return tag + _counted(text.encode()) if text else b""


@lru_cache(maxsize=1024)
def _what(event: int, outcome: str) -> bytes:
    return _EVENT + _varint(event) + _text(_OUTCOME, outcome)


def _time(time: datetime) -> bytes:
    return _TIME + _counted(to_wire(time).SerializeToString())


def _counted(part: bytes) -> bytes:
    return _varint(len(part)) + part


def _varint(number: int) -> bytes:
    """Write a number in groups of seven bits, lowest first."""
    if number < 1 << 7:
        return _BYTES[number]
    groups = bytearray()
    while number >= 1 << 7:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    groups.append(number)
    return bytes(groups)
