"""How connections of `runtime.db` are made and bounded, on each engine."""

from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, create_engine, event, make_url

READERS = 4
URGENT = 2  # readers for what is short and must not wait
POSTGRES_LANES = 4
# Of libpq: what a server that is gone, or a network that says nothing, can hold up.
_POSTGRES_BOUNDS = {
    "connect_timeout": 5,  # s, for each address
    "keepalives_idle": 30,  # s
    "keepalives_interval": 5,  # s
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,  # ms that what was sent may stay unacknowledged
}


class _BinaryCursor(psycopg.Cursor[tuple[object, ...]]):
    """Asks for values as the server keeps them: bytes written as text cost three times as much."""

    def __init__(self, *args: Any, **named: Any) -> None:  # noqa: ANN401  the driver's own
        super().__init__(*args, **named)
        self.format = psycopg.pq.Format.BINARY


def engine(url: str, statement_s: float | None, *, write: bool) -> Engine:
    """Make the engine of a database's writers, or of its readers, which cannot write."""
    if make_url(url).get_backend_name() == "sqlite":
        embedded = create_engine(
            url,
            pool_size=READERS + URGENT,
            hide_parameters=True,  # in the text of an error: they may be anybody's data
            connect_args={"check_same_thread": False},
        )
        event.listen(embedded, "connect", _prepare_writer if write else _prepare_reader)
        event.listen(embedded, "begin", _begin_immediate if write else _begin_deferred)
        return embedded
    arguments = {"cursor_factory": _BinaryCursor, **_postgres_bounds(url, statement_s)}
    if write:
        return create_engine(
            url,
            isolation_level="SERIALIZABLE",
            pool_size=POSTGRES_LANES,
            pool_pre_ping=True,
            hide_parameters=True,
            connect_args=arguments,
        )
    reader = create_engine(
        url,
        isolation_level="REPEATABLE READ",
        pool_size=READERS + URGENT,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args=arguments,
    )
    return reader.execution_options(postgresql_readonly=True)


def _postgres_bounds(url: str, statement_s: float | None) -> dict[str, object]:
    said = make_url(url).query
    bounds: dict[str, object] = {k: v for k, v in _POSTGRES_BOUNDS.items() if k not in said}
    options = said.get("options", "")
    if "statement_timeout" not in options:
        # 0 is none: what is not said here would be what the role has.
        timeout = f"-c statement_timeout={round((statement_s or 0) * 1000)}"
        bounds["options"] = f"{options} {timeout}" if options else timeout
    return bounds


def _prepare_writer(connection: Any, _record: object) -> None:  # noqa: ANN401  the driver's own
    connection.isolation_level = None  # we say BEGIN ourselves: the driver's comes too late
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "busy_timeout=5000",
        # Pages that many commits write again and again go from the log into the file together.
        "wal_autocheckpoint=10000",
        "cache_size=-32768",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _prepare_reader(connection: Any, _record: object) -> None:  # noqa: ANN401  the driver's own
    connection.isolation_level = None
    for pragma in ("query_only=ON", "busy_timeout=5000"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin_deferred(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")
