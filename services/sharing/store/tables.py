"""The tables of sharing. Terms, consents, decisions and contract events are never altered."""

from sqlalchemy import Column, ForeignKey, Index, LargeBinary, Table, Text, UniqueConstraint

from runtime.db import BigInt, Instant, metadata
from runtime.idempotency import requests_table
from runtime.outbox import outbox_table
from runtime.signing_keys import signing_keys_table

METADATA = metadata()

# Account's facts at their newest version.
subjects = Table(
    "subjects",
    METADATA,
    Column("account", Text, primary_key=True),
    Column("jurisdiction", Text, nullable=False),
    Column("birth_date", Text, nullable=False),  # empty when unknown
    Column("status", Text, nullable=False),
    Column("since", Instant, nullable=False),
    Column("version", BigInt, nullable=False),
    sqlite_strict=True,
)

# Every version of account's facts, and when it was recorded: what a past moment knew.
subject_versions = Table(
    "subject_versions",
    METADATA,
    Column("account", Text, primary_key=True),
    Column("version", BigInt, primary_key=True, autoincrement=False),
    Column("jurisdiction", Text, nullable=False),
    Column("birth_date", Text, nullable=False),  # empty when unknown
    Column("status", Text, nullable=False),
    Column("since", Instant, nullable=False),
    Column("recorded", Instant, nullable=False),
    sqlite_strict=True,
)

recipients = Table(
    "recipients",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("display_name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("jurisdiction", Text, nullable=False),
    Column("created", Instant, nullable=False),
    sqlite_strict=True,
)

recipient_endpoints = Table(
    "recipient_endpoints",
    METADATA,
    Column("recipient", Text, ForeignKey("recipients.name"), primary_key=True),
    Column("url", Text, nullable=False),  # empty: taken back
    Column("setter", Text, nullable=False),
    Column("set_at", Instant, nullable=False),
    sqlite_strict=True,
)

# Where each contract stands; what was agreed is in contract_versions, how it came in the events.
contracts = Table(
    "contracts",
    METADATA,
    Column("ordinal", BigInt, primary_key=True, autoincrement=True),
    Column("name", Text, nullable=False, unique=True),
    Column("recipient", Text, ForeignKey("recipients.name"), nullable=False, index=True),
    Column("version", BigInt, nullable=False),  # the latest
    Column("state", Text, nullable=False),  # of the latest
    Column("active_version", BigInt, nullable=False),  # in force or suspended; 0: none
    Column("active_state", Text, nullable=False),  # of that one; empty: none
    Column("author", Text, nullable=False),  # of the latest
    Column("created", Instant, nullable=False),
    sqlite_strict=True,
)

contract_versions = Table(
    "contract_versions",
    METADATA,
    Column("contract", Text, primary_key=True),
    Column("version", BigInt, primary_key=True, autoincrement=False),
    Column("terms", Text, nullable=False),  # JSON
    sqlite_strict=True,
)

contract_events = Table(
    "contract_events",
    METADATA,
    Column("ordinal", BigInt, primary_key=True, autoincrement=True),
    Column("contract", Text, nullable=False, index=True),
    Column("version", BigInt, nullable=False),
    Column("state", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("time", Instant, nullable=False),
    sqlite_strict=True,
)

# One row a revision: the newest of a consent is how it stands.
consents = Table(
    "consents",
    METADATA,
    Column("ordinal", BigInt, primary_key=True, autoincrement=True),
    Column("name", Text, nullable=False),
    Column("revision", BigInt, nullable=False),
    Column("account", Text, nullable=False),
    Column("service", Text, nullable=False),
    Column("purposes", Text, nullable=False),  # JSON
    Column("categories", Text, nullable=False),  # JSON
    Column("recipient", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("expires", Instant),
    Column("withdrawn", Instant),
    Column("notice", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("method", Text, nullable=False),
    Column("indicator", Text, nullable=False),
    Column("indicator_name", Text, nullable=False),  # empty: of nobody else
    Column("recorded", Instant, nullable=False),
    UniqueConstraint("name", "revision"),
    Index(None, "account", "ordinal"),
    sqlite_strict=True,
)

preferences = Table(
    "preferences",
    METADATA,
    Column("ordinal", BigInt, primary_key=True, autoincrement=True),
    Column("name", Text, nullable=False, unique=True),
    Column("account", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("recorded", Instant, nullable=False),
    Column("lifted", Instant),
    Column("app", Text, nullable=False),  # whose guest chose; empty: a person
    Index(None, "account", "ordinal"),
    sqlite_strict=True,
)

# What of the agreements in force ends when: derived from them, for the calendar.
expiries = Table(
    "expiries",
    METADATA,
    Column("ordinal", BigInt, primary_key=True, autoincrement=True),
    Column("day", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("resource", Text, nullable=False, index=True),
    Column("recipient", Text, nullable=False),  # empty for an instrument
    Column("safeguard", Text, nullable=False),  # empty for the others
    Index(None, "day", "ordinal"),
    sqlite_strict=True,
)

# What each orders is never altered; who put it in force and who revoked it is added once.
instruments = Table(
    "instruments",
    METADATA,
    Column("ordinal", BigInt, primary_key=True, autoincrement=True),
    Column("name", Text, nullable=False, unique=True),
    Column("account", Text, nullable=False),
    Column("categories", Text, nullable=False),  # JSON
    Column("on_date", Text, nullable=False),
    Column("expires", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("issuer", Text, nullable=False),
    Column("authority", Text, nullable=False),
    Column("reference", Text, nullable=False),
    Column("secret_until", Text, nullable=False),  # empty: the person may be told
    Column("document_sha256", Text, nullable=False),
    Column("document_location", Text, nullable=False),
    Column("recorder", Text, nullable=False),
    Column("recorded", Instant, nullable=False),
    Column("activator", Text, nullable=False),  # empty until then
    Column("activated", Instant),
    Column("revoker", Text, nullable=False),  # empty until then
    Column("revoked", Instant),
    Column("note", Text, nullable=False),
    Index(None, "account", "ordinal"),
    sqlite_strict=True,
)

decisions = Table(
    "decisions",
    METADATA,
    Column("ordinal", BigInt, primary_key=True, autoincrement=True),
    Column("name", Text, nullable=False, unique=True),
    Column("asker", Text, nullable=False),
    Column("bodies", LargeBinary, nullable=False),  # each decision behind its length
    sqlite_strict=True,
)

# Where the decisions about a holder are: slim, since every decision adds a row, and written where
# the newest rows are.
decisions_of = Table(
    "decisions_of",
    METADATA,
    Column("holder", BigInt, primary_key=True, autoincrement=False),  # segment and a digest
    Column("position", BigInt, primary_key=True, autoincrement=False),  # record and place in it
    Column("outcome", Text, nullable=False),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

# Who was first permitted what, and where that decision is: never altered, so that those who decide
# at once do not wait for each other.
permitted = Table(
    "permitted",
    METADATA,
    Column("holder", Text, primary_key=True),
    Column("recipient", Text, primary_key=True),
    Column("service", Text, primary_key=True),  # a guest is told by apps of their own alone
    Column("purpose", Text, primary_key=True),
    Column("categories", Text, primary_key=True),  # with commas between
    Column("instrument", Text, primary_key=True),  # empty: none ordered it
    Column("position", BigInt, nullable=False),
    Index(None, "recipient", "holder"),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

# What was altered, for memories of facts and for whoever watches; kept for a day.
changes = Table(
    "changes",
    METADATA,
    Column("id", BigInt, primary_key=True, autoincrement=True),
    # PostgreSQL commits out of order: there the transaction is the revision; on SQLite the id is.
    Column("xid", BigInt, nullable=False),
    Column("kind", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("time", Instant, nullable=False),
    Index(None, "xid", "id"),
    sqlite_strict=True,
)

# What apps really sent; whose data in `holder`: an account or a guest's session.
disclosures = Table(
    "disclosures",
    METADATA,
    Column("ordinal", BigInt, primary_key=True, autoincrement=True),
    Column("name", Text, nullable=False, unique=True),
    Column("decision", Text, nullable=False),
    Column("holder", Text, nullable=False),  # empty: nobody's data
    Column("recipient", Text, nullable=False),
    Column("service", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("categories", Text, nullable=False),  # JSON
    Column("consents", Text, nullable=False),  # JSON: of each, the categories that rest on it
    Column("instrument", Text, nullable=False),  # empty: none ordered it
    Column("records", BigInt, nullable=False),  # 0: not counted
    Column("time", Instant, nullable=False),
    Column("recorded", Instant, nullable=False),
    Column("late", BigInt, nullable=False),  # 0 or 1
    Column("sender", Text, nullable=False),
    Index(None, "holder", "ordinal"),
    Index(None, "decision", "ordinal"),
    Index(
        "ix_disclosures_kind",
        "holder",
        "recipient",
        "service",
        "purpose",
        "instrument",
        "ordinal",
    ),
    sqlite_strict=True,
)

# Which disclosure was the first of its kind: never altered, as with `permitted`.
received = Table(
    "received",
    METADATA,
    Column("holder", Text, primary_key=True),
    Column("recipient", Text, primary_key=True),
    Column("service", Text, primary_key=True),
    Column("purpose", Text, primary_key=True),
    Column("categories", Text, primary_key=True),  # JSON
    Column("instrument", Text, primary_key=True),  # empty: none ordered it
    Column("disclosure", BigInt, nullable=False),
    Index(None, "recipient", "holder"),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

# What ended, or will, and up to where whoever received a holder's data was told; gone when done.
endings = Table(
    "endings",
    METADATA,
    Column("holder", Text, primary_key=True),
    # A consent, a choice, an account's status; empty: the consents that run out at that moment.
    Column("resource", Text, primary_key=True),
    Column("at", Instant, primary_key=True),
    Column("seen", BigInt, nullable=False),  # the last disclosure that was looked at
    Index(None, "at"),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

signing_keys = signing_keys_table("signing_keys", METADATA)
# Who is told what; how often it was sent and what came of it is altered.
revocation_notices = Table(
    "revocation_notices",
    METADATA,
    Column("ordinal", BigInt, primary_key=True, autoincrement=True),
    Column("name", Text, nullable=False, unique=True),
    Column("recipient", Text, ForeignKey("recipients.name"), nullable=False),
    Column("holder", Text, nullable=False),  # empty when a contract ended
    Column("cause", Text, nullable=False),
    Column("contract", Text, nullable=False),  # empty for the other causes
    Column("created", Instant, nullable=False),
    Column("deadline", Instant, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", BigInt, nullable=False),
    Column("attempted", Instant),
    Column("next_attempt", Instant),  # null unless pending
    Column("leased", Instant),  # until when a worker has it
    Column("problem", Text, nullable=False),
    Column("acknowledged", Instant),
    Column("acknowledger", Text, nullable=False),
    Column("note", Text, nullable=False),
    # The deadline; null when it is acknowledged, or when the log has that it is overdue.
    Column("watch", Instant),
    Index(None, "recipient", "ordinal"),
    Index(None, "state", "ordinal"),
    Index(None, "next_attempt"),
    Index(None, "watch"),
    sqlite_strict=True,
)

# Under which decisions what a notice calls back was sent.
revocation_decisions = Table(
    "revocation_decisions",
    METADATA,
    Column("decision", Text, primary_key=True),
    Column("notice", BigInt, primary_key=True, autoincrement=False),
    Index(None, "notice"),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

requests = requests_table(METADATA)
outbox = outbox_table(METADATA)
