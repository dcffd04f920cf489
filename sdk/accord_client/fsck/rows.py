"""A log's database, only read: a copy of an SQLite file, or PostgreSQL if psycopg is installed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from accord_client.fsck.report import NoLogError, UnreachableError

Row = tuple[Any, ...]

_AT_ONCE = 2_000
_HEAD = 1 << 20  # of an SQLite file: here it says what its tables are
_TABLES = ("entries", "tiles", "checkpoints")
_FIND_POSTGRESQL = f"SELECT 1 FROM pg_tables WHERE tablename IN {_TABLES}"  # noqa: S608 -- ours
_FIND_SQLITE = f"SELECT 1 FROM sqlite_master WHERE tbl_name IN {_TABLES}"  # noqa: S608 -- ours
POSTGRESQL = ("postgresql://", "postgres://")


class UnreadableError(Exception):
    """The database cannot read something; says what it says."""


class Database:
    """Opens itself once in each process that it is handed to."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._connection: Any = None

    def __getstate__(self) -> dict[str, object]:
        return {"_address": self._address, "_connection": None}

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file of SQLite's."""
        return not self._postgresql

    @property
    def _postgresql(self) -> bool:
        return self._address.startswith(POSTGRESQL)

    def close(self) -> None:
        """Ends the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def rows(self, sql: str) -> Iterator[Row]:
        """The rows of a statement, as they come; raises UnreadableError."""
        refused: type[Exception] = sqlite3.Error
        try:
            if not self._postgresql:
                yield from self._sqlite().execute(sql)
                return
            refused = _psycopg().Error
            with self._server().cursor(name="fsck") as cursor:
                cursor.itersize = _AT_ONCE
                yield from cursor.execute(sql)
        except (refused, UnicodeDecodeError) as error:  # what is damaged may be quoted in it
            raise UnreadableError(f"the database cannot read it: {error}") from error

    def require_log(self) -> None:
        """Raises NoLogError, or UnreachableError if nobody answers.

        A file that no longer opens is still a log while any of its tables can be made out.
        """
        if self._postgresql:
            try:
                found = list(self.rows(_FIND_POSTGRESQL))
            except UnreadableError as error:
                raise UnreachableError(str(error)) from error
            if not found:
                raise NoLogError("the database holds none of a log's tables")
            return
        try:
            if list(self.rows(_FIND_SQLITE)):
                return
            why = "the database holds none of a log's tables"
        except UnreadableError as error:
            why = str(error)
        with Path(self._address).open("rb") as file:
            head = file.read(_HEAD)
        if not any(f"TABLE {table} ".encode() in head for table in _TABLES):
            raise NoLogError(why)

    def damages(self) -> list[str]:
        """What the engine itself finds wrong with its file."""
        if self._postgresql:
            return []  # its page checksums speak up where rows are read
        try:
            return [
                f"SQLite says: {line}"
                for row in self.rows("PRAGMA integrity_check")
                for line in str(row[0]).splitlines()
                if line != "ok"
            ]
        except UnreadableError as error:
            return [str(error)]

    def _sqlite(self) -> sqlite3.Connection:
        if self._connection is None:
            uri = f"{Path(self._address).resolve().as_uri()}?mode=ro"
            connection = sqlite3.connect(uri, uri=True)
            # Text that is no longer UTF-8 still has to be compared, and then named.
            connection.text_factory = lambda data: data.decode(errors="replace")
            self._connection = connection
        return self._connection  # type: ignore[no-any-return]  # of two kinds

    def _server(self) -> Any:  # noqa: ANN401 -- psycopg is not always there
        if self._connection is None:
            psycopg = _psycopg()
            connection = psycopg.connect(self._address)
            connection.read_only = True
            # Everything that this process sees is one state of the log.
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            self._connection = connection
        return self._connection


def _psycopg() -> Any:  # noqa: ANN401 -- the same
    try:
        import psycopg  # noqa: PLC0415 -- a caller of Accord need not have it
    except ImportError as error:
        message = 'PostgreSQL is read through psycopg: pip install "psycopg[binary]"'
        raise UnreadableError(message) from error
    return psycopg
