"""The tables of account. What is sealed opens with account's key alone (runtime/seal.py)."""

from sqlalchemy import Column, ForeignKey, Index, LargeBinary, Table, Text, UniqueConstraint

from runtime.db import BigInt, Instant, metadata
from runtime.idempotency import requests_table
from runtime.outbox import outbox_table
from runtime.signing_keys import signing_keys_table

METADATA = metadata()

accounts = Table(
    "accounts",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("country", Text, nullable=False),
    Column("birth_date", LargeBinary),  # sealed
    Column("language", Text, nullable=False),
    Column("accepted_notice", Text, nullable=False),
    Column("created", Instant, nullable=False),
    Column("version", BigInt, nullable=False),
    Column("told_version", BigInt, nullable=False),  # that sharing acknowledged
    sqlite_strict=True,
)
Index(
    "ix_accounts_untold",
    accounts.c.created,
    sqlite_where=accounts.c.told_version < accounts.c.version,
    postgresql_where=accounts.c.told_version < accounts.c.version,
)

links = Table(
    "links",
    METADATA,
    Column("link_id", Text, primary_key=True),
    Column("account", Text, ForeignKey("accounts.name"), nullable=False, index=True),
    Column("provider", Text, nullable=False),
    Column("issuer", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("linked", Instant, nullable=False),
    Column("tokens", LargeBinary, nullable=False),  # sealed
    UniqueConstraint("issuer", "subject"),
    sqlite_strict=True,
)

imports = Table(
    "imports",
    METADATA,
    Column("link_id", Text, ForeignKey("links.link_id", ondelete="CASCADE"), primary_key=True),
    Column("field", Text, primary_key=True),
    Column("value", LargeBinary, nullable=False),  # sealed
    Column("verified", BigInt, nullable=False),  # 0 or 1
    Column("time", Instant, nullable=False),
    sqlite_strict=True,
)

sessions = Table(
    "sessions",
    METADATA,
    Column("digest", LargeBinary, primary_key=True),
    Column("account", Text, ForeignKey("accounts.name"), nullable=False, index=True),
    Column("began", Instant, nullable=False),
    Column("seen", Instant, nullable=False),
    Column("link_id", Text, nullable=False, server_default="", index=True),
    sqlite_strict=True,
)

flows = Table(
    "flows",
    METADATA,
    Column("digest", LargeBinary, primary_key=True),
    Column("purpose", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("account", Text, nullable=False),  # empty when signing in
    Column("imports", Text, nullable=False),
    Column("expires", Instant, nullable=False, index=True),
    Column("taken", Instant),
    Column("registered", Text),  # the account to which its proof led
    sqlite_strict=True,
)

invitations = Table(
    "invitations",
    METADATA,
    Column("digest", LargeBinary, primary_key=True),
    Column("role", Text, nullable=False),
    Column("display_name", LargeBinary, nullable=False),  # sealed
    Column("inviter", Text, nullable=False),
    Column("expires", Instant, nullable=False),
    Column("accepted_by", Text, nullable=False),
    Column("accepted", Instant),
    sqlite_strict=True,
)

staff_roles = Table(
    "staff_roles",
    METADATA,
    Column("account", Text, ForeignKey("accounts.name"), primary_key=True),
    Column("role", Text, primary_key=True),
    Column("invitation", LargeBinary, ForeignKey("invitations.digest"), nullable=False),
    Column("since", Instant, nullable=False),
    sqlite_strict=True,
)

actor_keys = signing_keys_table("actor_keys", METADATA)
requests = requests_table(METADATA)
outbox = outbox_table(METADATA)
