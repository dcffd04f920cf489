"""Databases as the migrations make them, without running the migrations for each test again."""

import functools
import tempfile
from pathlib import Path

import psycopg
from sqlalchemy import URL, make_url

from runtime.migrations import migrate


def migrated(url: str, location: str) -> None:
    """Make of an empty database what `migrate` makes of it: a copy of one that it migrated."""
    wanted = make_url(url)
    if wanted.get_backend_name() == "sqlite":
        with Path(str(wanted.database)).open("xb") as file:  # none may be there
            file.write(_file(location))
        return
    template = _template(wanted.set(database="postgres"), location)
    with _server(wanted) as server:
        server.execute(f'DROP DATABASE "{wanted.database}"')
        server.execute(
            f'CREATE DATABASE "{wanted.database}" TEMPLATE "{template}" STRATEGY FILE_COPY'
        )


@functools.cache
def _file(location: str) -> bytes:
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "migrated.db"
        migrate(f"sqlite:///{file}", location)
        return file.read_bytes()


@functools.cache
def _template(server: URL, location: str) -> str:
    with _server(server) as connection:
        connection.execute(f'CREATE DATABASE "{location}" TEMPLATE template0')
    migrate(server.set(database=location).render_as_string(hide_password=False), location)
    return location


def _server(url: URL) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(
        host=str(url.query["host"]), user=url.username, dbname="postgres", autocommit=True
    )
