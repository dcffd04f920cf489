"""The migrations make the very tables that the store speaks of."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from runtime.migrations import is_current, migrate
from services.sharing.store.records import MIGRATIONS
from services.sharing.store.tables import METADATA


def test_migrations_end_at_the_tables(database_url: str) -> None:
    assert not is_current(database_url, MIGRATIONS)
    migrate(database_url, MIGRATIONS)
    assert is_current(database_url, MIGRATIONS)
    engine = create_engine(database_url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    engine.dispose()
