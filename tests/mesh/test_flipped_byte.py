"""A copy of a real log: whole as it is, and one flipped byte is found and named."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from accord_client.fsck import check_log
from accord_client.note import parse_keys

from sandbox.mesh import Mesh
from sandbox.tour import Tour

SAMPLE = 12


@pytest.fixture
def copy(region: Mesh, tour: Tour, tmp_path: Path) -> Path:
    """A consistent copy of the running audit service's database, after the tour."""
    assert tour.told
    file = tmp_path / "log.db"
    source = f"{region.material.database('audit').as_uri()}?mode=ro"
    with closing(sqlite3.connect(source, uri=True)) as log, closing(sqlite3.connect(file)) as to:
        log.backup(to)
    return file


def test_the_log_of_a_running_region_is_whole(region: Mesh, copy: Path) -> None:
    report = check_log(copy, parse_keys(region.material.log_key.read_text()))
    assert report.findings == []
    assert {"account", "sharing"} <= set(report.producers) <= {"account", "sharing", "audit"}
    assert report.entries == report.covered > 0


@pytest.mark.parametrize("column", ["leaf", "leaf_hash"])
def test_a_flipped_byte_of_an_entry_is_found_and_named(
    region: Mesh, copy: Path, column: str
) -> None:
    keys = parse_keys(region.material.log_key.read_text())
    whole = copy.read_bytes()
    with closing(sqlite3.connect(copy)) as connection:
        rows = connection.execute(
            f"SELECT log_index, {column} FROM entries ORDER BY log_index"  # noqa: S608  our own names
        ).fetchall()
    # Each look reads the whole log: a few entries, of all ages. Every byte is tests/unit/sdk's.
    for index, value in [*rows[:: len(rows) // SAMPLE + 1], rows[-1]]:
        data = bytearray(whole)
        data[whole.index(value[:60]) + 8] ^= 0x40
        copy.write_bytes(data)
        named = {finding.where for finding in check_log(copy, keys).findings}
        assert f"entries, row {index}, column {column}" in named
