"""A migration is done whole or not at all, on each engine."""

import pytest
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import DBAPIError

from runtime.migrations import is_current, migrate
from services.account.main import MIGRATIONS


def test_a_migration_that_fails_half_way_leaves_nothing(database_url: str) -> None:
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE outbox (in_the_way INTEGER)"))
    with pytest.raises(DBAPIError):
        migrate(database_url, MIGRATIONS)
    assert set(inspect(engine).get_table_names()) <= {"outbox", "alembic_version"}

    with engine.begin() as connection:
        connection.execute(text("DROP TABLE outbox"))
    engine.dispose()
    migrate(database_url, MIGRATIONS)
    assert is_current(database_url, MIGRATIONS)
