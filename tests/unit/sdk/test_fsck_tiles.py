"""The check of a published log: whole when untouched, and every alteration is found and named."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from accord_client.fsck.report import NoLogError, Report
from accord_client.fsck.tiles import Directory, check_tiles, tile_path
from accord_client.merkle import leaf_hash, root_of
from accord_client.note import Algorithm
from accord_client.policy import Policy
from accord_client.trust import Trust
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.sdk.evidence import ORIGIN, WITNESS, Signer, checkpoint_text, entry
from tests.unit.sdk.published import leaves, number_path, publish

LOG = Signer(ORIGIN)
ANNA = Signer(WITNESS, Algorithm.COSIGNATURE)
TRUST = Trust((LOG.key,))
SIZE = 700
SIZES = (0, 1, 100, 256, 300, 512, 600)
MOMENT = 1_750_000_000
POLICY = Policy.parse(f"witness anna {ANNA.key}\nquorum anna\n".encode())
WITNESSED = Trust((LOG.key,), POLICY)


def check(directory: Path, trust: Trust = TRUST) -> Report:
    return check_tiles(Directory(directory), trust)


def names(report: Report) -> list[str]:
    return [finding.where for finding in report.findings]


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("log")
    publish(directory, leaves(SIZE), SIZES, LOG, lambda text: ANNA.line(text, at=MOMENT))
    return directory


@pytest.fixture
def copy(pristine: Path, tmp_path: Path) -> Path:
    return shutil.copytree(pristine, tmp_path / "log")


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 512, 700])
def test_an_untouched_log_is_whole(tmp_path: Path, size: int) -> None:
    publish(tmp_path, leaves(size), [s for s in SIZES if s < size], LOG)
    report = check(tmp_path)
    assert report.findings == []
    assert (report.entries, report.covered) == (size, size)
    assert sum(report.producers.values()) == size


def test_a_log_of_three_levels_is_checked_by_several_processes(tmp_path: Path) -> None:
    publish(tmp_path, leaves(66_000), [65_535, 65_536, 65_537], LOG)
    report = check_tiles(Directory(tmp_path), TRUST, processes=2)
    assert report.findings == []
    assert (report.entries, report.tiles, report.checkpoints) == (66_000, 258 + 2 + 1, 4)
    (tmp_path / tile_path(1, 0)).write_bytes(bytes(256 * 32))
    named = check_tiles(Directory(tmp_path), TRUST, processes=2).findings
    assert named[0].where == "tile/1/000"
    assert named[0].what == "hash 0 is not that of tile/0/000"


def test_paths_are_those_of_the_specification() -> None:
    assert tile_path(0, 1234067) == "tile/0/x001/x234/067"
    assert tile_path(-1, 0, 7) == "tile/entries/000.p/7"
    assert tile_path(63, 999, 256) == "tile/63/999"
    assert all(tile_path(2, n) == f"tile/2/{number_path(n)}" for n in (0, 7, 1000, 10**6, 10**9))


def flip(file: Path, bit: int) -> None:
    data = bytearray(file.read_bytes())
    data[bit // 8 % len(data)] ^= 1 << bit % 8
    file.write_bytes(bytes(data))


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_every_flipped_bit_of_every_file_is_found_and_named(
    pristine: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    directory = shutil.copytree(pristine, tmp_path_factory.mktemp("flipped") / "log")
    paths = sorted(p for p in directory.rglob("*") if p.is_file())
    file = data.draw(st.sampled_from(paths))
    flip(file, data.draw(st.integers(0, 8 * file.stat().st_size - 1)))
    name = file.relative_to(directory).as_posix()
    assert any(where.startswith(name) for where in names(check(directory, WITNESSED))), name
    shutil.rmtree(directory)


def test_which_of_entry_and_hash_was_altered_is_said_by_the_signed_root(copy: Path) -> None:
    flip(copy / "tile/entries/000", 8 * 1000)
    (finding,) = check(copy).findings
    assert finding.where.startswith("tile/entries/000, entry ")
    assert finding.what == "is not what the log signed"


@pytest.mark.parametrize("index", [0, 99, 100, 255, 256, 511, 512, 699])
def test_one_altered_hash_is_named_alone(copy: Path, index: int) -> None:
    path = tile_path(0, index // 256, min(256, SIZE - index // 256 * 256))
    flip(copy / path, index % 256 * 32 * 8)
    (finding,) = check(copy).findings
    assert finding.where == f"{path}, hash {index % 256}"
    assert finding.what == "is not the hash of the entry, which the log signed"


def test_two_alterations_are_both_named(copy: Path) -> None:
    flip(copy / "tile/0/000", 0)
    flip(copy / "tile/entries/002.p/188", 8 * 10)
    found = names(check(copy))
    assert {"tile/0/000, hash 0", "tile/entries/002.p/188, entry 512"} <= set(found)


@pytest.mark.parametrize(
    ("path", "alter", "says"),
    [
        ("tile/entries/000", lambda d: d[:-1], "ends within entry 255"),
        ("tile/entries/000", lambda d: d + b"\0", "goes on behind its 256 entries"),
        ("tile/entries/000", lambda _: b"", "ends within entry 0"),
        ("tile/0/000", lambda d: d[:-1], "is 8191 bytes long, not 8192"),
        ("tile/1/000.p/2", lambda d: d + d, "is 128 bytes long, not 64"),
        ("checkpoints.jsonl", lambda d: d[:-1], "is not a checkpoint"),
        ("checkpoints.jsonl", lambda d: d.replace(b"\\n", b"\\u000a", 1), "is not a checkpoint"),
        ("checkpoints.jsonl", lambda d: b"[" * 5_000_000 + d, "is not a checkpoint"),
        ("checkpoint", lambda _: b"", "a note is a text"),
    ],
)
def test_files_of_another_shape_are_named(
    copy: Path, path: str, alter: Callable[[bytes], bytes], says: str
) -> None:
    (copy / path).write_bytes(alter((copy / path).read_bytes()))
    report = check(copy)
    assert any(f.where.startswith(path) and says in f.what for f in report.findings)


@pytest.mark.parametrize(
    "path", ["tile/entries/001", "tile/0/001", "tile/1/000.p/2", "tile/entries/002.p/188"]
)
def test_a_missing_file_is_named(copy: Path, path: str) -> None:
    (copy / path).unlink()
    (finding,) = check(copy).findings
    assert (finding.where, finding.what) == (path, "is missing")


def test_a_partial_tile_may_be_told_by_the_full_one(tmp_path: Path) -> None:
    grown, old = tmp_path / "grown", tmp_path / "old"
    publish(grown, leaves(700), [300], LOG)
    publish(old, leaves(300), [], LOG)
    shutil.copyfile(old / "checkpoint", grown / "checkpoint")
    shutil.copyfile(old / "tile/1/000.p/1", grown / "tile/1/000.p/1")  # not full yet: it stays
    report = check(grown)
    assert (report.findings, report.covered) == ([], 300)
    assert any("lie beyond" in note for note in report.notes)


def test_old_partial_tiles_are_the_beginning_of_what_they_grew_to(
    copy: Path, tmp_path: Path
) -> None:
    publish(tmp_path / "old", leaves(300), [], LOG)
    for path in ("tile/0/001.p/44", "tile/entries/001.p/44", "tile/1/000.p/1"):
        shutil.copytree((tmp_path / "old" / path).parent, (copy / path).parent, dirs_exist_ok=True)
    assert check(copy).findings == []
    for path in ("tile/0/001.p/44", "tile/entries/001.p/44", "tile/1/000.p/1"):
        flip(copy / path, 77)
    assert sorted(names(check(copy))) == [
        "tile/0/001.p/44",
        "tile/1/000.p/1",
        "tile/entries/001.p/44",
    ]


def test_foreign_files_are_named_and_what_is_being_written_is_not(copy: Path) -> None:
    for path in ("notes.txt", "tile/0/x000/000", "tile/0/000.p/256", ".new/7"):
        (copy / path).parent.mkdir(exist_ok=True)
        (copy / path).write_bytes(b"")
    assert sorted(names(check(copy))) == ["notes.txt", "tile/0/000.p/256", "tile/0/x000/000"]


def rewrite(directory: Path, entries: list[bytes], sizes: tuple[int, ...] = SIZES) -> Report:
    shutil.rmtree(directory)
    publish(directory, entries, sizes, LOG)
    return check(directory)


def test_a_producers_missing_doubled_or_reordered_entry_is_named(copy: Path) -> None:
    made = leaves(SIZE)
    report = rewrite(copy, made[:300] + made[301:])
    assert [str(finding) for finding in report.findings] == [
        "tile/entries/001, entry 301: producer sharing is at number 152, expected 151"
    ]
    assert len(rewrite(copy, [*made[:300], made[298], *made[300:]]).findings) == 1
    assert rewrite(copy, [*made[:512], made[514], made[513], made[512], *made[515:]]).findings


def test_what_is_no_entry_is_named_though_the_log_signed_it(copy: Path) -> None:
    report = rewrite(copy, [*leaves(40), b"no entry", *leaves(SIZE)[40:]])
    (finding,) = report.findings
    assert finding.where == "tile/entries/000, entry 40"
    assert "not a log entry" in finding.what


def note(size: int, root: bytes, signer: Signer = LOG) -> str:
    text = checkpoint_text(size, root)
    return f"{text}\n{signer.line(text)}"


def insert(directory: Path, line: int, text: str) -> None:
    file = directory / "checkpoints.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join([*lines[:line], json.dumps(text) + "\n", *lines[line:]]))


def test_a_second_history_signed_by_the_log_itself_is_found(copy: Path) -> None:
    insert(copy, 5, note(400, bytes(32)))
    (finding,) = check(copy).findings
    assert finding.where == "checkpoints.jsonl, line 6"
    assert "do not lead to the root that it states" in finding.what
    assert "that of 300 entries" in finding.what


def test_a_checkpoint_of_another_key_twice_or_out_of_order_is_named(copy: Path) -> None:
    root = root_of(map(leaf_hash, leaves(300)))
    insert(copy, 5, note(300, root))
    insert(copy, 0, note(300, root, Signer(ORIGIN)))
    found = check(copy).findings
    assert [finding.where for finding in found] == [
        "checkpoints.jsonl, line 1",
        "checkpoints.jsonl, line 7",
    ]
    assert "no pinned key" in found[0].what
    assert "after one that states 300" in found[1].what


def test_the_quorum_of_the_newest_checkpoint_is_asked_for(tmp_path: Path) -> None:
    policy = Policy.parse(f"witness anna {ANNA.key}\nquorum anna\n".encode())
    made = leaves(10)
    publish(tmp_path, made, [5], LOG)
    report = check(tmp_path, Trust((LOG.key,), policy))
    assert names(report) == ["checkpoint"]
    assert any("2 older checkpoints" in told for told in report.notes)
    shutil.rmtree(tmp_path)
    publish(tmp_path, made, [], LOG, lambda text: ANNA.line(text, at=MOMENT))
    assert check(tmp_path, Trust((LOG.key,), policy)).findings == []


def test_what_is_no_log_is_said_calmly(tmp_path: Path) -> None:
    for directory in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(NoLogError):
            check(directory)


def test_a_history_without_its_newest_checkpoint_is_not_whole(copy: Path) -> None:
    (copy / "checkpoint").unlink()
    assert names(check(copy)) == ["checkpoint"]


def test_the_newest_checkpoint_counts_where_there_is_no_history(copy: Path) -> None:
    assert check(copy).checkpoints == len(SIZES) + 1
    (copy / "checkpoints.jsonl").unlink()
    assert check(copy).checkpoints == 1


def test_a_log_that_states_an_absurd_size_is_not_looked_for_to_its_end(copy: Path) -> None:
    (copy / "checkpoint").write_text(note(1 << 62, bytes(32)))
    report = check(copy)
    assert report.unnamed
    assert report.entries == 512


def test_a_million_findings_are_not_listed_one_by_one(copy: Path) -> None:
    made = [entry(1) for _ in range(3_000)]
    report = rewrite(copy, made)
    assert len(report.findings) == 1_000
    assert report.unnamed > 1_000


@pytest.mark.parametrize("part", ["name", "id", "signature"])
def test_a_cosignature_that_was_altered_is_found_though_no_quorum_asks_for_it(
    copy: Path, part: str
) -> None:
    file = copy / "checkpoints.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    note = json.loads(lines[3])
    head, dash, blob = note.rpartition(f"— {ANNA.name} ")
    raw = bytearray(base64.b64decode(blob))
    raw[0 if part == "id" else 40] ^= part != "name"
    name = dash.replace("sg.", "sh.") if part == "name" else dash
    lines[3] = json.dumps(f"{head}{name}{base64.b64encode(raw).decode()}\n") + "\n"
    file.write_text("".join(lines))
    (finding,) = check(copy, WITNESSED).findings
    assert finding.where.startswith("checkpoints.jsonl, line 4")
    told = check(copy).notes
    assert "not verified: no policy was given" in told
    assert any("checkpoints.jsonl, line 4" in note for note in told) or part == "signature"
    assert any("checkpoint, signature 2 to checkpoints.jsonl, line 8" in note for note in told)
