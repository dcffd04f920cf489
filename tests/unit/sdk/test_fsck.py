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
from accord_client.entry import parse_entry, people_of
from accord_client.fsck import Report, check_log
from accord_client.merkle import leaf_hash, root_of
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.sdk.evidence import ORIGIN, Signer, checkpoint_text, entry

LOG = Signer(ORIGIN)
SIZE = 600
SCHEMA = """
CREATE TABLE entries (
  log_index BIGINT NOT NULL PRIMARY KEY, leaf BLOB NOT NULL, leaf_hash BLOB NOT NULL,
  producer TEXT NOT NULL, sequence BIGINT NOT NULL, event_id TEXT NOT NULL UNIQUE,
  action TEXT NOT NULL, event_time BIGINT NOT NULL, trace_id TEXT NOT NULL,
  actor_pseudonym BLOB NOT NULL, UNIQUE (producer, sequence));
CREATE TABLE people (
  pseudonym BLOB NOT NULL, log_index BIGINT NOT NULL, PRIMARY KEY (pseudonym, log_index));
CREATE TABLE tiles (
  level BIGINT NOT NULL, number BIGINT NOT NULL, hashes BLOB NOT NULL, root BLOB NOT NULL,
  PRIMARY KEY (level, number));
CREATE TABLE checkpoints (
  size BIGINT NOT NULL PRIMARY KEY, note TEXT NOT NULL, signed_at BIGINT NOT NULL);
"""


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("log") / "log.db"
    leaves = []
    for number in range(1, SIZE + 1):
        message = parse_entry(entry(number))
        message.event_id = number.to_bytes(16)
        message.event_time.FromSeconds(1_750_000_000 + number)
        leaves.append(message.SerializeToString(deterministic=True))
    hashes = [leaf_hash(leaf) for leaf in leaves]
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.executescript(SCHEMA)
        for index, leaf in enumerate(leaves):
            message = parse_entry(leaf)
            row = (
                index,
                leaf,
                hashes[index],
                message.producer,
                message.sequence,
                message.event_id.hex(),
                message.action,
                message.event_time.ToMicroseconds(),
                "",
                b"",
            )
            connection.execute(f"INSERT INTO entries VALUES ({','.join('?' * 10)})", row)
            for one in people_of(message):
                connection.execute("INSERT INTO people VALUES (?, ?)", (one, index))
        for number in range(SIZE // 256):
            tile = hashes[number * 256 : (number + 1) * 256]
            row_ = (0, number, b"".join(tile), root_of(tile))
            connection.execute("INSERT INTO tiles VALUES (?, ?, ?, ?)", row_)
        for size in (0, 1, 100, 256, 300, 555, SIZE):
            text = checkpoint_text(size, root_of(hashes[:size]))
            note = f"{text}\n{LOG.line(text)}"
            connection.execute("INSERT INTO checkpoints VALUES (?, ?, 0)", (size, note))
    return file


@pytest.fixture
def copy(pristine: Path, tmp_path: Path) -> Path:
    file = tmp_path / "copy.db"
    file.write_bytes(pristine.read_bytes())
    return file


def change(file: Path, sql: str, *values: object) -> Report:
    with closing(sqlite3.connect(file)) as connection, connection:
        assert connection.execute(sql, values).rowcount == 1
    return check_log(file, [LOG.key])


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
    ["leaf", "leaf_hash", "producer", "sequence", "event_id", "action", "event_time",
     "actor_pseudonym"],
)  # fmt: skip
def test_a_flipped_bit_of_an_entry_is_named_by_row_and_column(
    copy: Path, index: int, column: str
) -> None:
    with closing(sqlite3.connect(copy)) as connection:
        (value,) = connection.execute(
            f"SELECT {column} FROM entries WHERE log_index = ?", (index,)
        ).fetchone()
    changed = flip(value)
    if column == "sequence":
        changed = 10_000
    report = change(copy, f"UPDATE entries SET {column} = ? WHERE log_index = ?", changed, index)
    assert f"entries, row {index}, column {column}" in names(report)


def test_who_an_entry_is_about_is_held_against_its_bytes(copy: Path) -> None:
    report = change(copy, "DELETE FROM people WHERE log_index = 17")
    assert names(report) == [f"people, row {(b'p' * 16).hex()}/17"]
    report = change(copy, "INSERT INTO people VALUES (?, 17)", b"q" * 16)
    assert names(report) == [
        f"people, row {(b'p' * 16).hex()}/17",
        f"people, row {(b'q' * 16).hex()}/17",
    ]
    report = change(copy, "INSERT INTO people VALUES (?, 6000)", b"p" * 16)
    assert f"people, row {(b'p' * 16).hex()}/6000" in names(report)


def test_an_entry_exchanged_together_with_its_hash_is_found_by_tile_and_root(copy: Path) -> None:
    leaf = entry(18)
    report = change(
        copy,
        "UPDATE entries SET leaf = ?, leaf_hash = ? WHERE log_index = 17",
        leaf,
        leaf_hash(leaf),
    )
    assert "entries, rows 1 to 99" in names(report)
    assert any("row 17 of entries differ" in str(finding) for finding in report.findings)


def test_a_missing_entry_is_named(copy: Path) -> None:
    report = change(copy, "DELETE FROM entries WHERE log_index = 17")
    assert "entries, row 17" in names(report)
    assert any("expected 18" in finding.what for finding in report.findings)


def test_a_log_cut_short_is_named(copy: Path) -> None:
    change(copy, "DELETE FROM entries WHERE log_index = 599")
    assert "entries, row 599" in names(check_log(copy, [LOG.key]))
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
    assert names(report) == ["entries, rows 256 to 299"]


def test_a_number_left_out_by_a_producer_is_named(copy: Path) -> None:
    leaf = parse_entry(entry(601))
    leaf.sequence = 602
    data = leaf.SerializeToString(deterministic=True)
    row = (600, data, leaf_hash(data), "sharing", 602, leaf.event_id.hex(), leaf.action, 0, "",
           b"")  # fmt: skip
    report = change(copy, f"INSERT INTO entries VALUES ({','.join('?' * 10)})", *row)
    whats = [finding.what for finding in report.findings]
    assert "producer sharing is at number 602, expected 601" in whats


def content(file: Path) -> list[list[tuple[Any, ...]]]:
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as connection:
        return [
            connection.execute("SELECT * FROM entries ORDER BY log_index").fetchall(),
            connection.execute("SELECT * FROM tiles ORDER BY level, number").fetchall(),
            connection.execute("SELECT size, note FROM checkpoints ORDER BY size").fetchall(),
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
    if not check_log(file, [LOG.key]).findings:
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


def test_what_is_no_database_is_a_finding_not_a_crash(tmp_path: Path) -> None:
    file = tmp_path / "log.db"
    file.write_bytes(b"no database at all" * 100)
    assert check_log(file, [LOG.key]).findings
    file.write_bytes(b"")
    assert check_log(file, [LOG.key]).findings


def test_the_command_says_whole_or_names_what_is_not(copy: Path, tmp_path: Path) -> None:
    key = tmp_path / "log.vkey"
    key.write_text(f"{LOG.key}\n")
    result = CliRunner().invoke(cli, ["audit", "fsck", str(copy), "--key", str(key)])
    assert result.exit_code == Exit.OK
    assert "WHOLE  600 entries" in result.output
    change(copy, "UPDATE entries SET action = 'a:b:c' WHERE log_index = 5")
    result = CliRunner().invoke(cli, ["audit", "fsck", str(copy), "--key", str(key)])
    assert result.exit_code == Exit.REFUSED
    assert "entries, row 5, column action" in result.output
