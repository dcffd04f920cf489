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
from runtime.event import LARGEST, Event
from runtime.instants import to_wire

# What audit takes (accord.audit.v1.NewEntry), and no more.
_WORD = r"[a-z][a-z0-9_]*"
_ACTION = re.compile(rf"{_WORD}:{_WORD}:{_WORD}")
_LONGEST_ACTION = 100
_OUTCOME = re.compile(r"[a-z][a-z0-9_]{0,31}")
_FIELD = re.compile(r"[a-z][a-z0-9_.]{0,63}")
_LONGEST_ACCOUNT, _LONGEST_NAME = 200, 400  # bytes of an account, of an actor or a resource
_MOST_FIELDS = 256  # in an event's own fields, and in each of its sections
_MOST_SECTIONS = 1024


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
    if not _is_action(event.action):
        raise ValueError("an action reads source:subject:action")
    if not _is_outcome(event.outcome):
        raise ValueError("an outcome is a word in lower case")
    parts = [event.fields, *(section.fields for section in event.sections)]
    if max(map(len, parts)) > _MOST_FIELDS or len(event.sections) > _MOST_SECTIONS:
        raise ValueError("an event is larger than an entry of the log may be")
    if not all(map(_is_field, set().union(*parts))):
        raise ValueError("the name of a field is a word in lower case")
    accounts = {event.account, *(section.account for section in event.sections)}
    lengths = [(account, _LONGEST_ACCOUNT) for account in accounts]
    for name, most in (*lengths, (event.actor, _LONGEST_NAME), (event.resource, _LONGEST_NAME)):
        if len(name.encode()) > most or name.startswith("@"):
            raise ValueError("an account, actor or resource is too long, or begins with @")
    if not all(section.account for section in event.sections):
        raise ValueError("a section is about an account")
    if event.size > LARGEST:
        raise ValueError("an event is larger than an entry of the log may be")
    return encode(event)


# The words of a service are few, and an event says a dozen of them: each is looked at once.
@lru_cache(maxsize=4096)
def _is_action(text: str) -> bool:
    return len(text) <= _LONGEST_ACTION and _ACTION.fullmatch(text) is not None


@lru_cache(maxsize=4096)
def _is_outcome(text: str) -> bool:
    return _OUTCOME.fullmatch(text) is not None


@lru_cache(maxsize=4096)
def _is_field(text: str) -> bool:
    return _FIELD.fullmatch(text) is not None


def settled(tx: Connection, table: Table) -> ColumnElement[bool]:
    """Return the condition of rows before which, in order of (xid, id), none can still appear.

    SQLite commits one transaction after another, and its xid is always 0. On PostgreSQL whatever
    began before the oldest transaction that still runs has ended.
    """
    if tx.dialect.name == "postgresql":
        return table.c.xid < literal_column("pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
    return true()


def encode(event: Event) -> bytes:
    """Encode an event for its row: a NewEntry, complete but for its number."""
    entry = NewEntry(
        event_id=event.event_id,
        action=event.action,
        outcome=event.outcome,
        event_time=to_wire(event.time),
        trace_id=event.trace.trace_id,
        span_id=event.trace.span_id,
        trace_flags=event.trace.flags,
        account=event.account,
        actor=event.actor,
        resource=event.resource,
    )
    for name, value in event.fields.items():
        entry.fields.add(name=name, value=value)
    for section in event.sections:
        said = entry.sections.add(account=section.account)
        for name, value in section.fields.items():
            said.fields.add(name=name, value=value)
    return entry.SerializeToString()
