"""The two engines the stores are tested on: real, durable enough, and empty each time."""

from __future__ import annotations

import pytest
import sqlalchemy

from sandbox.postgres import PostgresServer


@pytest.mark.parametrize("attempt", ["first", "second"])
def test_every_test_starts_from_an_empty_database(database_url: str, attempt: str) -> None:
    engine = sqlalchemy.create_engine(database_url)
    try:
        with engine.begin() as connection:
            assert sqlalchemy.inspect(connection).get_table_names() == []
            connection.execute(sqlalchemy.text("CREATE TABLE leftover (note TEXT)"))
            connection.execute(sqlalchemy.text("INSERT INTO leftover VALUES (:n)"), {"n": attempt})
    finally:
        engine.dispose()


def test_the_server_is_a_real_postgresql_that_runs_without_root(postgres: PostgresServer) -> None:
    engine = sqlalchemy.create_engine(postgres.url("postgres"))
    try:
        with engine.connect() as connection:
            version = connection.execute(sqlalchemy.text("SHOW server_version_num")).scalar_one()
    finally:
        engine.dispose()
    assert int(version) >= 150000
    assert (postgres.socket_directory / "data").stat().st_uid != 0
