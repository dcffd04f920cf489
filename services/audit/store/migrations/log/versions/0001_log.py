"""The log: entries, tiles and checkpoints that the database itself lets nobody change.

SQLite has no roles: triggers stop every UPDATE, DELETE and replacing INSERT, also those of the
service itself. PostgreSQL has the same triggers and, before them, rights: the service connects as
a member of the role `accord_audit`, which may SELECT and INSERT; only the owner, who migrates,
could take the triggers away.
"""

import sqlalchemy as sa
from alembic import op

from runtime.db import BigInt, Instant

revision = "0001"
down_revision = None

_TABLES = ("entries", "postings", "stretches", "tiles", "checkpoints", "published", "witnessed")

# SQLite wakes no DELETE trigger for a row that an INSERT OR REPLACE removes, unless the connection
# asks for it, and a stranger's does not. So an insert that would meet an old row is stopped before:
# everything goes at the end, where no row is, and an entry's other keys are looked for.
_SQLITE_INSERTS = {
    "entries": (
        "NEW.log_index <> (SELECT COALESCE(MAX(log_index) + 1, 0) FROM entries)"
        " OR EXISTS (SELECT 1 FROM entries WHERE event_id = NEW.event_id)"
        " OR EXISTS (SELECT 1 FROM entries"
        " WHERE producer = NEW.producer AND sequence = NEW.sequence)"
    ),
    # Under what an entry is found is said together with it, before the checkpoint that covers it;
    # neither later nor beforehand: the first place of a row is not before, the last not beyond it.
    # To replace such a row changes nothing: all of it is its key.
    "postings": (
        "(NEW.segment, hex(substr(NEW.places, 1, 2)))"
        " < (SELECT MAX(size) >> 16, printf('%04X', MAX(size) & 65535) FROM checkpoints)"
        " OR (NEW.segment, hex(substr(NEW.places, -2)))"
        " > (SELECT COALESCE(MAX(log_index), -1) >> 16,"
        " printf('%04X', COALESCE(MAX(log_index), -1) & 65535) FROM entries)"
    ),
    "stretches": (
        "NEW.number <> (SELECT COALESCE(MAX(number) + 1, 0) FROM stretches)"
        " OR (NEW.number + 1) << 12 > (SELECT COALESCE(MAX(log_index) + 1, 0) FROM entries)"
    ),
    "tiles": "EXISTS (SELECT 1 FROM tiles WHERE level = NEW.level AND number = NEW.number)",
    "checkpoints": "NEW.size <= (SELECT COALESCE(MAX(size), -1) FROM checkpoints)",
    "published": "NEW.size <= (SELECT COALESCE(MAX(size), -1) FROM published)",
    "witnessed": (
        "NEW.follows <> (SELECT COALESCE(MAX(size), -1) FROM witnessed WHERE origin = NEW.origin)"
    ),
}


def upgrade() -> None:
    """Create the tables, then take away every way to change what they hold."""
    _create_tables()
    if op.get_bind().dialect.name == "postgresql":
        _guard_postgresql()
    else:
        _guard_sqlite()


def _create_tables() -> None:
    op.create_table(
        "entries",
        sa.Column("log_index", BigInt, nullable=False, autoincrement=False),
        sa.Column("event_time", Instant, nullable=False),
        sa.Column("producer", sa.Text, nullable=False),
        sa.Column("sequence", BigInt, nullable=False),
        sa.Column("event_id", sa.LargeBinary, nullable=False),
        sa.Column("leaf_hash", sa.LargeBinary, nullable=False),
        sa.Column("leaf", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("log_index", name="pk_entries"),
        sa.UniqueConstraint("producer", "sequence", name="uq_entries_producer_sequence"),
        sa.UniqueConstraint("event_id", name="uq_entries_event_id"),
        sqlite_strict=True,
    )
    op.create_table(
        "postings",
        sa.Column("segment", sa.Integer, nullable=False),
        sa.Column("facet", sa.SmallInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("key", sa.LargeBinary, nullable=False),
        sa.Column("places", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("segment", "facet", "key", "places", name="pk_postings"),
        sa.CheckConstraint(
            "length(places) BETWEEN 2 AND 512 AND length(places) & 1 = 0"
            " AND substr(places, 1, 1) = substr(places, length(places) - 1, 1)"
            " AND substr(places, 2, 1) <= substr(places, length(places), 1)",
            name="ck_postings_places",
        ),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "stretches",
        sa.Column("number", BigInt, nullable=False, autoincrement=False),
        sa.Column("earliest", Instant, nullable=False),
        sa.Column("latest", Instant, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_stretches"),
        sqlite_strict=True,
    )
    op.create_table(
        "tiles",
        sa.Column("level", BigInt, nullable=False, autoincrement=False),
        sa.Column("number", BigInt, nullable=False, autoincrement=False),
        sa.Column("hashes", sa.LargeBinary, nullable=False),
        sa.Column("root", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("level", "number", name="pk_tiles"),
        sqlite_strict=True,
    )
    op.create_table(
        "checkpoints",
        sa.Column("size", BigInt, nullable=False, autoincrement=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("signed_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("size", name="pk_checkpoints"),
        sqlite_strict=True,
    )
    op.create_table(
        "published",
        sa.Column("size", BigInt, nullable=False, autoincrement=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("published_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("size", name="pk_published"),
        sqlite_strict=True,
    )
    op.create_table(
        "witnessed",
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("size", BigInt, nullable=False, autoincrement=False),
        sa.Column("follows", BigInt, nullable=False),
        sa.Column("root", sa.LargeBinary, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("witnessed_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("origin", "size", name="pk_witnessed"),
        sa.UniqueConstraint("origin", "follows", name="uq_witnessed_origin_follows"),
        sa.CheckConstraint("follows < size", name="ck_witnessed_grows"),
        sqlite_strict=True,
    )


def _guard_sqlite() -> None:
    for table in _TABLES:
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{change.lower()} BEFORE {change} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table}: the log takes inserts alone'); END"
            )
        op.execute(
            f"CREATE TRIGGER {table}_only_append BEFORE INSERT ON {table} "
            f"WHEN {_SQLITE_INSERTS[table]} "
            f"BEGIN SELECT RAISE(ABORT, '{table}: the log grows at its end alone'); END"
        )


def _guard_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION accord_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ "
        "BEGIN RAISE EXCEPTION '%: the log takes inserts alone', TG_TABLE_NAME; END $$"
    )
    # Roles belong to the whole server: another database's migration may have made this one.
    op.execute(
        "DO $$ BEGIN "
        "IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'accord_audit') THEN "
        "CREATE ROLE accord_audit NOLOGIN; END IF; "
        "EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
    )
    for table in _TABLES:
        for level, changes in (("ROW", "UPDATE OR DELETE"), ("STATEMENT", "TRUNCATE")):
            trigger = f"{table}_append_only_{level.lower()}"
            op.execute(
                f"CREATE TRIGGER {trigger} BEFORE {changes} ON {table} "
                f"FOR EACH {level} EXECUTE FUNCTION accord_append_only()"
            )
            # Also while replication or a bulk load has switched ordinary triggers off.
            op.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}")
        op.execute(f"REVOKE ALL ON {table} FROM PUBLIC")
        op.execute(f"GRANT SELECT, INSERT ON {table} TO accord_audit")
    # Sealed bytes do not compress: to try costs more than to store them.
    op.execute("ALTER TABLE entries ALTER COLUMN leaf SET STORAGE EXTERNAL")
    op.execute("GRANT SELECT ON alembic_version TO accord_audit")
