"""Accounts, links, sessions, flows, staff, keys."""

import sqlalchemy as sa
from alembic import op

from runtime.db import BigInt, Instant

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables as they were at the first release."""
    untold = sa.text("told_version < version")
    op.create_table(
        "accounts",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("birth_date", sa.LargeBinary()),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("accepted_notice", sa.Text(), nullable=False),
        sa.Column("created", Instant(), nullable=False),
        sa.Column("version", BigInt, nullable=False),
        sa.Column("told_version", BigInt, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_accounts")),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_accounts_untold", "accounts", ["created"], sqlite_where=untold, postgresql_where=untold
    )
    op.create_table(
        "actor_keys",
        sa.Column("kid", sa.Text(), nullable=False),
        sa.Column("private_key", sa.LargeBinary(), nullable=False),
        sa.Column("public_key", sa.Text(), nullable=False),
        sa.Column("created", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("kid", name=op.f("pk_actor_keys")),
        sqlite_strict=True,
    )
    op.create_table(
        "flows",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("imports", sa.Text(), nullable=False),
        sa.Column("expires", Instant(), nullable=False),
        sa.Column("taken", Instant()),
        sa.Column("registered", sa.Text()),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_flows")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_flows_expires"), "flows", ["expires"])
    op.create_table(
        "invitations",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("display_name", sa.LargeBinary(), nullable=False),
        sa.Column("inviter", sa.Text(), nullable=False),
        sa.Column("expires", Instant(), nullable=False),
        sa.Column("accepted_by", sa.Text(), nullable=False),
        sa.Column("accepted", Instant()),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_invitations")),
        sqlite_strict=True,
    )
    op.create_table(
        "outbox",
        sa.Column("id", BigInt, autoincrement=True, nullable=False),
        sa.Column("xid", BigInt, nullable=False),
        sa.Column("event", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_outbox_xid_id"), "outbox", ["xid", "id"])
    op.create_table(
        "outbox_relay",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("last_sequence", BigInt, nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("lease_until", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_outbox_relay")),
        sqlite_strict=True,
    )
    op.create_table(
        "requests",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.Column("time", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("scope", "request_id", name=op.f("pk_requests")),
        sqlite_strict=True,
    )
    op.create_table(
        "links",
        sa.Column("link_id", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("linked", Instant(), nullable=False),
        sa.Column("tokens", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account"], ["accounts.name"], name=op.f("fk_links_account_accounts")
        ),
        sa.PrimaryKeyConstraint("link_id", name=op.f("pk_links")),
        sa.UniqueConstraint("issuer", "subject", name=op.f("uq_links_issuer_subject")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_links_account"), "links", ["account"])
    op.create_table(
        "sessions",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("began", Instant(), nullable=False),
        sa.Column("seen", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account"], ["accounts.name"], name=op.f("fk_sessions_account_accounts")
        ),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_sessions")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_sessions_account"), "sessions", ["account"])
    op.create_table(
        "staff_roles",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("invitation", sa.LargeBinary(), nullable=False),
        sa.Column("since", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account"], ["accounts.name"], name=op.f("fk_staff_roles_account_accounts")
        ),
        sa.ForeignKeyConstraint(
            ["invitation"],
            ["invitations.digest"],
            name=op.f("fk_staff_roles_invitation_invitations"),
        ),
        sa.PrimaryKeyConstraint("account", "role", name=op.f("pk_staff_roles")),
        sqlite_strict=True,
    )
    op.create_table(
        "imports",
        sa.Column("link_id", sa.Text(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column("verified", BigInt, nullable=False),
        sa.Column("time", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["link_id"],
            ["links.link_id"],
            name=op.f("fk_imports_link_id_links"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("link_id", "field", name=op.f("pk_imports")),
        sqlite_strict=True,
    )
