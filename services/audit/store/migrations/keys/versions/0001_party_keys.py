"""Parties' keys, wrapped; who was erased and who must not be; what audit itself says to the log."""

import sqlalchemy as sa
from alembic import op

from runtime.db import BigInt, Instant

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables, and the triggers that count the generations of keys."""
    _create_keys()
    _create_erasures()
    _create_outbox()
    if op.get_context().dialect.name == "postgresql":
        _count_on_postgresql()
    else:
        _count_on_sqlite()


def _create_keys() -> None:
    op.create_table(
        "party_keys",
        sa.Column("lookup", sa.LargeBinary, nullable=False),
        sa.Column("pseudonym", sa.LargeBinary, nullable=False),
        sa.Column("kek", sa.Text, nullable=False),
        sa.Column("wrapped", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("lookup", name="pk_party_keys"),
        sa.UniqueConstraint("pseudonym", name="uq_party_keys_pseudonym"),
        sqlite_strict=True,
    )
    op.create_index("ix_party_keys_kek", "party_keys", ["kek"])
    op.create_table(
        "keks",
        sa.Column("month", sa.Text, nullable=False),
        sa.Column("retired", Instant),
        sa.Column("destroyed", Instant),
        sa.PrimaryKeyConstraint("month", name="pk_keks"),
        sqlite_strict=True,
    )
    op.create_table(
        "key_generation",
        sa.Column("id", BigInt, nullable=False, autoincrement=False),
        sa.Column("number", BigInt, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_key_generation"),
        sa.CheckConstraint("id = 1", name="ck_key_generation_one_row"),
        sqlite_strict=True,
    )
    op.execute("INSERT INTO key_generation (id, number) VALUES (1, 0)")


def _create_erasures() -> None:
    op.create_table(
        "erasures",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("pseudonym", sa.LargeBinary, nullable=False),
        sa.Column("ground", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("asked", Instant, nullable=False),
        sa.Column("settled", Instant),
        sa.Column("actors", sa.LargeBinary, nullable=False),
        sa.Column("event_id", sa.Text, nullable=False),
        sa.Column("kek", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        sa.Column("entries", BigInt),
        sa.Column("log_size", BigInt),
        sa.PrimaryKeyConstraint("id", name="pk_erasures"),
        sqlite_strict=True,
    )
    op.create_index(
        "uq_erasures_pseudonym",
        "erasures",
        ["pseudonym"],
        unique=True,
        sqlite_where=sa.text("state != 'cancelled'"),
        postgresql_where=sa.text("state != 'cancelled'"),
    )
    op.create_table(
        "holds",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("pseudonym", sa.LargeBinary, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("reference", sa.Text, nullable=False),
        sa.Column("placed", Instant, nullable=False),
        sa.Column("lift_asked", Instant),
        sa.Column("lifted", Instant),
        sa.Column("actors", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_holds"),
        sqlite_strict=True,
    )
    op.create_index("ix_holds_pseudonym", "holds", ["pseudonym"])
    op.create_table(
        "requests",
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        sa.Column("answer", sa.LargeBinary, nullable=False),
        sa.Column("time", Instant, nullable=False),
        sa.PrimaryKeyConstraint("scope", "request_id", name="pk_requests"),
        sqlite_strict=True,
    )


def _create_outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", BigInt, autoincrement=True, nullable=False),
        sa.Column("xid", BigInt, nullable=False),
        sa.Column("event", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
        sqlite_strict=True,
    )
    op.create_index("ix_outbox_xid_id", "outbox", ["xid", "id"])
    op.create_table(
        "outbox_relay",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("last_sequence", BigInt, nullable=False),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("lease_until", Instant, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_outbox_relay"),
        sqlite_strict=True,
    )


# Whatever takes a row of keys away or changes it, and whichever month comes or goes: no process may
# go on with what it unwrapped before. New rows of keys change nothing for the others.
_NEXT = "UPDATE key_generation SET number = number + 1"


def _count_on_sqlite() -> None:
    for table, change in (
        ("party_keys", "DELETE"),
        ("party_keys", "UPDATE"),
        ("keks", "INSERT"),
        ("keks", "UPDATE"),
        ("keks", "DELETE"),
    ):
        op.execute(
            f"CREATE TRIGGER {table}_counts_{change.lower()} AFTER {change} ON {table} "
            f"BEGIN {_NEXT}; END"
        )


def _count_on_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION accord_next_generation() RETURNS trigger LANGUAGE plpgsql AS $$ "
        f"BEGIN {_NEXT}; RETURN NULL; END $$"
    )
    for table, changes in (
        ("party_keys", "DELETE OR UPDATE OR TRUNCATE"),
        ("keks", "INSERT OR UPDATE OR DELETE OR TRUNCATE"),
    ):
        op.execute(
            f"CREATE TRIGGER {table}_counts AFTER {changes} ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION accord_next_generation()"
        )
