"""The bytes of an entry: a LogEntry message, serialised once, when it is sequenced."""

from accord.audit.v1 import log_entry_pb2 as wire
from google.protobuf.message import DecodeError

from runtime.event import Trace
from runtime.fault import Fault
from runtime.instants import from_wire, to_wire
from services.audit.domain.entry import FORMAT, SealedEntry, Section

# Tags of the wire format: number << 3 | 2, length-delimited; the fixed lengths stand with theirs.
_SECTION = b"\x9a\x01"  # LogEntry.sections
_DESTROYED = b"\xa2\x01"  # LogEntry.destroyed
_PSEUDONYM, _COMMITMENT, _SEALED = b"\x0a\x10", b"\x12\x20", b"\x1a"


class LogEntryEnvelope:
    """Entries as serialised `accord.audit.v1.LogEntry`."""

    def encode(self, entry: SealedEntry) -> bytes:
        """Serialise an entry; the result is kept, so that no encoder ever need repeat it."""
        trace = entry.trace
        header = wire.LogEntry(
            format=FORMAT,
            producer=entry.producer,
            sequence=entry.sequence,
            event_id=bytes.fromhex(entry.event_id),
            event=entry.event,  # type: ignore[arg-type]  # of EventName
            outcome=entry.outcome,
            event_time=to_wire(entry.time),
            trace_id=bytes.fromhex(trace.trace_id),
            span_id=bytes.fromhex(trace.span_id),
            trace_flags=trace.flags,
            account_pseudonym=entry.account_pseudonym,
            actor_pseudonym=entry.actor_pseudonym,
            on_behalf_of_pseudonym=entry.behalf_pseudonym,
            actor=entry.actor,
            app=entry.app,
            own_sections=entry.own_sections,
            recipient_tags=entry.recipient_tags,
            contract_tags=entry.contract_tags,
        )
        # Messages that follow each other are one: the last of them may be written aside.
        ended = entry.destroyed.encode()
        last = _DESTROYED + _counted(ended) if ended else b""
        return header.SerializeToString() + b"".join(map(_section, entry.sections)) + last

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


def _counted(part: bytes) -> bytes:
    """Put the length in front, as a varint; an entry has less than 2^16 bytes."""
    size = len(part)
    if size < 1 << 7:
        return bytes((size,)) + part
    if size < 1 << 14:
        return bytes((size & 0x7F | 0x80, size >> 7)) + part
    return bytes((size & 0x7F | 0x80, size >> 7 & 0x7F | 0x80, size >> 14)) + part
