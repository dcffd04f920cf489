"""The wire's messages and plain values. What is malformed is refused here, field by field."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NoReturn

from accord.audit.v1 import append_service_pb2, checkpoint_pb2, entry_pb2

from runtime.event import PARENT_KNOWN, PARENT_REMOTE, Decision, Event, Section, Trace
from runtime.event_names import is_known, text_of
from runtime.fault import invalid
from runtime.instants import from_wire, to_wire
from services.audit.domain.checkpoint import Checkpoint
from services.audit.domain.entry import OpenedEntry, Opening, Readability, Submission

_OUTCOME = re.compile(r"[a-z][a-z0-9_-]*")
_FIELD = re.compile(r"[a-z0-9][a-z0-9_.-]*")
_APP = re.compile(r"(?:app|svc)/[a-z0-9][a-z0-9_-]{0,62}")
_ANSWER = re.compile(r"[A-Z][A-Z0-9_]{0,63}")  # a decision's outcome, and each of its reasons
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_EVENT_ID = re.compile(r"[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}")  # UUIDv7: RFC 9562 §5.7
_TRACE_ID = re.compile(r"(?!0{32})[0-9a-f]{32}")
_SPAN_ID = re.compile(r"(?!0{16})[0-9a-f]{16}")
_MAX_FLAGS = 0xFF | PARENT_KNOWN | PARENT_REMOTE
_MAX_OUTCOME, _MAX_FIELD_NAME, _MAX_APP, _MAX_ANSWER = 32, 64, 67, 64  # characters
_MAX_ACCOUNT, _MAX_NAME, _MAX_DIGEST, _MAX_STATE = 200, 400, 128, 512  # bytes
_MAX_FIELDS, _MAX_SECTIONS, _MAX_NAMES = 1024, 1024, 1024
_MAX_REASONS, _MAX_CITATIONS = 64, 256
_LINE = "must be one line, not empty, at most {} bytes"
_UNDECIDED, _NOWHERE = Decision(), Trace()

_READABILITY = {
    Readability.FULL: entry_pb2.READABILITY_FULL,
    Readability.PARTIAL: entry_pb2.READABILITY_PARTIAL,
    Readability.NONE: entry_pb2.READABILITY_NONE,
}


def submissions(producer: str, wire: bytes) -> list[Submission]:
    """Decode the entries of a serialised AppendRequest from `producer`, and refuse what it may not.

    Who wrote a field that is malformed is told which.
    """
    entries = append_service_pb2.AppendRequest.FromString(wire).entries
    decoded = [submission(entry, f"entries[{at}]") for at, entry in enumerate(entries)]
    own = f"{producer}:"
    for at, each in enumerate(decoded):
        # Else one service could say in the log what another alone decides.
        if not each.event.action.startswith(own):
            raise invalid(f"entries[{at}].event", f"must be an event of {producer} itself")
    return decoded


def submission(entry: append_service_pb2.NewEntry, at: str) -> Submission:
    """Decode an entry to be appended; `at` is its place in the request, for the refusal."""
    if not is_known(entry.event):
        raise invalid(
            f"{at}.event",
            f"{entry.event} names no event here: audit is released before its producers",
        )
    outcome = entry.outcome
    if len(outcome) > _MAX_OUTCOME or not _is_outcome(outcome):
        raise invalid(
            f"{at}.outcome", f"must be a lower-case word, at most {_MAX_OUTCOME} characters"
        )
    if not entry.HasField("event_time"):
        raise invalid(f"{at}.event_time", "is required")
    actor = _party(entry.actor, at, "actor", _MAX_NAME)
    on_behalf_of = _party(entry.on_behalf_of, at, "on_behalf_of", _MAX_NAME)
    if actor and on_behalf_of == actor:
        raise invalid(f"{at}.on_behalf_of", "must be another than the actor")
    app = entry.app
    if app and (len(app) > _MAX_APP or not _is_app(app)):
        raise invalid(f"{at}.app", "must be app/<name> or svc/<name>")
    return Submission(
        entry.sequence,
        Event(
            action=text_of(entry.event),
            outcome=outcome,
            time=from_wire(entry.event_time, f"{at}.event_time"),
            account=_party(entry.account, at, "account", _MAX_ACCOUNT),
            actor=actor,
            resource=_short(entry.resource, at, "resource", _MAX_NAME),
            fields=_fields(entry.fields, at),
            trace=_trace(entry, at),
            event_id=event_id(entry.event_id, f"{at}.event_id"),
            sections=_sections(entry, at) if entry.sections else (),
            on_behalf_of=on_behalf_of,
            app=app,
            recipients=_names(entry.recipients, at, "recipients"),
            contracts=_names(entry.contracts, at, "contracts"),
            decision=_decision(entry.decision, f"{at}.decision")
            if entry.HasField("decision")
            else _UNDECIDED,
        ),
    )


def event_id(text: str, field: str) -> str:
    """Check the UUID of an event."""
    if _EVENT_ID.fullmatch(text) is None:
        raise invalid(field, "must be a UUID of version 7, 32 lower-case hexadecimal digits")
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
        event=stored.sealed.event,  # type: ignore[arg-type]  # of EventName
        action=event.action,
        outcome=event.outcome,
        event_time=to_wire(event.time),
        trace_id=event.trace.trace_id,
        span_id=event.trace.span_id,
        trace_flags=event.trace.flags,
        trace_state=event.trace.state,
        readability=_READABILITY[opened.readability],
        account=event.account,
        actor=event.actor,
        on_behalf_of=event.on_behalf_of,
        app=event.app,
        recipients=event.recipients,
        contracts=event.contracts,
        decision=_to_decision(event.decision),
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


def _to_decision(decision: Decision) -> entry_pb2.Decision | None:
    if decision == _UNDECIDED:
        return None
    return entry_pb2.Decision(
        name=decision.name,
        outcome=decision.outcome,
        reasons=decision.reasons,
        citations=decision.citations,
        rulebook_digest=decision.rulebook,
    )


# Where a member stands is put together for a refusal alone: nearly none is refused.
def _party(text: str, at: str, member: str, most: int) -> str:
    if text.startswith("@"):
        raise invalid(f"{at}.{member}", "must not begin with '@'")
    return _short(text, at, member, most)


def _short(text: str, at: str, member: str, most: int) -> str:
    if not _is_short(text, most):
        raise invalid(f"{at}.{member}", f"must be at most {most} bytes")
    return text


def _fields(given: Sequence[entry_pb2.Field], at: str) -> dict[str, str]:
    if len(given) > _MAX_FIELDS:
        raise invalid(f"{at}.fields", f"must be at most {_MAX_FIELDS}")
    fields = {field.name: field.value for field in given}
    long = max(map(len, fields), default=0) > _MAX_FIELD_NAME
    if long or len(fields) < len(given) or not _are_fields(tuple(fields)):
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


def _names(given: Sequence[str], at: str, member: str) -> tuple[str, ...]:
    if not given:
        return ()
    field = f"{at}.{member}"
    names = tuple(given)
    if len(names) > _MAX_NAMES or len(set(names)) < len(names):
        raise invalid(field, f"must be at most {_MAX_NAMES}, each once")
    for place, name in enumerate(names):
        if len(name) > _MAX_NAME or not _is_name(name):
            raise invalid(f"{field}[{place}]", _LINE.format(_MAX_NAME))
    return names


def _decision(given: entry_pb2.Decision, at: str) -> Decision:
    outcome, reasons, citations = given.outcome, tuple(given.reasons), tuple(given.citations)
    name, digest = given.name, given.rulebook_digest
    if len(reasons) > _MAX_REASONS or len(citations) > _MAX_CITATIONS:
        most = f"must be at most {_MAX_REASONS} reasons and {_MAX_CITATIONS} citations"
        raise invalid(at, most)
    words = {f"reasons[{place}]": reason for place, reason in enumerate(reasons)}
    if outcome:
        words["outcome"] = outcome
    for field, word in words.items():
        if len(word) > _MAX_ANSWER or not _is_answer(word):
            raise invalid(f"{at}.{field}", "must be a word in upper case, at most 64 characters")
    for place, citation in enumerate(citations):
        if not citation or not _is_line(citation, _MAX_NAME):
            raise invalid(f"{at}.citations[{place}]", _LINE.format(_MAX_NAME))
    if not _is_line(name, _MAX_NAME):
        raise invalid(f"{at}.name", _LINE.format(_MAX_NAME))
    if not _is_line(digest, _MAX_DIGEST):
        raise invalid(f"{at}.rulebook_digest", _LINE.format(_MAX_DIGEST))
    return Decision(name, outcome, reasons, citations, digest)


def _is_line(text: str, most: int) -> bool:
    """Tell whether a text is short enough, and holds no line feed or other control character."""
    clear = text.isprintable() or _CONTROL.search(text) is None
    return clear and _is_short(text, most)


def _is_short(text: str, most: int) -> bool:
    """Tell whether a text is at most so many bytes; a character has four at most."""
    return len(text) << 2 <= most or len(text.encode()) <= most


# There are few of these words, and each comes often: so do the names that an event's fields have.
# Whoever asks has seen that a text is not long, so that what is remembered is small.
@lru_cache(maxsize=1024)
def _is_outcome(text: str) -> bool:
    return _OUTCOME.fullmatch(text) is not None


@lru_cache(maxsize=1024)
def _is_app(text: str) -> bool:
    return _APP.fullmatch(text) is not None


@lru_cache(maxsize=1024)
def _is_answer(text: str) -> bool:
    return _ANSWER.fullmatch(text) is not None


@lru_cache(maxsize=1024)
def _is_name(text: str) -> bool:
    return text != "" and _is_line(text, _MAX_NAME)


@lru_cache(maxsize=256)
def _are_fields(names: tuple[str, ...]) -> bool:
    return all(_FIELD.fullmatch(name) for name in names)


def _sections(entry: append_service_pb2.NewEntry, at: str) -> tuple[Section, ...]:
    if len(entry.sections) > _MAX_SECTIONS:
        raise invalid(f"{at}.sections", f"must be at most {_MAX_SECTIONS}")
    return tuple(
        _section(section, f"{at}.sections[{place}]") for place, section in enumerate(entry.sections)
    )


def _section(section: entry_pb2.EventSection, at: str) -> Section:
    if not section.account:
        raise invalid(f"{at}.account", "is required")
    account = _party(section.account, at, "account", _MAX_ACCOUNT)
    return Section(account, _fields(section.fields, at))


def _trace(entry: append_service_pb2.NewEntry, at: str) -> Trace:
    here, span, flags, state = entry.trace_id, entry.span_id, entry.trace_flags, entry.trace_state
    if not here:
        if span or flags or state:
            raise invalid(f"{at}.trace_id", "is required with the rest of a trace")
        return _NOWHERE
    trace_id(here, f"{at}.trace_id")
    if span and _SPAN_ID.fullmatch(span) is None:
        raise invalid(f"{at}.span_id", "must be 16 lower-case hexadecimal digits, not all zero")
    if flags > _MAX_FLAGS or (flags & PARENT_REMOTE and not flags & PARENT_KNOWN):
        raise invalid(f"{at}.trace_flags", "must be W3C's byte, alone or with bit 8, or 8 and 9")
    if state and not _is_line(state, _MAX_STATE):
        raise invalid(f"{at}.trace_state", _LINE.format(_MAX_STATE))
    return Trace(here, span, flags, state)
