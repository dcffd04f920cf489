"""The verifier of the SDK, which shares no code with the log, on what the log really writes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from accord_client.fsck.database import check_database
from accord_client.fsck.rows import Database
from accord_client.fsck.tiles import Directory, check_tiles
from accord_client.note import VerifierKey
from accord_client.trust import Trust
from sqlalchemy import Connection, text

from tests.contract.audit.log import PERSON, Log, event

if TYPE_CHECKING:
    from accord_client.fsck import Report

    from tests.contract.audit.published import Published

SIZE = 700
_TABLES = ("entries", "postings", "stretches", "tiles", "checkpoints", "published")


def trust(log: Log) -> Trust:
    return Trust((VerifierKey.parse(str(log.signer.key)),))


def address(log: Log) -> str:
    """The database as psycopg and sqlite3 know it."""
    return log.url.replace("postgresql+psycopg:", "postgresql:").removeprefix("sqlite:///")


async def check(log: Log) -> Report:
    return await asyncio.to_thread(check_database, Database(address(log)), trust(log))


async def fill(log: Log) -> None:
    for first in range(1, SIZE + 1, 70):
        events = [
            event(n, account=f"{PERSON[:-2]}{n % 7:02}", resource=f"contracts/{n % 3}")
            for n in range(first, first + 70)
        ]
        await log.append(first, events)


async def test_a_stranger_finds_database_and_files_whole(made: Published) -> None:
    log = made.log
    await fill(log)
    await made.publish()
    report = await check(log)
    assert report.findings == []
    assert (report.entries, report.covered, report.producers) == (SIZE, SIZE, {"account": SIZE})
    assert report.postings >= 3 * SIZE
    files = await asyncio.to_thread(check_tiles, Directory(made.path), trust(log))
    assert (files.findings, files.entries, files.covered) == ([], SIZE, SIZE)


async def test_the_schema_that_a_copy_is_held_against_is_the_one_that_is_made(log: Log) -> None:
    report = await check(log)
    where = [finding.where for finding in report.findings]
    assert not any(word in one for word in ("schema", "pg_trigger", "version") for one in where), (
        where
    )


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("ALTER TABLE tiles DISABLE TRIGGER ALL", "tiles_append_only_row: is not as"),
        # As it is when it is made: replication, and whoever says to be it, passes by.
        ("ALTER TABLE entries ENABLE TRIGGER entries_append_only_row", "entries_append_only_row"),
        ("DROP TRIGGER published_append_only_statement ON published", "statement: is missing"),
        (
            """CREATE OR REPLACE FUNCTION accord_append_only() RETURNS trigger LANGUAGE plpgsql
            AS $$ BEGIN RETURN NEW; END $$""",
            "witnessed_append_only_row: is not as",
        ),
        (
            """CREATE TRIGGER more AFTER INSERT ON entries
            FOR EACH ROW EXECUTE FUNCTION accord_append_only()""",
            "trigger more: is none of a log",
        ),
        (
            "CREATE RULE none AS ON INSERT TO entries DO INSTEAD NOTHING",
            "rule none: is none of a log",
        ),
    ],
)
async def test_a_guard_of_postgresql_that_was_altered_is_named(
    log: Log, change: str, named: str
) -> None:
    await log.database.write(lambda tx: tx.execute(text(change)))
    found = [str(finding) for finding in (await check(log)).findings]
    assert any(named in one for one in found), found


def _unguard(tx: Connection) -> None:
    """What only the owner of the tables can do."""
    if tx.dialect.name == "postgresql":
        for table in _TABLES:
            tx.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER ALL"))
        return
    names = tx.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars()
    for name in names.all():
        tx.execute(text(f"DROP TRIGGER {name}"))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("UPDATE entries SET leaf = leaf_hash WHERE log_index = 5", "entries, row 5, column leaf"),
        (
            "UPDATE entries SET event_time = event_time + 1 WHERE log_index = 300",
            "entries, row 300, column event_time",
        ),
        (
            "UPDATE entries SET leaf_hash = event_id WHERE log_index = 699",
            "entries, row 699, column leaf_hash",
        ),
        ("DELETE FROM entries WHERE log_index = 17", "entries, row 17"),
        ("UPDATE tiles SET root = hashes WHERE number = 1", "tiles, row 0/1, column root"),
        ("DELETE FROM postings WHERE facet = 1", "postings, 1/"),
        ("UPDATE postings SET segment = 9 WHERE facet = 1", "postings, 1/"),
        (
            "UPDATE checkpoints SET note = replace(note, 'a', 'b') WHERE size = 140",
            "checkpoints, row of size 140, column note",
        ),
        ("DELETE FROM checkpoints WHERE size = 700", "entries, rows 630 to 699"),
    ],
)
async def test_whatever_its_owner_changes_is_named(log: Log, change: str, named: str) -> None:
    await fill(log)
    await log.database.write(_unguard)
    await log.database.write(lambda tx: tx.execute(text(change)))
    report = await check(log)
    assert any(finding.where.startswith(named) for finding in report.findings), report.findings
