"""Parties' keys, wrapped, and the outbox of what audit itself says to the log."""

import sqlalchemy as sa
from alembic import op

from runtime.db import BigInt, Instant

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables."""
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
