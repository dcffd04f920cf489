"""Parties' keys, wrapped."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the table of wrapped keys."""
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
