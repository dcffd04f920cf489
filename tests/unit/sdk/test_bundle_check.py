"""The check of a whole bundle says the same as its reader, by however many processes."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from accord.audit.v1 import entry_pb2
from accord_client.bundle import MAX_LINE, PART, BundleReader, BundleWriter, Head
from accord_client.bundle_check import Contents, check_bundle
from accord_client.cli import cli
from accord_client.cli.session import Exit
from accord_client.failure import VerificationError
from accord_client.merkle import leaf_hash, node_hash
from accord_client.trust import Trust
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.sdk.evidence import ORIGIN, Signer, checkpoint_text, entry

LOG = Signer(ORIGIN)
TRUST = Trust((LOG.key,))
LEVELS = 12
SIZE = 1 << LEVELS
FIELDS = {"recipient": "recipients/dhl", "purpose": "delivery"}
LEAVES = [entry(number, FIELDS) for number in range(1, SIZE + 1)]
OPENINGS = [
    entry_pb2.Opening(section=0, position=at, name=name, salt=bytes([at]) * 32, value=value)
    for at, (name, value) in enumerate(FIELDS.items())
]


def tree() -> list[list[bytes]]:
    rows = [[leaf_hash(leaf) for leaf in LEAVES]]
    while len(row := rows[-1]) > 1:
        rows.append([node_hash(row[at], row[at + 1]) for at in range(0, len(row), 2)])
    return rows


TREE = tree()
TEXT = checkpoint_text(SIZE, TREE[-1][0])
NOTE = f"{TEXT}\n{LOG.line(TEXT)}"


def written(count: int) -> bytes:
    """A bundle of every entry but the first, or of as many of these."""
    stream = io.BytesIO()
    writer = BundleWriter(stream, Head(NOTE, {}))
    for index in range(1, count + 1):
        path = [TREE[level][index >> level ^ 1] for level in range(LEVELS)]
        writer.add(entry_pb2.Entry(index=index, leaf=LEAVES[index]), OPENINGS, path)
    assert writer.end() == count
    return stream.getvalue()


WHOLE = written(2 * PART + 100)
LINES = WHOLE.splitlines(keepends=True)


def by_reader(data: bytes) -> Contents | tuple[str, str]:
    """What a reader finds who goes from the first line to the last."""
    contents = Contents()
    try:
        for verified in BundleReader(io.BytesIO(data), TRUST).entries():
            contents.add(verified)
    except VerificationError as error:
        return error.obligation, str(error)
    return contents


def by_parts(directory: Path, data: bytes, processes: int = 1) -> Contents | tuple[str, str]:
    file = directory / "a.bundle"
    file.write_bytes(data)
    try:
        return check_bundle(file, TRUST, processes=processes).contents
    except VerificationError as error:
        return error.obligation, str(error)


@pytest.mark.parametrize("count", [0, 1, PART - 2, PART - 1, PART, PART + 1, 2 * PART, 3 * PART])
def test_a_bundle_of_any_length_holds(tmp_path: Path, count: int) -> None:
    found = by_parts(tmp_path, written(count))
    assert isinstance(found, Contents)
    assert (found.entries, found.shown, found.commitments) == (count, 2 * count, 2 * count)
    assert (found.first, found.last) == ((1, count) if count else (None, None))
    assert found == by_reader(written(count))


def test_a_path_leads_to_the_root_where_a_part_begins() -> None:
    lengths = [len(json.loads(line)["path"]) for line in LINES[1:-1]]
    assert [at for at, length in enumerate(lengths) if length == LEVELS] == [0, PART, 2 * PART]


@settings(max_examples=150, deadline=None)
@given(place=st.integers(0, len(WHOLE) - 1), bit=st.integers(0, 7))
def test_every_flipped_bit_is_named_as_the_reader_names_it(
    tmp_path_factory: pytest.TempPathFactory, place: int, bit: int
) -> None:
    data = bytearray(WHOLE)
    data[place] ^= 1 << bit
    found = by_parts(tmp_path_factory.mktemp("flipped"), bytes(data))
    assert found == by_reader(bytes(data))
    # Found, but for what the file claims of itself.
    assert isinstance(found, tuple) or place < len(LINES[0])


def flipped(*lines: int) -> bytes:
    """A bit of each line's entry is another."""
    changed = [bytearray(line) for line in LINES]
    for line in lines:
        changed[line][100] ^= 1
    return b"".join(changed)


def swapped(line: int) -> bytes:
    return b"".join([*LINES[:line], LINES[line + 1], LINES[line], *LINES[line + 2 :]])


def inserted(line: int, data: bytes) -> bytes:
    return b"".join([*LINES[:line], data, *LINES[line:]])


BAD = {
    "in the first part": flipped(7),
    "the first of a part": flipped(1 + PART),
    "in the last part": flipped(2 * PART + 50),
    "in two parts": flipped(PART + 9, 2 * PART + 5),
    "two across an edge": swapped(PART),
    "two behind an edge": swapped(PART + 1),
    "one twice across an edge": b"".join([*LINES[: PART + 1], *LINES[PART:]]),
    "one missing at an edge": b"".join([*LINES[: PART + 1], *LINES[PART + 2 :]]),
    "cut off before a part": b"".join(LINES[: 1 + PART]),
    "cut off behind a line of a part": b"".join(LINES[: PART + 8]),
    "cut off within a line": WHOLE[: len(WHOLE) // 2],
    "an end before a part": b"".join(
        [*LINES[: 1 + PART], b'{"entries":1024}\n', *LINES[1 + PART :]]
    ),
    "an end at the end of a part": b"".join([*LINES[:PART], b'{"entries":1023}\n', *LINES[PART:]]),
    "no end that counts them": b"".join([*LINES[:-1], b'{"entries":2147}\n']),
    "a line without an end": inserted(PART, b"a" * (3 * MAX_LINE)),
    "no JSON before a part": inserted(PART, b"[\n"),
    "more behind the end": WHOLE + LINES[5] * (2 * PART),
}


@pytest.mark.parametrize("data", BAD.values(), ids=BAD.keys())
def test_what_does_not_hold_is_named_as_the_reader_names_it(tmp_path: Path, data: bytes) -> None:
    found = by_parts(tmp_path, data)
    assert isinstance(found, tuple)
    assert found == by_reader(data)


@pytest.mark.parametrize(
    "name", [None, "the first of a part", "in two parts", "two across an edge"]
)
def test_several_processes_find_what_one_finds(tmp_path: Path, name: str) -> None:
    data = BAD[name] if name else WHOLE
    assert by_parts(tmp_path, data, processes=2) == by_reader(data)


def test_progress_goes_on_to_the_end_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "a.bundle"
    file.write_bytes(WHOLE)
    told: list[tuple[int, int]] = []
    check_bundle(file, TRUST, lambda done, total: told.append((done, total)))
    assert [done for done, _ in told] == sorted({done for done, _ in told})
    assert len(told) == 3
    assert told[-1] == (len(WHOLE), len(WHOLE))


def test_the_command_says_the_same_by_several_processes(tmp_path: Path) -> None:
    file, key = tmp_path / "a.bundle", tmp_path / "log.vkey"
    key.write_text(f"{LOG.key}\n")
    words = ["audit", "verify", str(file), "--key", str(key), "--processes"]
    for data, code in ((WHOLE, Exit.OK), (flipped(2 * PART + 50), Exit.REFUSED)):
        file.write_bytes(data)
        one, two = (CliRunner().invoke(cli, [*words, processes]) for processes in ("1", "2"))
        assert (one.exit_code, one.stdout, one.stderr) == (two.exit_code, two.stdout, two.stderr)
        assert one.exit_code == code
