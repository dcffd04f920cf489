"""What the migrations make is what the code expects."""

from __future__ import annotations

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import MetaData, create_engine

from runtime.migrations import is_current, migrate
from services.audit.store import KEY_MIGRATIONS, LOG_MIGRATIONS
from services.audit.store.tables import KEYS, LOG


@pytest.mark.parametrize(
    ("location", "metadata"), [(LOG_MIGRATIONS, LOG), (KEY_MIGRATIONS, KEYS)], ids=["log", "keys"]
)
def test_migrations_make_the_tables_of_the_code(
    database_url: str, location: str, metadata: MetaData
) -> None:
    assert not is_current(database_url, location)
    migrate(database_url, location)
    migrate(database_url, location)  # again changes nothing
    assert is_current(database_url, location)
    engine = create_engine(database_url)
    try:
        with engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    finally:
        engine.dispose()
