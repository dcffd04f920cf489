"""What runtime.db promises, on both engines."""

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from sqlalchemy import (
    Column,
    Connection,
    LargeBinary,
    Table,
    Text,
    func,
    make_url,
    select,
    text,
    update,
)
from sqlalchemy.exc import IntegrityError

from runtime.db import BigInt, Database, Instant, insert_missing, metadata
from runtime.fault import Fault
from runtime.idempotency import once, requests_table

NOW = datetime(2026, 6, 1, 12, 0, 0, 123456, tzinfo=UTC)
META = metadata()
BALANCE = Table(
    "balance",
    META,
    Column("name", Text, primary_key=True),
    Column("amount", BigInt, nullable=False),
    Column("time", Instant),
    sqlite_strict=True,
)
VALUES = Table(
    "some_values",
    META,
    Column("key", BigInt, primary_key=True),
    Column("words", Text),
    Column("content", LargeBinary),
    Column("number", BigInt),
    sqlite_strict=True,
)
REQUESTS = requests_table(META)


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    await database.write(META.create_all)
    yield database
    await database.close()


async def total(db: Database) -> int:
    return await db.read(
        lambda tx: tx.execute(select(func.coalesce(func.sum(BALANCE.c.amount), 0))).scalar_one()
    )


async def test_a_unit_that_raises_is_rolled_back_alone(db: Database) -> None:
    def unit(number: int) -> Any:
        def run(tx: Connection) -> int:
            tx.execute(BALANCE.insert().values(name=f"n{number}", amount=1))
            if number % 3 == 0:
                raise ValueError(number)
            if number % 3 == 1:
                tx.execute(BALANCE.insert().values(name=f"n{number}", amount=1))
            return number

        return run

    outcomes = await asyncio.gather(*(db.write(unit(n)) for n in range(60)), return_exceptions=True)
    for number, outcome in enumerate(outcomes):
        expected = (ValueError, IntegrityError, int)[number % 3]
        assert isinstance(outcome, expected)
    assert await total(db) == 20


async def test_concurrent_changes_leave_a_serial_history(db: Database) -> None:
    """Each of two withdrawals is allowed alone, both are not: weaker isolation would let both."""
    both_have_read = threading.Barrier(2)

    def fill(tx: Connection) -> None:
        for name in ("a", "b"):
            tx.execute(BALANCE.insert().values(name=name, amount=50))

    def withdraw(name: str) -> Any:
        def run(tx: Connection) -> None:
            enough = tx.execute(select(func.sum(BALANCE.c.amount))).scalar_one() >= 60
            with contextlib.suppress(threading.BrokenBarrierError):
                both_have_read.wait(0.3)  # one writer at a time never meets the other here
            if not enough:
                raise Fault("WRONG_STATE", "not enough")
            tx.execute(
                update(BALANCE).where(BALANCE.c.name == name).values(amount=BALANCE.c.amount - 60)
            )

        return run

    await db.write(fill)
    first = asyncio.create_task(db.write(withdraw("a")))
    await asyncio.sleep(0)
    second = asyncio.create_task(db.write(withdraw("b")))
    outcomes = await asyncio.gather(first, second, return_exceptions=True)
    assert sorted(isinstance(outcome, Fault) for outcome in outcomes) == [False, True]
    assert await total(db) == 40


async def test_two_processes_count_every_increment(db: Database, database_url: str) -> None:
    """Each reads before it writes: a transaction that began as a reader could not go on."""

    def add(tx: Connection) -> None:
        amount = tx.execute(select(BALANCE.c.amount)).scalar_one()
        tx.execute(update(BALANCE).values(amount=amount + 1))

    await db.write(lambda tx: tx.execute(BALANCE.insert().values(name="a", amount=0)))
    other = Database(database_url)
    await asyncio.gather(*(one.write(add) for one in (db, other) for _ in range(8)))
    await other.close()
    assert await total(db) == 16


async def test_every_increment_counts(db: Database) -> None:
    def add(tx: Connection) -> None:
        tx.execute(update(BALANCE).values(amount=BALANCE.c.amount + 1))

    await db.write(lambda tx: tx.execute(BALANCE.insert().values(name="a", amount=0)))
    await asyncio.gather(*(db.write(add) for _ in range(50)))
    assert await total(db) == 50


async def test_a_query_cannot_write(db: Database) -> None:
    with pytest.raises(Exception, match=r"(?i)read-?only|UNAVAILABLE"):
        await db.read(lambda tx: tx.execute(BALANCE.insert().values(name="a", amount=1)))
    assert await total(db) == 0


async def test_an_acknowledged_write_is_there_after_reopening(
    db: Database, database_url: str
) -> None:
    await db.write(lambda tx: tx.execute(BALANCE.insert().values(name="a", amount=7)))
    again = Database(database_url)
    assert await total(again) == 7
    await again.close()


async def test_instants_keep_their_microseconds(db: Database) -> None:
    moments = {"now": NOW, "long ago": NOW - timedelta(days=40_000)}

    def fill(tx: Connection) -> None:
        for name, moment in moments.items():
            tx.execute(BALANCE.insert().values(name=name, amount=1, time=moment))

    await db.write(fill)
    rows = await db.read(lambda tx: tx.execute(select(BALANCE.c.name, BALANCE.c.time)).all())
    assert {row.name: row.time for row in rows} == moments


async def test_values_come_back_as_they_were_written(db: Database) -> None:
    written = [
        (1, "", bytes(range(256)), (1 << 63) - 1),
        (2, "隱私 ‖ \\x00", b"\\x41", -1 << 63),
        (3, None, None, None),
    ]
    await db.write(lambda tx: tx.execute(VALUES.insert().values(written)))
    rows = await db.read(lambda tx: tx.execute(select(VALUES).order_by(VALUES.c.key)).all())
    assert [tuple(row) for row in rows] == written
    assert [type(row.content) for row in rows] == [bytes, bytes, type(None)]


async def test_insert_missing_leaves_what_is_there(db: Database) -> None:
    rows = [{"name": "a", "amount": 1}, {"name": "b", "amount": 2}]
    assert await db.write(lambda tx: insert_missing(tx, BALANCE, rows)) == 2
    rows.append({"name": "c", "amount": 3})
    assert await db.write(lambda tx: insert_missing(tx, BALANCE, rows)) == 1
    assert await total(db) == 6


async def test_a_request_happens_once(db: Database) -> None:
    calls = count()

    def request(content: bytes, request_id: str = "6f9f3d5e-7a51-4a53-8f0e-0d8a1d0a7b11") -> Any:
        def change() -> bytes:
            return json.dumps(next(calls)).encode()

        return lambda tx: once(
            tx,
            REQUESTS,
            scope="Create accounts/x",
            request_id=request_id,
            content=content,
            now=NOW,
            change=change,
        )

    first = await db.write(request(b"one"))
    repeated = await asyncio.gather(*(db.write(request(b"one")) for _ in range(8)))
    assert set(repeated) == {first}
    with pytest.raises(Fault, match="REQUEST_ID_REUSED"):
        await db.write(request(b"other"))
    with pytest.raises(Fault, match="INVALID_FIELD"):
        await db.write(request(b"one", "not a uuid"))


async def test_a_database_that_is_away_is_unavailable(db: Database, database_url: str) -> None:
    assert await db.read(lambda tx: tx.execute(text("SELECT 1")).scalar_one()) == 1
    target = (
        "postgresql+psycopg://nobody@/none?host=/nonexistent&connect_timeout=1"
        if database_url.startswith("postgresql")
        else "sqlite:////nonexistent/directory/x.db"
    )
    away = Database(target)
    with pytest.raises(Fault, match="UNAVAILABLE"):
        await away.ping()
    with pytest.raises(Fault, match="UNAVAILABLE"):
        await away.write(lambda tx: tx.execute(text("SELECT 1")))
    await away.close()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_postgresql_ends_a_statement_that_holds_its_thread(database_url: str) -> None:
    """And a bound that the URL states is the one that holds."""
    bounded = Database(database_url, statement_s=0.2)
    for run in (bounded.read, bounded.write):
        with pytest.raises(Fault) as ended:
            await run(lambda tx: tx.execute(text("SELECT pg_sleep(30)")).all())
        assert ended.value.reason == "UNAVAILABLE"
    await bounded.close()
    url = make_url(database_url).update_query_dict({"options": "-c statement_timeout=7s"})
    said = Database(url.render_as_string(hide_password=False))
    assert await said.read(lambda tx: tx.execute(text("SHOW statement_timeout")).scalar()) == "7s"
    await said.close()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_what_an_operator_runs_is_not_ended_by_the_bound_of_the_role(
    database_url: str,
) -> None:
    """The role of a service has one of ten seconds, and so has who restores as that role."""
    unbounded = Database(database_url, statement_s=None)
    user, name = make_url(database_url).username, make_url(database_url).database
    bound = f'ALTER ROLE "{user}" IN DATABASE "{name}" SET statement_timeout = '
    await unbounded.write(lambda tx: tx.execute(text(bound + "'10s'")))
    await unbounded.close()
    unbounded = Database(database_url, statement_s=None)
    for run in (unbounded.read, unbounded.write):
        assert await run(lambda tx: tx.execute(text("SHOW statement_timeout")).scalar()) == "0"
    await unbounded.close()
