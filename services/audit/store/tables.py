"""The tables of the two databases. The log's take inserts alone, by the databases' own triggers."""

from sqlalchemy import CheckConstraint, Column, LargeBinary, Table, Text, UniqueConstraint

from runtime.db import BigInt, Instant, metadata
from runtime.outbox import outbox_table

LOG = metadata()
KEYS = metadata()

# One row an entry. `leaf` is what was hashed; every other column is derived from it, so that the
# log can be searched, and `accord audit fsck` checks it against the leaf. The leaf is the last of
# them: a search that reads only the others walks past none of its pages.
entries = Table(
    "entries",
    LOG,
    Column("log_index", BigInt, primary_key=True, autoincrement=False),  # from 0, dense
    Column("event_time", Instant, nullable=False),  # by the producer's clock
    Column("producer", Text, nullable=False),
    Column("sequence", BigInt, nullable=False),  # the producer's, from 1, dense
    Column("event_id", LargeBinary, nullable=False),  # 16 bytes, a UUIDv7: new ones sort last
    Column("leaf_hash", LargeBinary, nullable=False),  # SHA-256(0x00 ‖ leaf)
    Column("leaf", LargeBinary, nullable=False),  # a serialised LogEntry
    UniqueConstraint("producer", "sequence"),
    UniqueConstraint("event_id"),
    sqlite_strict=True,
)

# Under what an entry is found: one row for each of `SealedEntry.postings`, each once. The rows of
# a segment lie together, so that what is written belongs to the newest segment alone and writing is
# no slower in a large log than in a small one; a search looks once into each segment.
postings = Table(
    "postings",
    LOG,
    Column("segment", BigInt, primary_key=True, autoincrement=False),  # log_index >> SEGMENT_BITS
    Column("facet", BigInt, primary_key=True, autoincrement=False),  # domain.entry.Facet
    Column("key", LargeBinary, primary_key=True),
    Column("log_index", BigInt, primary_key=True, autoincrement=False),
    CheckConstraint("segment = log_index >> 20", name="segment"),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)
SEGMENT_BITS = 20

# When the events of each full stretch of 2^STRETCH_BITS entries happened, so that a search by time
# skips those that lie outside. Entries come almost in the order of their times, but only almost.
stretches = Table(
    "stretches",
    LOG,
    Column("number", BigInt, primary_key=True, autoincrement=False),  # log_index >> STRETCH_BITS
    Column("earliest", Instant, nullable=False),  # event_time of its entries, at least
    Column("latest", Instant, nullable=False),  # and at most
    sqlite_strict=True,
)
STRETCH_BITS = 12

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

# Every checkpoint that was published, with its cosignatures; entries beyond the newest of them may
# be needed from their producers again.
published = Table(
    "published",
    LOG,
    Column("size", BigInt, primary_key=True, autoincrement=False),
    Column("note", Text, nullable=False),
    Column("published_at", Instant, nullable=False),
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
