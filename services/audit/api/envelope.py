"""The bytes of an entry: a LogEntry message, serialised once, when it is sequenced."""

from accord.audit.v1 import log_entry_pb2 as wire
from google.protobuf.message import DecodeError

from runtime.event import Trace
from runtime.fault import Fault
from runtime.instants import from_wire, to_wire
from services.audit.domain.entry import FORMAT, SealedEntry, Section


class LogEntryEnvelope:
    """Entries as serialised `accord.audit.v1.LogEntry`."""

    def encode(self, entry: SealedEntry) -> bytes:
        """Serialise an entry; the result is kept, so that no encoder ever need repeat it."""
        message = wire.LogEntry(
            format=FORMAT,
            producer=entry.producer,
            sequence=entry.sequence,
            event_id=bytes.fromhex(entry.event_id),
            action=entry.action,
            outcome=entry.outcome,
            event_time=to_wire(entry.time),
            trace_id=bytes.fromhex(entry.trace.trace_id),
            span_id=bytes.fromhex(entry.trace.span_id),
            trace_flags=entry.trace.flags,
            account_pseudonym=entry.account_pseudonym,
            actor_pseudonym=entry.actor_pseudonym,
            sections=[
                wire.LogEntry.Section(
                    pseudonym=section.pseudonym,
                    commitments=section.commitments,
                    sealed=section.sealed,
                )
                for section in entry.sections
            ],
        )
        return message.SerializeToString(deterministic=True)

    def decode(self, leaf: bytes) -> SealedEntry:
        """Read an entry; ValueError when the bytes are none of a format known here."""
        try:
            message = wire.LogEntry.FromString(leaf)
        except DecodeError:
            raise ValueError("the bytes are no LogEntry") from None
        if message.format != FORMAT:
            raise ValueError(f"entry format {message.format} is unknown")
        if not message.sections:
            raise ValueError("an entry has a section")
        try:
            time = from_wire(message.event_time, "event_time")
        except Fault as fault:
            raise ValueError(str(fault)) from None
        return SealedEntry(
            producer=message.producer,
            sequence=message.sequence,
            event_id=message.event_id.hex(),
            action=message.action,
            outcome=message.outcome,
            time=time,
            trace=Trace(message.trace_id.hex(), message.span_id.hex(), message.trace_flags),
            account_pseudonym=message.account_pseudonym,
            actor_pseudonym=message.actor_pseudonym,
            sections=tuple(
                Section(section.pseudonym, tuple(section.commitments), section.sealed)
                for section in message.sections
            ),
        )
