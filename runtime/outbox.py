"""The outbox: a case writes its audit event in its own transaction, so neither exists alone.

Rows have no number: it follows from their order, which never changes once they have settled.
`runtime.relay` delivers them in that order and removes them, from the first on, only when a signed
checkpoint of the log covers them.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

from accord.audit.v1.append_service_pb2 import NewEntry
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Index,
    LargeBinary,
    MetaData,
    Table,
    Text,
    literal_column,
    true,
)

from runtime.db import BigInt, Instant, insert_rows
from runtime.event import LARGEST, Decision, Event
from runtime.event_names import number_of
from runtime.instants import to_wire

# What audit takes (accord.audit.v1.NewEntry), and no more.
_OUTCOME = re.compile(r"[a-z][a-z0-9_]{0,31}")
_FIELD = re.compile(r"[a-z][a-z0-9_.]{0,63}")
_APP = re.compile(r"(?:app|svc)/[a-z0-9][a-z0-9_-]{0,62}")
_ANSWER = re.compile(r"[A-Z][A-Z0-9_]{0,63}")  # a decision's outcome, and each of its reasons
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LONGEST_ACCOUNT, _LONGEST_NAME = 200, 400  # bytes of an account, of an actor or a resource
_LONGEST_DIGEST, _LONGEST_STATE = 128, 512
_MOST_REASONS, _MOST_CITATIONS = 64, 256
_MOST_FIELDS = 256  # in an event's own fields, and in each of its sections
_MOST_SECTIONS = 1024
_NO_DECISION = Decision()


def outbox_table(metadata: MetaData) -> Table:
    """Declare a service's outbox, and the relay's memory beside it."""
    Table(
        "outbox_relay",
        metadata,
        Column("name", Text, primary_key=True),
        Column("last_sequence", BigInt, nullable=False),  # of the last row that was removed
        Column("holder", Text, nullable=False),
        Column("lease_until", Instant, nullable=False),
        sqlite_strict=True,
    )
    return Table(
        "outbox",
        metadata,
        Column("id", BigInt, primary_key=True, autoincrement=True),
        # PostgreSQL commits out of order: the relay reads below the oldest running transaction.
        Column("xid", BigInt, nullable=False),
        Column("event", LargeBinary, nullable=False),  # a NewEntry, complete but for its number
        Index(None, "xid", "id"),
        sqlite_strict=True,
    )


def publish(tx: Connection, table: Table, *events: Event) -> None:
    """Write events in the caller's transaction.

    ValueError for what the log would refuse: once committed, such an event would hold up all that
    follow it; here the case itself still fails.
    """
    append(tx, table, [encoded(event) for event in events])


def append(tx: Connection, table: Table, events: Sequence[bytes]) -> None:
    """Write events that `encoded` made, in the caller's transaction."""
    current = "pg_current_xact_id()::text::bigint" if tx.dialect.name == "postgresql" else "0"
    insert_rows(tx, table, ("event",), [(event,) for event in events], xid=current)


def encoded(event: Event) -> bytes:
    """Return an event as its row keeps it; ValueError for what the log would refuse."""
    if not _is_outcome(event.outcome):
        raise ValueError("an outcome is a word in lower case")
    parts = [event.fields, *(section.fields for section in event.sections)]
    if max(map(len, parts)) > _MOST_FIELDS or len(event.sections) > _MOST_SECTIONS:
        raise ValueError("an event is larger than an entry of the log may be")
    if not all(map(_is_field, set().union(*parts))):
        raise ValueError("the name of a field is a word in lower case")
    accounts = {event.account, *(section.account for section in event.sections)}
    lengths = [(account, _LONGEST_ACCOUNT) for account in accounts]
    others = (event.actor, event.on_behalf_of, event.resource)
    for name, most in (*lengths, *((name, _LONGEST_NAME) for name in others)):
        if len(name.encode()) > most or name.startswith("@"):
            raise ValueError("an account, actor or resource is too long, or begins with @")
    if event.actor and event.on_behalf_of == event.actor:
        raise ValueError("who acts for themselves acts on behalf of nobody")
    if not all(section.account for section in event.sections):
        raise ValueError("a section is about an account")
    _check_names(event)
    _check_decision(event.decision)
    if event.size > LARGEST:
        raise ValueError("an event is larger than an entry of the log may be")
    return encode(event)


def _check_names(event: Event) -> None:
    if event.app and not _is_app(event.app):
        raise ValueError("an app reads app/<name> or svc/<name>")
    for names in (event.recipients, event.contracts):
        if len(names) > _MOST_SECTIONS or len(set(names)) < len(names):
            raise ValueError("recipients and contracts stand once each, and are not too many")
        if not all(name and _is_line(name, _LONGEST_NAME) for name in names):
            raise ValueError("a recipient or contract is too long, or empty")
    if not _is_line(event.trace.state, _LONGEST_STATE):
        raise ValueError("the state of a trace is too long")


def _check_decision(decision: Decision) -> None:
    words = [decision.outcome] if decision.outcome else []
    if not all(map(_is_answer, (*words, *decision.reasons))):
        raise ValueError("a decision's outcome and reasons are words in upper case")
    if len(decision.reasons) > _MOST_REASONS or len(decision.citations) > _MOST_CITATIONS:
        raise ValueError("a decision has more reasons or citations than an entry takes")
    lines = [(name, _LONGEST_NAME) for name in (decision.name, *decision.citations)]
    if not all(_is_line(*line) for line in (*lines, (decision.rulebook, _LONGEST_DIGEST))):
        raise ValueError("a part of a decision is too long, or not one line")
    if not all(decision.citations):
        raise ValueError("a citation says something")


# The words of a service are few, and an event says a dozen of them: each is looked at once.
@lru_cache(maxsize=4096)
def _is_outcome(text: str) -> bool:
    return _OUTCOME.fullmatch(text) is not None


@lru_cache(maxsize=4096)
def _is_field(text: str) -> bool:
    return _FIELD.fullmatch(text) is not None


@lru_cache(maxsize=4096)
def _is_app(text: str) -> bool:
    return _APP.fullmatch(text) is not None


@lru_cache(maxsize=4096)
def _is_answer(text: str) -> bool:
    return _ANSWER.fullmatch(text) is not None


def _is_line(text: str, most: int) -> bool:
    return len(text.encode()) <= most and _CONTROL.search(text) is None


def settled(tx: Connection, table: Table) -> ColumnElement[bool]:
    """Return the condition of rows before which, in order of (xid, id), none can still appear.

    SQLite commits one transaction after another, and its xid is always 0. On PostgreSQL whatever
    began before the oldest transaction that still runs has ended.
    """
    if tx.dialect.name == "postgresql":
        return table.c.xid < literal_column("pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
    return true()


def encode(event: Event) -> bytes:
    """Encode an event for its row: a NewEntry, complete but for its number.

    ValueError when the log has no name for what happened.
    """
    entry = NewEntry(
        event_id=event.event_id,
        event=number_of(event.action),  # type: ignore[arg-type]  # of EventName
        outcome=event.outcome,
        event_time=to_wire(event.time),
        trace_id=event.trace.trace_id,
        span_id=event.trace.span_id,
        trace_flags=event.trace.flags,
        trace_state=event.trace.state,
        account=event.account,
        actor=event.actor,
        on_behalf_of=event.on_behalf_of,
        app=event.app,
        recipients=event.recipients,
        contracts=event.contracts,
        resource=event.resource,
    )
    decision = event.decision
    if decision != _NO_DECISION:
        entry.decision.name = decision.name
        entry.decision.outcome = decision.outcome
        entry.decision.reasons.extend(decision.reasons)
        entry.decision.citations.extend(decision.citations)
        entry.decision.rulebook_digest = decision.rulebook
    for name, value in event.fields.items():
        entry.fields.add(name=name, value=value)
    for section in event.sections:
        said = entry.sections.add(account=section.account)
        for name, value in section.fields.items():
            said.fields.add(name=name, value=value)
    return entry.SerializeToString()
