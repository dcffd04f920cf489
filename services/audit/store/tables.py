"""The tables of the two databases. The log's take inserts alone, by the databases' own triggers."""

from sqlalchemy import Column, Index, LargeBinary, Table, Text, UniqueConstraint

from runtime.db import BigInt, Instant, metadata
from runtime.outbox import outbox_table

LOG = metadata()
KEYS = metadata()

# One row an entry. `leaf` is what was hashed; every other column is derived from it, so that the
# log can be searched, and `accord audit fsck` checks it against the leaf.
entries = Table(
    "entries",
    LOG,
    Column("log_index", BigInt, primary_key=True, autoincrement=False),
    Column("leaf", LargeBinary, nullable=False),
    Column("leaf_hash", LargeBinary, nullable=False),
    Column("producer", Text, nullable=False),
    Column("sequence", BigInt, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("event_time", Instant, nullable=False),
    Column("trace_id", Text, nullable=False),  # empty outside of any trace
    Column("actor_pseudonym", LargeBinary, nullable=False),  # empty without an actor
    UniqueConstraint("producer", "sequence"),
    UniqueConstraint("event_id"),
    Index(None, "actor_pseudonym", "log_index"),
    Index(None, "trace_id", "log_index"),
    Index(None, "action", "log_index"),
    Index(None, "event_time"),
    sqlite_strict=True,
)

# One row for each account that an entry is about: its own, or one of several.
people = Table(
    "people",
    LOG,
    Column("pseudonym", LargeBinary, primary_key=True),
    Column("log_index", BigInt, primary_key=True, autoincrement=False),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

# Full tiles only; the unfinished ones follow from the entries and from the tiles below them.
tiles = Table(
    "tiles",
    LOG,
    Column("level", BigInt, primary_key=True, autoincrement=False),
    Column("number", BigInt, primary_key=True, autoincrement=False),
    Column("hashes", LargeBinary, nullable=False),  # 256 of 32 bytes each
    Column("root", LargeBinary, nullable=False),  # of these hashes: the entry in the tile above
    sqlite_strict=True,
)

# Every checkpoint ever signed.
checkpoints = Table(
    "checkpoints",
    LOG,
    Column("size", BigInt, primary_key=True, autoincrement=False),
    Column("note", Text, nullable=False),
    Column("signed_at", Instant, nullable=False),
    sqlite_strict=True,
)

# One row a party. Without the key-encryption key a row says nothing: not even whose it is.
party_keys = Table(
    "party_keys",
    KEYS,
    Column("lookup", LargeBinary, primary_key=True),  # HMAC of the party's name under its KEK
    Column("pseudonym", LargeBinary, nullable=False, unique=True),
    Column("kek", Text, nullable=False, index=True),  # the month whose key wraps the row
    # nonce ‖ AES-256-GCM(data key ‖ pseudonym key ‖ name)
    Column("wrapped", LargeBinary, nullable=False),
    sqlite_strict=True,
)

# What audit itself says to the log. Here, since the log's database takes inserts alone, and since a
# key's end and the event that tells of it must be one transaction.
outbox = outbox_table(KEYS)
