"""One database, two engines: SQLite embedded by default, PostgreSQL by URL alone.

A *unit of work* is a plain function of a connection. It runs in a database thread, so nothing
blocks the event loop, and it cannot await anything, so no transaction is ever open across a
network call. What both engines promise:

- a unit sees and leaves a serializable history; on PostgreSQL it may run again after a
  serialization failure, so it has no effect but its SQL;
- `write` returns only when the unit is durable (SQLite: WAL with synchronous=FULL);
- reads that others wait for with a deadline have threads of their own, so that no queue of slow
  reads makes them late;
- concurrent units share one commit (group commit), each under its own savepoint: one that raises
  is rolled back alone;
- a full queue is refused with OVERLOADED at once; an engine that is away with UNAVAILABLE.
"""

import asyncio
import queue
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any, Generic, TypeVar

import psycopg
from sqlalchemy import (
    BigInteger,
    Connection,
    Dialect,
    Integer,
    MetaData,
    Table,
    event,
    make_url,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.types import TypeDecorator

from runtime.engines import POSTGRES_LANES, READERS, URGENT, engine
from runtime.fault import Fault

T = TypeVar("T")
Unit = Callable[[Connection], T]

_GROUP = 256  # units that share one commit at most
_QUEUE = 4096  # units that may wait before callers are refused
_ATTEMPTS = 6  # runs of a unit that loses serialization races
# Rows in one INSERT: the large number while there are so many, then the small one; each count up to
# that is a statement that the driver keeps prepared.
_MANY_ROWS, _ROWS = 256, 64
_STATEMENT_S = 120  # on PostgreSQL; a unit's statements take milliseconds, the longest queries 10 s
_RETRY_AFTER = timedelta(milliseconds=200)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# serialization_failure, deadlock_detected
_LOST_RACES = frozenset({"40001", "40P01"})
_COPY_HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)  # no flags, no extension
_COPY_END = b"\xff\xff"


# SQLite's STRICT tables know INTEGER, TEXT and BLOB alone: use BigInt, Text, LargeBinary, Instant.
BigInt = BigInteger().with_variant(Integer(), "sqlite")


class Instant(TypeDecorator[datetime]):
    """An aware UTC datetime, kept as microseconds since 1970 so that both engines sort it alike."""

    impl = BigInt
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002  SQLAlchemy's signature
        """Encode; a naive datetime is a bug and raises."""
        return None if value is None else (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:  # noqa: ANN401, ARG002  SQLAlchemy's signature
        """Decode."""
        return None if value is None else _EPOCH + value * _MICROSECOND


def metadata() -> MetaData:
    """Make the MetaData of a service, with constraint names that migrations can rely on."""
    return MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


def insert_missing(tx: Connection, table: Table, rows: Sequence[dict[str, object]]) -> int:
    """Insert the rows whose key is not there yet; return how many were."""
    insert = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
    statement = insert(table).on_conflict_do_nothing().returning(*table.primary_key)
    return sum(tx.execute(statement, row).one_or_none() is not None for row in rows)


def insert_rows(
    tx: Connection,
    table: Table,
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    **expressions: str,
) -> None:
    """Insert rows of values that the driver knows with as few statements as may be.

    Each statement hands the interpreter over to another thread and must win it back: executemany,
    which is one for each row, would wait longer than it works. `expressions` are SQL, for all rows.
    """
    mark = "%s" if tx.dialect.name == "postgresql" else "?"
    one = "(" + ", ".join([*expressions.values(), *[mark] * len(columns)]) + ")"
    head = f"INSERT INTO {table.name} ({', '.join([*expressions, *columns])}) VALUES "  # noqa: S608  our own names
    start = 0
    while start < len(rows):
        some = rows[start : start + (_MANY_ROWS if len(rows) - start >= _MANY_ROWS else _ROWS)]
        tx.exec_driver_sql(head + ", ".join([one] * len(some)), tuple(chain.from_iterable(some)))
        start += len(some)


def copy_rows(tx: Connection, table: Table, columns: Sequence[str], rows: Iterable[bytes]) -> None:
    """Insert rows into PostgreSQL by COPY, each in its binary format: no statement to plan.

    A row is the number of its fields in 16 bits, and each field behind its length in 32.
    """
    copy = f"COPY {table.name} ({', '.join(columns)}) FROM STDIN (FORMAT BINARY)"
    try:
        with tx.connection.cursor().copy(copy) as stream:
            stream.write(b"".join([_COPY_HEAD, *rows, _COPY_END]))
    except psycopg.Error as error:  # as any statement's is told
        raise DBAPIError.instance(copy, None, error, psycopg.Error) from error


@dataclass(slots=True)
class _Job(Generic[T]):
    """One unit in the queue, and where its outcome goes."""

    unit: Unit[T]
    loop: asyncio.AbstractEventLoop
    done: "asyncio.Future[T]"

    def resolve(self, value: T) -> None:
        if not self.done.done():  # its caller may have been cancelled meanwhile
            self.done.set_result(value)

    def reject(self, error: BaseException) -> None:
        if not self.done.done():
            self.done.set_exception(error)


class Database:
    """A database and the threads that talk to it. Open one per URL and process.

    With `secure_delete`, SQLite writes zeros over what is deleted: its file keeps none of it.
    PostgreSQL ends a statement after `statement_s`, so that none holds its thread for ever; None is
    for what an operator runs over whole databases. What the URL says of these bounds holds instead.
    """

    def __init__(
        self, url: str, *, secure_delete: bool = False, statement_s: float | None = _STATEMENT_S
    ) -> None:
        self.dialect = make_url(url).get_backend_name()
        self._writer = engine(url, statement_s, write=True)
        if secure_delete and self.dialect == "sqlite":
            erase = "PRAGMA secure_delete=ON"
            event.listen(self._writer, "connect", lambda driver, _: driver.execute(erase))
        self._reader = engine(url, statement_s, write=False)
        self._queue: queue.Queue[_Job[Any] | None] = queue.Queue(maxsize=_QUEUE)
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="db-read")
        self._urgent = ThreadPoolExecutor(URGENT, thread_name_prefix="db-urgent")
        # SQLite has one writer; PostgreSQL gains from a few that overlap their round trips.
        lanes = 1 if self.dialect == "sqlite" else POSTGRES_LANES
        self._lanes = [
            threading.Thread(target=self._lane, name=f"db-write-{n}", daemon=True)
            for n in range(lanes)
        ]
        for lane in self._lanes:
            lane.start()
        # Set after each commit; the relay waits on it instead of polling.
        self.committed = asyncio.Event()

    async def write(self, unit: Unit[T]) -> T:
        """Run a unit in a serializable transaction; return its value when it is durable."""
        loop = asyncio.get_running_loop()
        job = _Job(unit, loop, loop.create_future())
        try:
            self._queue.put_nowait(job)
        except queue.Full:
            raise Fault(
                "OVERLOADED", "too many writes are waiting", retry_after=_RETRY_AFTER
            ) from None
        result: T = await job.done
        self.committed.set()
        return result

    async def read(self, query: Unit[T], *, urgent: bool = False) -> T:
        """Run a query on a snapshot that cannot write.

        `urgent` is for short ones that what is served stands on: they wait for their like alone.
        """
        readers = self._urgent if urgent else self._readers
        return await asyncio.get_running_loop().run_in_executor(readers, self._query, query)

    async def ping(self) -> None:
        """Raise UNAVAILABLE when the database does not answer."""
        await self.read(lambda tx: tx.execute(text("SELECT 1")).scalar_one(), urgent=True)

    async def truncate_wal(self) -> bool:
        """Move what was committed from SQLite's write-ahead log into its file, and empty the log.

        The log holds older images of pages until it is written over, of deleted rows too. Return
        False when somebody read an older snapshot all the while (5 s). PostgreSQL keeps its own.
        """
        return self.dialect != "sqlite" or await asyncio.to_thread(self._truncate_wal)

    def _truncate_wal(self) -> bool:
        with closing(self._writer.raw_connection()) as connection:
            busy = connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            return not busy

    async def close(self) -> None:
        """Finish what is queued and let go of the connections."""
        for _ in self._lanes:
            await asyncio.to_thread(self._queue.put, None)
        for lane in self._lanes:
            await asyncio.to_thread(lane.join)
        await asyncio.to_thread(self._readers.shutdown)
        await asyncio.to_thread(self._urgent.shutdown)
        self._writer.dispose()
        self._reader.dispose()

    def _query(self, query: Unit[T]) -> T:
        try:
            with self._reader.begin() as tx:
                return query(tx)
        except DBAPIError as error:
            raise _fault(error) from error

    def _lane(self) -> None:
        while (job := self._queue.get()) is not None:
            group = [job]
            while len(group) < _GROUP:
                try:
                    following = self._queue.get_nowait()
                except queue.Empty:
                    break
                if following is None:
                    self._queue.put(None)  # for ourselves, after this group
                    break
                group.append(following)
            self._commit(group)

    def _commit(self, group: list[_Job[Any]]) -> None:
        """Run a group in one transaction; after a lost race each of its units alone."""
        try:
            outcomes = self._attempt(group)
        except DBAPIError as error:
            if len(group) > 1 and _lost_race(error):
                for job in group:
                    self._commit([job])
                return
            if _lost_race(error):
                self._settle(group[0], self._again(group[0], error))
                return
            outcomes = [_Failure(_fault(error))] * len(group)
        except Exception as error:  # noqa: BLE001  whatever it is belongs to the callers
            outcomes = [_Failure(error)] * len(group)
        for job, outcome in zip(group, outcomes, strict=True):
            self._settle(job, outcome)

    def _again(self, job: _Job[Any], error: DBAPIError) -> object:
        for _ in range(_ATTEMPTS - 1):
            try:
                return self._attempt([job])[0]
            except DBAPIError as again:
                if not _lost_race(again):
                    return _Failure(_fault(again))
                error = again
        conflict = Fault("CONFLICT", "lost against concurrent changes", retry_after=_RETRY_AFTER)
        conflict.__cause__ = error
        return _Failure(conflict)

    def _attempt(self, group: list[_Job[Any]]) -> list[object]:
        with self._writer.begin() as tx:
            if len(group) == 1:
                return [_run_alone(tx, group[0].unit)]
            return [_run_under_savepoint(tx, job.unit) for job in group]

    @staticmethod
    def _settle(job: _Job[Any], outcome: object) -> None:
        try:
            if isinstance(outcome, _Failure):
                job.loop.call_soon_threadsafe(job.reject, outcome.error)
            else:
                job.loop.call_soon_threadsafe(job.resolve, outcome)
        except RuntimeError:  # the loop is closed: nobody waits any more
            return


@dataclass(frozen=True, slots=True)
class _Failure:
    error: BaseException


def _run_alone(tx: Connection, unit: Unit[object]) -> object:
    """Run the only unit of a transaction: no savepoint, the transaction itself is rolled back."""
    try:
        return unit(tx)
    except DBAPIError as error:
        if _lost_race(error):
            raise
        tx.get_transaction().rollback()  # type: ignore[union-attr]  # begun by the caller
        return _Failure(_fault(error))
    except Exception as error:  # noqa: BLE001  it belongs to the caller of this unit
        tx.get_transaction().rollback()  # type: ignore[union-attr]  # begun by the caller
        return _Failure(error)


def _run_under_savepoint(tx: Connection, unit: Unit[object]) -> object:
    savepoint = tx.begin_nested()
    try:
        value = unit(tx)
        savepoint.commit()
    except DBAPIError as error:
        if _lost_race(error) or error.connection_invalidated:
            raise
        savepoint.rollback()
        return _Failure(_fault(error))
    except Exception as error:  # noqa: BLE001  it belongs to the caller of this unit
        savepoint.rollback()
        return _Failure(error)
    return value


def _lost_race(error: DBAPIError) -> bool:
    return getattr(error.orig, "sqlstate", None) in _LOST_RACES


def _fault(error: DBAPIError) -> BaseException:
    """Call an engine that is away, locked or full UNAVAILABLE; anything else is our bug."""
    if isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated:
        fault = Fault("UNAVAILABLE", "the database does not answer", retry_after=_RETRY_AFTER)
        fault.__cause__ = error
        return fault
    return error
