"""The wire's messages and plain values. What is malformed is refused here, field by field."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NoReturn

from accord.audit.v1 import append_service_pb2, checkpoint_pb2, entry_pb2

from runtime.event import Event, Section, Trace
from runtime.fault import invalid
from runtime.instants import from_wire, to_wire
from services.audit.domain.checkpoint import Checkpoint
from services.audit.domain.entry import OpenedEntry, Opening, Readability, Submission

_ACTION = re.compile(r"[a-z][a-z0-9_-]*(?::[a-z][a-z0-9_-]*){2}")
_OUTCOME = re.compile(r"[a-z][a-z0-9_-]*")
_FIELD = re.compile(r"[a-z0-9][a-z0-9_.-]*")
_EVENT_ID = re.compile(r"[0-9a-f]{32}")
_TRACE_ID = re.compile(r"(?!0{32})[0-9a-f]{32}")
_SPAN_ID = re.compile(r"(?!0{16})[0-9a-f]{16}")
_MAX_SEQUENCE = (1 << 63) - 1
_MAX_FLAGS = 0xFF
_MAX_ACTION, _MAX_OUTCOME, _MAX_FIELD_NAME = 100, 32, 64  # characters
_MAX_ACCOUNT, _MAX_ACTOR, _MAX_RESOURCE = 200, 400, 400  # bytes
_MAX_FIELDS, _MAX_SECTIONS = 1024, 1024

_READABILITY = {
    Readability.FULL: entry_pb2.READABILITY_FULL,
    Readability.PARTIAL: entry_pb2.READABILITY_PARTIAL,
    Readability.NONE: entry_pb2.READABILITY_NONE,
}


def submission(entry: append_service_pb2.NewEntry, at: str) -> Submission:
    """Decode an entry to be appended; `at` is its place in the request, for the refusal."""
    if not 0 < entry.sequence <= _MAX_SEQUENCE:
        raise invalid(f"{at}.sequence", "must be 1 to 2^63 - 1")
    matching(_ACTION, entry.action, f"{at}.action", "source:subject:action", _MAX_ACTION)
    matching(_OUTCOME, entry.outcome, f"{at}.outcome", "a lower-case word", _MAX_OUTCOME)
    if not entry.HasField("event_time"):
        raise invalid(f"{at}.event_time", "is required")
    return Submission(
        entry.sequence,
        Event(
            action=entry.action,
            outcome=entry.outcome,
            time=from_wire(entry.event_time, f"{at}.event_time"),
            account=_party(entry.account, f"{at}.account", _MAX_ACCOUNT),
            actor=_party(entry.actor, f"{at}.actor", _MAX_ACTOR),
            resource=_short(entry.resource, f"{at}.resource", _MAX_RESOURCE),
            fields=_fields(entry.fields, at),
            trace=_trace(entry, at),
            event_id=event_id(entry.event_id, f"{at}.event_id"),
            sections=_sections(entry, at),
        ),
    )


def event_id(text: str, field: str) -> str:
    """Check the UUID of an event."""
    if _EVENT_ID.fullmatch(text) is None:
        raise invalid(field, "must be 32 lower-case hexadecimal digits")
    return text


def trace_id(text: str, field: str) -> str:
    """Check a W3C trace id."""
    if _TRACE_ID.fullmatch(text) is None:
        raise invalid(field, "must be 32 lower-case hexadecimal digits, not all zero")
    return text


def matching(pattern: re.Pattern[str], text: str, field: str, shape: str, most: int) -> str:
    """Check a text against a grammar."""
    if len(text) > most or pattern.fullmatch(text) is None:
        raise invalid(field, f"must be {shape}, at most {most} characters")
    return text


def to_entry(opened: OpenedEntry) -> entry_pb2.Entry:
    """Encode an entry as its reader sees it."""
    event, stored = opened.event, opened.stored
    return entry_pb2.Entry(
        index=stored.index,
        leaf=stored.leaf,
        producer=stored.sealed.producer,
        sequence=stored.sealed.sequence,
        event_id=event.event_id,
        action=event.action,
        outcome=event.outcome,
        event_time=to_wire(event.time),
        trace_id=event.trace.trace_id,
        span_id=event.trace.span_id,
        trace_flags=event.trace.flags,
        readability=_READABILITY[opened.readability],
        account=event.account,
        actor=event.actor,
        resource=event.resource,
        fields=_to_fields(event.fields),
        sections=[
            entry_pb2.EventSection(account=section.account, fields=_to_fields(section.fields))
            for section in event.sections
        ],
    )


def to_opening(opening: Opening) -> entry_pb2.Opening:
    """Encode what shows that a commitment holds a value."""
    return entry_pb2.Opening(
        section=opening.section,
        position=opening.position,
        name=opening.name,
        salt=opening.salt,
        value=opening.value,
    )


def to_checkpoint(checkpoint: Checkpoint) -> checkpoint_pb2.Checkpoint:
    """Encode a checkpoint."""
    return checkpoint_pb2.Checkpoint(
        note=checkpoint.note, size=checkpoint.size, root_hash=checkpoint.root
    )


def _to_fields(values: Mapping[str, str]) -> list[entry_pb2.Field]:
    return [entry_pb2.Field(name=name, value=value) for name, value in values.items()]


def _party(text: str, field: str, most: int) -> str:
    if text.startswith("@"):
        raise invalid(field, "must not begin with '@'")
    return _short(text, field, most)


def _short(text: str, field: str, most: int) -> str:
    if len(text.encode()) > most:
        raise invalid(field, f"must be at most {most} bytes")
    return text


def _fields(given: Sequence[entry_pb2.Field], at: str) -> dict[str, str]:
    if len(given) > _MAX_FIELDS:
        raise invalid(f"{at}.fields", f"must be at most {_MAX_FIELDS}")
    fields = {field.name: field.value for field in given}
    if len(fields) < len(given) or not all(map(_is_field, fields)):
        _refuse_fields(given, at)
    return fields


def _refuse_fields(given: Sequence[entry_pb2.Field], at: str) -> NoReturn:
    """Say which of the fields is malformed: the first that is."""
    seen = set()
    for place, field in enumerate(given):
        name = f"{at}.fields[{place}].name"
        matching(_FIELD, field.name, name, "a lower-case name", _MAX_FIELD_NAME)
        if field.name in seen:
            raise invalid(name, "stands twice")
        seen.add(field.name)
    raise AssertionError("the fields are as they must be")


@lru_cache(maxsize=1024)
def _is_field(name: str) -> bool:
    """Tell whether a name is in the grammar; there are few names, and each comes often."""
    return len(name) <= _MAX_FIELD_NAME and _FIELD.fullmatch(name) is not None


def _sections(entry: append_service_pb2.NewEntry, at: str) -> tuple[Section, ...]:
    if len(entry.sections) > _MAX_SECTIONS:
        raise invalid(f"{at}.sections", f"must be at most {_MAX_SECTIONS}")
    return tuple(
        _section(section, f"{at}.sections[{place}]") for place, section in enumerate(entry.sections)
    )


def _section(section: entry_pb2.EventSection, at: str) -> Section:
    if not section.account:
        raise invalid(f"{at}.account", "is required")
    account = _party(section.account, f"{at}.account", _MAX_ACCOUNT)
    return Section(account, _fields(section.fields, at))


def _trace(entry: append_service_pb2.NewEntry, at: str) -> Trace:
    if not 0 <= entry.trace_flags <= _MAX_FLAGS:
        raise invalid(f"{at}.trace_flags", "must be one byte")
    if not entry.trace_id:
        if entry.span_id or entry.trace_flags:
            raise invalid(f"{at}.trace_id", "is required with span_id and trace_flags")
        return Trace()
    trace_id(entry.trace_id, f"{at}.trace_id")
    if entry.span_id and _SPAN_ID.fullmatch(entry.span_id) is None:
        raise invalid(f"{at}.span_id", "must be 16 lower-case hexadecimal digits, not all zero")
    return Trace(entry.trace_id, entry.span_id, entry.trace_flags)
