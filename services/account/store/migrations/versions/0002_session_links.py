"""A session knows the link through which it began, so that it can end with it."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; sessions that are there end by themselves within a day."""
    op.add_column("sessions", sa.Column("link_id", sa.Text(), nullable=False, server_default=""))
    op.create_index("ix_sessions_link_id", "sessions", ["link_id"])
