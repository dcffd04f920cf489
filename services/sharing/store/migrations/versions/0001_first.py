"""The first tables of sharing."""

import sqlalchemy as sa
from alembic import op

from runtime.db import BigInt, Instant

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "changes",
        sa.Column("id", BigInt, nullable=False, autoincrement=True),
        sa.Column("xid", BigInt, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("time", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_changes"),
        sqlite_strict=True,
    )
    op.create_index("ix_changes_xid_id", "changes", ["xid", "id"])
    op.create_table(
        "consents",
        sa.Column("ordinal", BigInt, nullable=False, autoincrement=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("revision", BigInt, nullable=False),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("purposes", sa.Text, nullable=False),
        sa.Column("categories", sa.Text, nullable=False),
        sa.Column("recipient", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("expires", Instant, nullable=True),
        sa.Column("withdrawn", Instant, nullable=True),
        sa.Column("notice", sa.Text, nullable=False),
        sa.Column("language", sa.Text, nullable=False),
        sa.Column("method", sa.Text, nullable=False),
        sa.Column("indicator", sa.Text, nullable=False),
        sa.Column("indicator_name", sa.Text, nullable=False),
        sa.Column("recorded", Instant, nullable=False),
        sa.PrimaryKeyConstraint("ordinal", name="pk_consents"),
        sa.UniqueConstraint("name", "revision", name="uq_consents_name_revision"),
        sqlite_strict=True,
    )
    op.create_index("ix_consents_account_ordinal", "consents", ["account", "ordinal"])
    op.create_table(
        "contract_events",
        sa.Column("ordinal", BigInt, nullable=False, autoincrement=True),
        sa.Column("contract", sa.Text, nullable=False),
        sa.Column("version", BigInt, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("time", Instant, nullable=False),
        sa.PrimaryKeyConstraint("ordinal", name="pk_contract_events"),
        sqlite_strict=True,
    )
    op.create_index("ix_contract_events_contract", "contract_events", ["contract"])
    op.create_table(
        "contract_versions",
        sa.Column("contract", sa.Text, nullable=False),
        sa.Column("version", BigInt, nullable=False, autoincrement=False),
        sa.Column("terms", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("contract", "version", name="pk_contract_versions"),
        sqlite_strict=True,
    )
    op.create_table(
        "decisions",
        sa.Column("ordinal", BigInt, nullable=False, autoincrement=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("asker", sa.Text, nullable=False),
        sa.Column("bodies", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("ordinal", name="pk_decisions"),
        sa.UniqueConstraint("name", name="uq_decisions_name"),
        sqlite_strict=True,
    )
    op.create_table(
        "decisions_of",
        sa.Column("holder", BigInt, nullable=False, autoincrement=False),
        sa.Column("position", BigInt, nullable=False, autoincrement=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("holder", "position", name="pk_decisions_of"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "permitted",
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("recipient", sa.Text, nullable=False),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("categories", sa.Text, nullable=False),
        sa.Column("instrument", sa.Text, nullable=False),
        sa.Column("position", BigInt, nullable=False),
        sa.PrimaryKeyConstraint(
            "holder",
            "recipient",
            "service",
            "purpose",
            "categories",
            "instrument",
            name="pk_permitted",
        ),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index("ix_permitted_recipient_holder", "permitted", ["recipient", "holder"])
    op.create_table(
        "expiries",
        sa.Column("ordinal", BigInt, nullable=False, autoincrement=True),
        sa.Column("day", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("resource", sa.Text, nullable=False),
        sa.Column("recipient", sa.Text, nullable=False),
        sa.Column("safeguard", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("ordinal", name="pk_expiries"),
        sqlite_strict=True,
    )
    op.create_index("ix_expiries_resource", "expiries", ["resource"])
    op.create_index("ix_expiries_day_ordinal", "expiries", ["day", "ordinal"])
    op.create_table(
        "instruments",
        sa.Column("ordinal", BigInt, nullable=False, autoincrement=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("categories", sa.Text, nullable=False),
        sa.Column("on_date", sa.Text, nullable=False),
        sa.Column("expires", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("issuer", sa.Text, nullable=False),
        sa.Column("authority", sa.Text, nullable=False),
        sa.Column("reference", sa.Text, nullable=False),
        sa.Column("secret_until", sa.Text, nullable=False),
        sa.Column("document_sha256", sa.Text, nullable=False),
        sa.Column("document_location", sa.Text, nullable=False),
        sa.Column("recorder", sa.Text, nullable=False),
        sa.Column("recorded", Instant, nullable=False),
        sa.Column("activator", sa.Text, nullable=False),
        sa.Column("activated", Instant, nullable=True),
        sa.Column("revoker", sa.Text, nullable=False),
        sa.Column("revoked", Instant, nullable=True),
        sa.Column("note", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("ordinal", name="pk_instruments"),
        sa.UniqueConstraint("name", name="uq_instruments_name"),
        sqlite_strict=True,
    )
    op.create_index("ix_instruments_account_ordinal", "instruments", ["account", "ordinal"])
    op.create_table(
        "outbox",
        sa.Column("id", BigInt, nullable=False, autoincrement=True),
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
    op.create_table(
        "preferences",
        sa.Column("ordinal", BigInt, nullable=False, autoincrement=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("recorded", Instant, nullable=False),
        sa.Column("lifted", Instant, nullable=True),
        sa.Column("app", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("ordinal", name="pk_preferences"),
        sa.UniqueConstraint("name", name="uq_preferences_name"),
        sqlite_strict=True,
    )
    op.create_index("ix_preferences_account_ordinal", "preferences", ["account", "ordinal"])
    op.create_table(
        "recipients",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("display_name", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("jurisdiction", sa.Text, nullable=False),
        sa.Column("created", Instant, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_recipients"),
        sqlite_strict=True,
    )
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
    op.create_table(
        "subjects",
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("jurisdiction", sa.Text, nullable=False),
        sa.Column("birth_date", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("since", Instant, nullable=False),
        sa.Column("version", BigInt, nullable=False),
        sa.PrimaryKeyConstraint("account", name="pk_subjects"),
        sqlite_strict=True,
    )
    op.create_table(
        "subject_versions",
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("version", BigInt, nullable=False, autoincrement=False),
        sa.Column("jurisdiction", sa.Text, nullable=False),
        sa.Column("birth_date", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("since", Instant, nullable=False),
        sa.Column("recorded", Instant, nullable=False),
        sa.PrimaryKeyConstraint("account", "version", name="pk_subject_versions"),
        sqlite_strict=True,
    )
    op.create_table(
        "contracts",
        sa.Column("ordinal", BigInt, nullable=False, autoincrement=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("recipient", sa.Text, nullable=False),
        sa.Column("version", BigInt, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("active_version", BigInt, nullable=False),
        sa.Column("active_state", sa.Text, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("created", Instant, nullable=False),
        sa.PrimaryKeyConstraint("ordinal", name="pk_contracts"),
        sa.ForeignKeyConstraint(
            ["recipient"], ["recipients.name"], name="fk_contracts_recipient_recipients"
        ),
        sa.UniqueConstraint("name", name="uq_contracts_name"),
        sqlite_strict=True,
    )
    op.create_index("ix_contracts_recipient", "contracts", ["recipient"])
    op.create_table(
        "signing_keys",
        sa.Column("kid", sa.Text, nullable=False),
        sa.Column("private_key", sa.LargeBinary, nullable=False),
        sa.Column("public_key", sa.Text, nullable=False),
        sa.Column("created", Instant, nullable=False),
        sa.PrimaryKeyConstraint("kid", name="pk_signing_keys"),
        sqlite_strict=True,
    )
    op.create_table(
        "disclosures",
        sa.Column("ordinal", BigInt, nullable=False, autoincrement=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("decision", sa.Text, nullable=False),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("recipient", sa.Text, nullable=False),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("categories", sa.Text, nullable=False),
        sa.Column("consents", sa.Text, nullable=False),
        sa.Column("instrument", sa.Text, nullable=False),
        sa.Column("records", BigInt, nullable=False),
        sa.Column("time", Instant, nullable=False),
        sa.Column("recorded", Instant, nullable=False),
        sa.Column("late", BigInt, nullable=False),
        sa.Column("sender", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("ordinal", name="pk_disclosures"),
        sa.UniqueConstraint("name", name="uq_disclosures_name"),
        sqlite_strict=True,
    )
    op.create_index("ix_disclosures_holder_ordinal", "disclosures", ["holder", "ordinal"])
    op.create_index("ix_disclosures_decision_ordinal", "disclosures", ["decision", "ordinal"])
    op.create_index(
        "ix_disclosures_kind",
        "disclosures",
        ["holder", "recipient", "service", "purpose", "instrument", "ordinal"],
    )
    op.create_table(
        "received",
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("recipient", sa.Text, nullable=False),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("categories", sa.Text, nullable=False),
        sa.Column("instrument", sa.Text, nullable=False),
        sa.Column("disclosure", BigInt, nullable=False),
        sa.PrimaryKeyConstraint(
            "holder",
            "recipient",
            "service",
            "purpose",
            "categories",
            "instrument",
            name="pk_received",
        ),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index("ix_received_recipient_holder", "received", ["recipient", "holder"])
    op.create_table(
        "endings",
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("resource", sa.Text, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("seen", BigInt, nullable=False),
        sa.PrimaryKeyConstraint("holder", "resource", "at", name="pk_endings"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index("ix_endings_at", "endings", ["at"])
    op.create_table(
        "recipient_endpoints",
        sa.Column("recipient", sa.Text, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("setter", sa.Text, nullable=False),
        sa.Column("set_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("recipient", name="pk_recipient_endpoints"),
        sa.ForeignKeyConstraint(
            ["recipient"], ["recipients.name"], name="fk_recipient_endpoints_recipient_recipients"
        ),
        sqlite_strict=True,
    )
    op.create_table(
        "revocation_notices",
        sa.Column("ordinal", BigInt, nullable=False, autoincrement=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("recipient", sa.Text, nullable=False),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("contract", sa.Text, nullable=False),
        sa.Column("created", Instant, nullable=False),
        sa.Column("deadline", Instant, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempts", BigInt, nullable=False),
        sa.Column("attempted", Instant, nullable=True),
        sa.Column("next_attempt", Instant, nullable=True),
        sa.Column("leased", Instant, nullable=True),
        sa.Column("problem", sa.Text, nullable=False),
        sa.Column("acknowledged", Instant, nullable=True),
        sa.Column("acknowledger", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("watch", Instant, nullable=True),
        sa.PrimaryKeyConstraint("ordinal", name="pk_revocation_notices"),
        sa.ForeignKeyConstraint(
            ["recipient"], ["recipients.name"], name="fk_revocation_notices_recipient_recipients"
        ),
        sa.UniqueConstraint("name", name="uq_revocation_notices_name"),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_revocation_notices_recipient_ordinal", "revocation_notices", ["recipient", "ordinal"]
    )
    op.create_index(
        "ix_revocation_notices_state_ordinal", "revocation_notices", ["state", "ordinal"]
    )
    op.create_index("ix_revocation_notices_next_attempt", "revocation_notices", ["next_attempt"])
    op.create_index("ix_revocation_notices_watch", "revocation_notices", ["watch"])
    op.create_table(
        "revocation_decisions",
        sa.Column("decision", sa.Text, nullable=False),
        sa.Column("notice", BigInt, nullable=False, autoincrement=False),
        sa.PrimaryKeyConstraint("decision", "notice", name="pk_revocation_decisions"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index("ix_revocation_decisions_notice", "revocation_decisions", ["notice"])
