"""The check of a whole log: whole when untouched, and every change is found and named."""

# ruff: noqa: S608 -- statements of the test's own making

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from accord_client.cli import cli
from accord_client.cli.session import Exit
from accord_client.entry import parse_entry
from accord_client.fsck import Report, check_log
from accord_client.fsck.database import check_database
from accord_client.fsck.report import NoLogError
from accord_client.fsck.rows import Database
from accord_client.merkle import leaf_hash
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.sdk.evidence import ORIGIN, Signer, checkpoint_text, entry
from tests.unit.sdk.sqlite_log import LOG, OTHER, SIZE, TRUST, make, places


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("log") / "log.db"
    make(file)
    return file


@pytest.fixture
def copy(pristine: Path, tmp_path: Path) -> Path:
    file = tmp_path / "copy.db"
    file.write_bytes(pristine.read_bytes())
    return file


def change(file: Path, sql: str, *values: object) -> Report:
    with closing(sqlite3.connect(file)) as connection, connection:
        triggers = connection.execute(
            "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'"
        ).fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("PRAGMA ignore_check_constraints = ON")
        assert connection.execute(sql, values).rowcount == 1
        for _, made in triggers:
            connection.execute(made)
    return check_log(file, [LOG.key])


def check(file: Path) -> Report:
    return check_database(Database(str(file)), TRUST)


def names(report: Report) -> list[str]:
    return [finding.where for finding in report.findings]


def test_an_untouched_log_is_whole(pristine: Path) -> None:
    report = check_log(pristine, [LOG.key])
    assert report.findings == []
    assert (report.entries, report.tiles, report.checkpoints) == (SIZE, 2, 7)
    assert report.producers == {"sharing": SIZE}
    assert report.covered == SIZE


def flip(value: Any, place: int = -1) -> Any:
    if isinstance(value, bytes):
        changed = bytearray(value or b"\0")
        changed[place] ^= 1
        return bytes(changed)
    return value + 1 if isinstance(value, int) else "f" + value[1:]


@pytest.mark.parametrize("index", [0, 17, 299, 599])
@pytest.mark.parametrize(
    "column",
    ["leaf", "leaf_hash", "producer", "sequence", "event_id", "event_time"],
)
def test_a_flipped_bit_of_an_entry_is_named_by_row_and_column(
    copy: Path, index: int, column: str
) -> None:
    with closing(sqlite3.connect(copy)) as connection:
        (value,) = connection.execute(
            f"SELECT {column} FROM entries WHERE log_index = ?", (index,)
        ).fetchone()
    changed = flip(value, 0)
    if column == "sequence":
        changed = 10_000
    report = change(copy, f"UPDATE entries SET {column} = ? WHERE log_index = ?", changed, index)
    assert f"entries, row {index}, column {column}" in names(report)


PERSON = f"1/{(b'p' * 16).hex()}"


def test_under_what_an_entry_is_found_is_held_against_its_bytes(copy: Path) -> None:
    insert = "INSERT INTO postings VALUES (0, 1, ?, ?)"
    whole = places(*range(512, SIZE))
    report = change(copy, "DELETE FROM postings WHERE facet = 1 AND places = ?", whole)
    assert len(report.findings) == SIZE - 512
    report = change(copy, insert, b"p" * 16, whole[:10] + whole[12:])
    assert [str(f) for f in report.findings] == [f"postings, {PERSON}/517: is missing"]
    other = f"1/{(b'q' * 16).hex()}"
    report = change(copy, insert, b"q" * 16, whole[10:12])
    assert names(report) == [f"postings, {PERSON}/517", f"postings, {other}/517"]
    change(copy, "DELETE FROM postings WHERE key = ?", b"q" * 16)
    assert change(copy, insert, b"p" * 16, whole[10:12]).whole
    report = change(copy, insert, b"p" * 16, places(6000))
    assert [str(f) for f in report.findings] == [
        f"postings, {PERSON}/6000: the entry does not say it"
    ]
    change(copy, "DELETE FROM postings WHERE places = ?", places(6000))
    report = change(copy, insert, b"p" * 16, places(520, 521))
    assert [str(f) for f in report.findings] == [
        f"postings, {PERSON}/520: is there twice",
        f"postings, {PERSON}/521: is there twice",
    ]
    change(copy, "DELETE FROM postings WHERE places = ?", places(520, 521))
    report = change(copy, "UPDATE postings SET segment = 1 << 60 WHERE places = ?", whole[10:12])
    assert f"postings, {PERSON}/517" in names(report)
    assert f"postings, {PERSON}/{(1 << 76) + 517}" in names(report)


@pytest.mark.parametrize(
    "row", [b"", b"\0", b"\0\1\0", places(1, 300), places(2, 1), places(3, 3), bytes(514)]
)
def test_a_row_of_the_index_holds_places_of_one_bundle_in_order(copy: Path, row: bytes) -> None:
    report = change(copy, "INSERT INTO postings VALUES (0, 1, ?, ?)", b"p" * 16, row)
    assert "postings: a row holds what is none: 0" in [str(f) for f in report.findings]


def test_what_two_rows_of_the_index_have_exchanged_is_named(copy: Path) -> None:
    first = "places < x'0100' AND facet"
    change(copy, f"UPDATE postings SET facet = 70 WHERE {first} = 1")
    change(copy, f"UPDATE postings SET facet = 1 WHERE {first} = 8")
    report = change(copy, "UPDATE postings SET facet = 8 WHERE facet = 70")
    assert len(report.findings) + report.unnamed == 4 * 256


def test_the_times_of_a_stretch_are_those_of_its_entries(copy: Path) -> None:
    report = change(copy, "INSERT INTO stretches VALUES (0, 1, 2)")
    assert [str(f) for f in report.findings] == ["stretches, row 0: is outside of the log"]


def test_a_published_checkpoint_is_held_to_the_same(copy: Path) -> None:
    text = checkpoint_text(100, bytes(32))
    note = f"{text}\n{LOG.line(text)}"
    report = change(copy, "UPDATE published SET note = ? WHERE size = 100", note)
    assert "published, row of size 100, column note" in names(report)


def test_an_entry_exchanged_together_with_its_hash_is_found_by_tile_and_root(copy: Path) -> None:
    leaf = entry(18)
    report = change(
        copy,
        "UPDATE entries SET leaf = ?, leaf_hash = ? WHERE log_index = 17",
        leaf,
        leaf_hash(leaf),
    )
    assert "checkpoints, row of size 100, column note" in names(report)
    assert any("row 17 of entries differ" in str(finding) for finding in report.findings)


def test_a_missing_entry_is_named(copy: Path) -> None:
    report = change(copy, "DELETE FROM entries WHERE log_index = 17")
    assert "entries, row 17" in names(report)
    assert any("expected 18" in finding.what for finding in report.findings)


def test_a_log_cut_short_is_named(copy: Path) -> None:
    change(copy, "DELETE FROM entries WHERE log_index = 599")
    assert "entries, row 599" in names(check_log(copy, [LOG.key]))
    change(copy, "DELETE FROM published WHERE size = 600")
    report = change(copy, "DELETE FROM checkpoints WHERE size = 600")
    assert "entries, rows 555 to 598" in names(report)


def test_a_row_that_claims_an_absurd_place_is_named(copy: Path) -> None:
    report = change(copy, "UPDATE entries SET log_index = 1 << 60 WHERE log_index = 599")
    assert f"entries, row {1 << 60}" in names(report)
    assert "entries, row 599" in names(report)


@pytest.mark.parametrize("place", [0, 1, 255])
def test_a_flipped_bit_of_a_tile_is_named(copy: Path, place: int) -> None:
    with closing(sqlite3.connect(copy)) as connection:
        (hashes,) = connection.execute("SELECT hashes FROM tiles WHERE number = 1").fetchone()
    changed = flip(hashes, place * 32)
    report = change(copy, "UPDATE tiles SET hashes = ? WHERE number = 1", changed)
    assert names(report) == ["tiles, row 0/1, column hashes"]
    assert f"row {256 + place} of entries" in report.findings[0].what


def test_a_wrong_missing_or_foreign_tile_is_named(copy: Path) -> None:
    report = change(copy, "UPDATE tiles SET root = ? WHERE number = 0", bytes(32))
    assert names(report) == ["tiles, row 0/0, column root"]
    report = change(copy, "UPDATE tiles SET number = 7 WHERE number = 0")
    assert names(report) == ["tiles, row 0/0", "tiles, row 0/7"]


def test_a_checkpoint_that_was_touched_or_signed_by_another_is_named(copy: Path) -> None:
    text = checkpoint_text(300, bytes(32))
    note = f"{text}\n{Signer(ORIGIN).line(text)}"
    report = change(copy, "UPDATE checkpoints SET note = ? WHERE size = 300", note)
    assert names(report) == ["checkpoints, row of size 300, column note"]


def test_a_second_history_signed_by_the_log_itself_is_found(copy: Path) -> None:
    text = checkpoint_text(300, bytes(32))
    note = f"{text}\n{LOG.line(text)}"
    report = change(copy, "UPDATE checkpoints SET note = ? WHERE size = 300", note)
    assert "checkpoints, row of size 300, column note" in names(report)


def test_a_number_left_out_by_a_producer_is_named(copy: Path) -> None:
    leaf = parse_entry(entry(601))
    leaf.sequence = 602
    data = leaf.SerializeToString(deterministic=True)
    row = (600, 0, "sharing", 602, leaf.event_id, leaf_hash(data), data)
    report = change(copy, "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?)", *row)
    whats = [finding.what for finding in report.findings]
    assert "producer sharing is at number 602, expected 601" in whats


_STATEMENTS = "SELECT sql FROM sqlite_schema ORDER BY name"


def content(file: Path) -> list[list[tuple[Any, ...]]]:
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as connection:
        return [
            connection.execute("SELECT * FROM entries ORDER BY log_index").fetchall(),
            connection.execute("SELECT * FROM tiles ORDER BY level, number").fetchall(),
            connection.execute("SELECT size, note FROM checkpoints ORDER BY size").fetchall(),
            connection.execute("SELECT size, note FROM published ORDER BY size").fetchall(),
            connection.execute("SELECT * FROM postings ORDER BY 1, 2, 3, 4").fetchall(),
            connection.execute(
                "SELECT origin, size, follows, root FROM witnessed ORDER BY 1, 2"
            ).fetchall(),
            [(" ".join(str(row[0]).split()),) for row in connection.execute(_STATEMENTS)],
        ]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_whatever_byte_of_the_file_flips_no_other_content_passes_as_whole(
    pristine: Path, tmp_path: Path, data: st.DataObject
) -> None:
    original = pristine.read_bytes()
    changed = bytearray(original)
    place = data.draw(st.integers(0, len(original) - 1))
    changed[place] ^= data.draw(st.integers(1, 255))
    file = tmp_path / "flipped.db"
    file.write_bytes(bytes(changed))
    if not check(file).findings:
        assert content(file) == content(pristine)


def test_a_file_that_sqlite_calls_malformed_still_names_the_rows(
    pristine: Path, copy: Path
) -> None:
    with closing(sqlite3.connect(pristine)) as connection:
        (leaf,) = connection.execute("SELECT leaf FROM entries WHERE log_index = 17").fetchone()
    data = bytearray(copy.read_bytes())
    page = data.index(leaf) // 4096 * 4096
    data[page] = 0xFF  # no type of page that SQLite knows
    copy.write_bytes(bytes(data))
    report = check_log(copy, [LOG.key])
    assert "file" in names(report)
    assert "entries, row 17" in names(report)
    assert any("malformed" in finding.what for finding in report.findings)


@pytest.mark.parametrize("content", [b"", b"no database at all" * 100])
def test_what_is_no_database_is_no_log(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "log.db"
    file.write_bytes(content)
    with pytest.raises(NoLogError):
        check_log(file, [LOG.key])


def test_a_log_whose_file_no_longer_opens_is_still_a_log(copy: Path) -> None:
    data = bytearray(copy.read_bytes())
    data[0] ^= 1
    copy.write_bytes(data)
    assert "file" in names(check_log(copy, [LOG.key]))


def test_the_command_says_whole_or_names_what_is_not(copy: Path, tmp_path: Path) -> None:
    key = tmp_path / "log.vkey"
    key.write_text(f"{LOG.key}\n")
    result = CliRunner().invoke(cli, ["audit", "fsck", str(copy), "--key", str(key)])
    assert result.exit_code == Exit.OK
    assert "WHOLE  600 entries" in result.output
    change(copy, "UPDATE entries SET event_time = 7 WHERE log_index = 5")
    result = CliRunner().invoke(cli, ["audit", "fsck", str(copy), "--key", str(key)])
    assert result.exit_code == Exit.REFUSED
    assert "entries, row 5, column event_time" in result.output


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        (
            "UPDATE published SET published_at = published_at - 61000000 WHERE size = 600",
            "published, row of size 600, column published_at",
        ),
        (
            "UPDATE checkpoints SET signed_at = 1 << 60 WHERE size = 600",
            "checkpoints, row of size 600, column signed_at",
        ),
        ("UPDATE witnessed SET witnessed_at = 0 WHERE size = 7", "witnessed, row of size 7"),
        ("UPDATE witnessed SET size = 8 WHERE size = 7", "/8, column size"),
        ("UPDATE witnessed SET follows = 6 WHERE size = 9", "/9, column follows"),
        ("UPDATE witnessed SET root = zeroblob(31) WHERE size = 9", "/9, column root"),
        ("UPDATE witnessed SET origin = 'other' WHERE size = 9", "other/9, column origin"),
        ("UPDATE witnessed SET note = replace(note, 'sg.', 'nl.') WHERE size = 9", "signature 2"),
        ("UPDATE published SET note = replace(note, 'sg.', 'nl.') WHERE size = 100", "signature 2"),
        ("UPDATE alembic_version SET version_num = '0002'", "alembic_version"),
    ],
)
def test_what_stands_beside_the_log_is_held_to_what_it_says(
    copy: Path, sql: str, named: str
) -> None:
    assert check(copy).findings == []
    change(copy, sql)
    assert any(named in where for where in names(check(copy)))


def test_a_trigger_that_was_altered_or_taken_away_is_named(copy: Path) -> None:
    with closing(sqlite3.connect(copy)) as connection, connection:
        connection.execute("DROP TRIGGER entries_no_update")
        connection.execute("DROP TRIGGER tiles_no_delete")
        connection.execute(
            "CREATE TRIGGER tiles_no_delete BEFORE DELETE ON tiles BEGIN SELECT 1; END"
        )
        connection.execute("CREATE TABLE notes (text TEXT)")
    assert {str(finding) for finding in check(copy).findings} == {
        "sqlite_schema, trigger entries_no_update: is missing",
        "sqlite_schema, trigger tiles_no_delete: is not as a log has it",
        "sqlite_schema, table notes: is none of a log",
    }


def test_signatures_that_no_given_key_verifies_are_noted_by_place(copy: Path) -> None:
    told = check_log(copy, [LOG.key]).notes
    assert any("published, row of size 100, column note, signature 2 to " in note for note in told)
    assert any(OTHER.name in note and note.endswith(": 2") for note in check(copy).notes)
