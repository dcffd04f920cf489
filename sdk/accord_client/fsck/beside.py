"""What stands in a log's database beside the log: its rules, what it cosigned for others, times.

1. **Schema.** On SQLite, tables and triggers are those of ``schema.sql``, word by word: an altered
   trigger would let the log be altered. On PostgreSQL, that each trigger is there, always fires and
   does what it must, and that no rule does anything instead; not the rights of roles.
2. **Witnessed.** Each row says what its note says and follows the one before; its signatures are
   verified as far as their keys are given.
3. **Times.** No signature covers them. One that lies before that of a smaller size, or before 2020
   or behind 2100, is named; clocks may be set back by a minute.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from functools import partial
from importlib.resources import files

from accord_client.checkpoint import read_unverified
from accord_client.failure import VerificationError
from accord_client.fsck.report import Report
from accord_client.fsck.rows import Database, Row, UnreadableError
from accord_client.fsck.signatures import Signatures
from accord_client.merkle import EMPTY_ROOT
from accord_client.note import VerifierKey

VERSION = "0001"
_SCHEMA = "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_stat%'"
_GUARDS = """
SELECT 'trigger', t.tgname::text, c.relname::text,
  concat_ws(' ', pg_get_triggerdef(t.oid, true), t.tgenabled, p.prosrc)
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid
WHERE NOT t.tgisinternal AND c.relnamespace = current_schema()::regnamespace
UNION ALL SELECT 'rule', rulename::text, tablename::text, definition
FROM pg_rules WHERE schemaname = current_schema()"""
_GUARDED = ("entries", "postings", "stretches", "tiles", "checkpoints", "published", "witnessed")
_GUARD = (  # A: always, whatever a session says of its role
    "CREATE TRIGGER {table}_append_only_{level} BEFORE {changes} ON {table} FOR EACH {each} "
    "EXECUTE FUNCTION accord_append_only() A "
    "BEGIN RAISE EXCEPTION '%: the log takes inserts alone', TG_TABLE_NAME; END"
)
_TIMES = (
    ("checkpoints", "signed_at"),
    ("published", "published_at"),
    ("witnessed", "witnessed_at"),
)
_SET_BACK = 60 * 1_000_000
_EARLIEST = 1_577_836_800 * 1_000_000  # 2020
_LATEST = 4_102_444_800 * 1_000_000  # 2100


def check_beside(database: Database, signatures: Signatures) -> None:
    """Checks it all."""
    report = signatures.report
    for part in (
        partial(_check_schema, database, report),
        partial(_check_witnessed, database, signatures),
        *(partial(_check_times, database, report, *place) for place in _TIMES),
    ):
        try:
            part()
        except UnreadableError as error:
            report.add("file", str(error))


def _check_schema(database: Database, report: Report) -> None:
    """1. Schema."""
    if database.is_sqlite:
        with closing(sqlite3.connect(":memory:")) as made:
            made.executescript(files("accord_client.fsck").joinpath("schema.sql").read_text())
            expected = _by_name(made.execute(_SCHEMA))
        catalog, found = "sqlite_schema", _by_name(database.rows(_SCHEMA))
    else:
        expected = _by_name(_postgresql_guards())
        catalog, found = "pg_trigger", _by_name(database.rows(_GUARDS))
        report.notes.append("not verified: the rights of roles in the PostgreSQL database")
    for (kind, name), sql in (expected | found).items():
        where = f"{catalog}, {kind} {name}"
        if (kind, name) not in found:
            report.add(where, "is missing")
        elif (kind, name) not in expected:
            report.add(where, "is none of a log")
        elif sql != expected[kind, name]:
            report.add(where, "is not as a log has it")
    if list(database.rows("SELECT version_num FROM alembic_version")) != [(VERSION,)]:
        report.add("alembic_version", f"is not {VERSION}")


def _postgresql_guards() -> Iterable[Row]:
    for table in _GUARDED:
        for level, changes in (("row", "DELETE OR UPDATE"), ("statement", "TRUNCATE")):
            guard = _GUARD.format(table=table, level=level, changes=changes, each=level.upper())
            yield "trigger", f"{table}_append_only_{level}", table, guard


def _by_name(rows: Iterable[Row]) -> dict[tuple[str, str], tuple[str, str]]:
    return {(row[0], row[1]): (row[2], " ".join(str(row[3]).split())) for row in rows}


def _check_witnessed(database: Database, signatures: Signatures) -> None:
    """2. Witnessed."""
    report = signatures.report
    last: dict[str, int] = {}
    sql = "SELECT origin, size, follows, root, note FROM witnessed ORDER BY origin, size"
    for origin, size, follows, root, note in database.rows(sql):
        where = f"witnessed, row {origin}/{size}"
        if follows != last.get(origin, -1):
            report.add(f"{where}, column follows", "is not the size of the row before")
        last[origin] = size
        if note == origin and _is_key(origin):  # whose past was lost
            if (size, root) != (0, EMPTY_ROOT):
                report.add(where, "is not as a key is put down")
            continue
        data = str(note).encode(errors="surrogateescape")
        try:
            stated = read_unverified(data)
        except VerificationError as error:
            report.add(f"{where}, column note", str(error))
            continue
        for column, value, said in zip(
            ("origin", "size", "root"), (origin, size, root), stated, strict=True
        ):
            if value != said:
                report.add(f"{where}, column {column}", "differs from what the note says")
        signatures.look(data, f"{where}, column note", verified=False)


def _is_key(text: str) -> bool:
    try:
        VerifierKey.parse(text)
    except VerificationError:
        return False
    return True


def _check_times(database: Database, report: Report, table: str, column: str) -> None:
    """3. Times."""
    each = "origin" if table == "witnessed" else "''"
    latest: dict[str, int] = {}
    sql = f"SELECT {each}, size, {column} FROM {table} ORDER BY 1, size"  # noqa: S608 -- our own
    for origin, size, moment in database.rows(sql):
        where = f"{table}, row of size {size}, column {column}"
        if not isinstance(moment, int) or not _EARLIEST <= moment <= _LATEST:
            report.add(where, "is no time at which a log can have been")
            continue
        if moment < latest.get(origin, 0) - _SET_BACK:
            report.add(where, "lies before that of a smaller size")
        latest[origin] = max(moment, latest.get(origin, 0))
