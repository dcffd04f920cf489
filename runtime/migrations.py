"""Alembic, configured in code: one set of migrations per service, run before it serves.

Each service has `store/migrations/{env.py,versions/}`; its env.py calls `run_env`. On PostgreSQL a
migration waits at most briefly for locks, and only one process migrates at a time. On both engines
a migration is one transaction: what fails half-way leaves nothing behind.
"""

import sys
from importlib import resources

from alembic import command, context
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError

from runtime.engines import engine

_ADVISORY_LOCK = 0x4143434F5244  # "ACCORD"
_NOT_ALLOWED = "42501"  # PostgreSQL's insufficient_privilege


def migrate(url: str, location: str) -> None:
    """Bring the database at `url` to the newest revision of `package.path:directory`.

    Ends the process with a word to the operator when the URL's role is not the tables' owner.
    """
    try:
        command.upgrade(_config(url, location), "head")
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != _NOT_ALLOWED:
            raise
        role = make_url(url).username
        sys.exit(f"the role {role} may not change tables: migrate as the role that owns them")


def is_current(url: str, location: str) -> bool:
    """Return whether the database is at the newest revision."""
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            at = MigrationContext.configure(connection).get_current_heads()
    finally:
        engine.dispose()
    return set(at) == set(ScriptDirectory.from_config(_config(url, location)).get_heads())


def run_env(metadata: MetaData) -> None:
    """Run the migrations of alembic's current context; the body of every env.py."""
    url = context.config.get_main_option("sqlalchemy.url")
    if url is None:
        raise RuntimeError("migrations run through runtime.migrations.migrate")
    database = engine(url, None, write=True)
    try:
        with database.connect() as connection:
            if make_url(url).get_backend_name() == "postgresql":
                connection.execute(text("SET lock_timeout = '5s'"))
                connection.execute(text("SET statement_timeout = '60s'"))
                connection.execute(text(f"SELECT pg_advisory_lock({_ADVISORY_LOCK})"))
                connection.commit()
            context.configure(
                connection=connection,
                target_metadata=metadata,
                transaction_per_migration=True,
                transactional_ddl=True,
                render_as_batch=False,
            )
            with context.begin_transaction():
                context.run_migrations()
    finally:
        database.dispose()  # ends the session, and with it the advisory lock


def _config(url: str, location: str) -> Config:
    package, _, directory = location.partition(":")
    config = Config()
    with resources.as_file(resources.files(package) / directory) as path:
        config.set_main_option("script_location", str(path))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config
