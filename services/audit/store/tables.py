"""The tables of the two databases. The log's take inserts alone, by the databases' own triggers."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)

from runtime.db import BigInt, Instant, metadata
from runtime.idempotency import requests_table
from runtime.outbox import outbox_table

LOG = metadata()
KEYS = metadata()
SmallInt = SmallInteger().with_variant(Integer(), "sqlite")

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

# Under what entries are found: for each of `SealedEntry.postings` the places of those that stand
# under it. A row is of one growth of the log and, in that, of one bundle of 256 entries: so it is
# small, nothing is ever added to it, and a bundle's rows lie between two values of `places`.
# The rows of a segment lie together, so that what is written belongs to the newest segment alone
# and writing is no slower in a large log than in a small one; a search looks once into each.
postings = Table(
    "postings",
    LOG,
    Column("segment", Integer, nullable=False),  # log_index >> SEGMENT_BITS
    Column("facet", SmallInt, nullable=False),  # domain.entry.Facet
    Column("key", LargeBinary, nullable=False),
    # The lowest 16 bits of each log_index, big-endian, ascending; all of one bundle.
    Column("places", LargeBinary, nullable=False),
    PrimaryKeyConstraint("segment", "facet", "key", "places"),
    CheckConstraint(
        "length(places) BETWEEN 2 AND 512 AND length(places) & 1 = 0"
        " AND substr(places, 1, 1) = substr(places, length(places) - 1, 1)"
        " AND substr(places, 2, 1) <= substr(places, length(places), 1)",
        name="places",
    ),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)
SEGMENT_BITS = 16
BUNDLE_BITS = 8

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

# What this service has cosigned as a witness of others. Each row follows the one before of its log,
# and nothing can follow the same one twice: what was cosigned of a log is one history.
# Under a witness's vkey in place of an origin: that key has cosigned what was lost with a database.
witnessed = Table(
    "witnessed",
    LOG,
    Column("origin", Text, primary_key=True),
    Column("size", BigInt, primary_key=True, autoincrement=False),
    Column("follows", BigInt, nullable=False),  # the size before; -1 at first
    Column("root", LargeBinary, nullable=False),
    Column("note", Text, nullable=False),  # with the log's signature and ours
    Column("witnessed_at", Instant, nullable=False),
    UniqueConstraint("origin", "follows"),
    CheckConstraint("follows < size", name="grows"),
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

# Which state of the rows above and below is the present one: `number` grows with every row of keys
# that is deleted or wrapped anew and with every month, by the database's own triggers. One row.
key_generation = Table(
    "key_generation",
    KEYS,
    Column("id", BigInt, primary_key=True, autoincrement=False),
    Column("number", BigInt, nullable=False),
    CheckConstraint("id = 1", name="one_row"),
    sqlite_strict=True,
)

# The months that ever wrapped a row. The file of a month that is out of use, or destroyed, is not
# used again, wherever it comes back from.
keks = Table(
    "keks",
    KEYS,
    Column("month", Text, primary_key=True),
    Column("retired", Instant),
    Column("destroyed", Instant),  # its file is gone
    sqlite_strict=True,
)

# Whom to erase, and who was erased. A person is named by a pseudonym alone: while their keys exist
# the row of keys says whose it is, and afterwards nothing does.
erasures = Table(
    "erasures",
    KEYS,
    Column("id", Text, primary_key=True),  # sorts by time
    Column("pseudonym", LargeBinary, nullable=False),
    Column("ground", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("asked", Instant, nullable=False),
    Column("settled", Instant),  # erased or cancelled
    Column("actors", LargeBinary, nullable=False),  # who did which step; sealed, the organisation's
    # What was destroyed; empty and null until then.
    Column("event_id", Text, nullable=False),
    Column("kek", Text, nullable=False),  # the month that wrapped the keys
    Column("fingerprint", LargeBinary, nullable=False),  # SHA-256 of the wrapped keys
    Column("entries", BigInt),  # that were sealed with them, at least in part
    Column("log_size", BigInt),  # among how many
    sqlite_strict=True,
)
# Nobody is erased twice under one pseudonym, nor asked for twice at a time.
Index(
    "uq_erasures_pseudonym",
    erasures.c.pseudonym,
    unique=True,
    sqlite_where=erasures.c.state != "cancelled",
    postgresql_where=erasures.c.state != "cancelled",
)

# What keeps a person's keys from erasure, and what once did.
holds = Table(
    "holds",
    KEYS,
    Column("id", Text, primary_key=True),  # sorts by time
    Column("pseudonym", LargeBinary, nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("reference", Text, nullable=False),  # names nobody
    Column("placed", Instant, nullable=False),
    Column("lift_asked", Instant),
    Column("lifted", Instant),
    Column("actors", LargeBinary, nullable=False),  # as of an erasure
    sqlite_strict=True,
)

requests = requests_table(KEYS)

# What audit itself says to the log. Here, since the log's database takes inserts alone, and since a
# key's end and the event that tells of it must be one transaction.
outbox = outbox_table(KEYS)
