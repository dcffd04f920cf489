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

_TABLES = ("entries", "people", "tiles", "checkpoints")

# An INSERT OR REPLACE would delete the old row without waking a DELETE trigger, so an insert that
# meets an old row is stopped before. New entries and checkpoints go at the end, and nowhere else.
_SQLITE_INSERTS = {
    "entries": (
        "NEW.log_index <> (SELECT COALESCE(MAX(log_index) + 1, 0) FROM entries)"
        " OR EXISTS (SELECT 1 FROM entries WHERE event_id = NEW.event_id)"
        " OR EXISTS (SELECT 1 FROM entries"
        " WHERE producer = NEW.producer AND sequence = NEW.sequence)"
    ),
    # Who an entry is about is said together with it, before the checkpoint that covers it.
    "people": (
        "NEW.log_index < (SELECT COALESCE(MAX(size), 0) FROM checkpoints)"
        " OR EXISTS (SELECT 1 FROM people"
        " WHERE pseudonym = NEW.pseudonym AND log_index = NEW.log_index)"
    ),
    "tiles": "EXISTS (SELECT 1 FROM tiles WHERE level = NEW.level AND number = NEW.number)",
    "checkpoints": "NEW.size <= (SELECT COALESCE(MAX(size), -1) FROM checkpoints)",
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
        sa.Column("leaf", sa.LargeBinary, nullable=False),
        sa.Column("leaf_hash", sa.LargeBinary, nullable=False),
        sa.Column("producer", sa.Text, nullable=False),
        sa.Column("sequence", BigInt, nullable=False),
        sa.Column("event_id", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("event_time", Instant, nullable=False),
        sa.Column("trace_id", sa.Text, nullable=False),
        sa.Column("actor_pseudonym", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("log_index", name="pk_entries"),
        sa.UniqueConstraint("producer", "sequence", name="uq_entries_producer_sequence"),
        sa.UniqueConstraint("event_id", name="uq_entries_event_id"),
        sqlite_strict=True,
    )
    for column in ("actor_pseudonym", "trace_id", "action"):
        op.create_index(f"ix_entries_{column}_log_index", "entries", [column, "log_index"])
    op.create_index("ix_entries_event_time", "entries", ["event_time"])
    op.create_table(
        "people",
        sa.Column("pseudonym", sa.LargeBinary, nullable=False),
        sa.Column("log_index", BigInt, nullable=False, autoincrement=False),
        sa.PrimaryKeyConstraint("pseudonym", "log_index", name="pk_people"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
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
    op.execute("GRANT SELECT ON alembic_version TO accord_audit")
