"""Bundles: everything in one file holds, every change is refused by name, and nothing breaks it."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from accord.audit.v1 import entry_pb2
from accord_client.bundle import MAX_LINE, BundleReader, BundleWriter, Head
from accord_client.cli import cli
from accord_client.cli.session import Exit
from accord_client.failure import VerificationError
from accord_client.merkle import leaf_hash, root_of
from accord_client.note import Algorithm
from accord_client.policy import Policy
from accord_client.trust import Trust
from accord_client.verify import VerifiedEntry
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.sdk.evidence import (
    ORIGIN,
    WITNESS,
    Signer,
    checkpoint_text,
    entry,
    inclusion_path,
)

LOG = Signer(ORIGIN)
ANNA = Signer(WITNESS, Algorithm.COSIGNATURE)
FIELDS = {"recipient": "recipients/dhl", "purpose": "delivery", "姓名": 'Ann\u200b "é\\\n'}
SIZE = 77
LEAVES = [entry(number, FIELDS) for number in range(1, SIZE + 1)]
HASHES = [leaf_hash(leaf) for leaf in LEAVES]
TEXT = checkpoint_text(SIZE, root_of(HASHES))
NOTE = f"{TEXT}\n{LOG.line(TEXT)}{ANNA.line(TEXT, at=1_750_000_000)}"
TRUST = Trust((LOG.key,))
WITNESSED = Trust((LOG.key,), Policy.parse(f"witness anna {ANNA.key}\nquorum anna\n".encode()))
OPENINGS = [
    entry_pb2.Opening(section=0, position=at, name=name, salt=bytes([at]) * 32, value=value)
    for at, (name, value) in enumerate(FIELDS.items())
]

SECTION, POSITION, SALT, VALUE = 0, 1, 3, 4


def written(
    indexes: Sequence[int], only: tuple[str, ...] | None = None, policy: str | None = None
) -> bytes:
    stream = io.BytesIO()
    writer = BundleWriter(stream, Head(NOTE, {"trace": "t"}, only, policy))
    for index in indexes:
        packed = entry_pb2.Entry(index=index, leaf=LEAVES[index])
        writer.add(packed, OPENINGS, inclusion_path(index, HASHES))
    assert writer.end() == len(indexes)
    return stream.getvalue()


def read(data: bytes, trust: Trust = TRUST) -> list[VerifiedEntry]:
    return list(BundleReader(io.BytesIO(data), trust).entries())


def refused(data: bytes, obligation: str, says: str = ".", trust: Trust = TRUST) -> None:
    with pytest.raises(VerificationError, match=says) as caught:
        read(data, trust)
    assert caught.value.obligation == obligation, str(caught.value)


@given(st.sets(st.integers(0, SIZE - 1)))
def test_whichever_entries_are_in_it_each_is_proved_and_shown(chosen: set[int]) -> None:
    verified = read(written(sorted(chosen)))
    assert [one.index for one in verified] == sorted(chosen)
    assert all(dict(one.shown) == FIELDS for one in verified)
    assert all(one.checkpoint.size == SIZE for one in verified)


def test_a_path_leads_up_to_what_was_proved_before_and_no_further() -> None:
    lines = [json.loads(line) for line in written(range(SIZE)).splitlines()[1:-1]]
    hashes = sum(len(line["path"]) for line in lines)
    # Each hash of a path beyond the first is a subtree to the right: once each in the whole tree.
    assert hashes < SIZE + SIZE.bit_length()
    assert lines[1]["path"] == []


def test_only_some_values_may_be_left_in_it() -> None:
    data = written([3, 4], only=("purpose",))
    assert b"recipients/dhl" not in data
    reader = BundleReader(io.BytesIO(data), TRUST)
    assert reader.head.only == ("purpose",)
    for one in reader.entries():
        assert one.shown == (("purpose", "delivery"),)
        assert one.commitments == len(FIELDS)


def test_a_quorum_is_asked_for_when_a_policy_is_given() -> None:
    assert len(read(written([1]), WITNESSED)) == 1
    bare = written([1]).replace(ANNA.line(TEXT, at=1_750_000_000).encode()[:-1], b"")
    bare = bare.replace(b'\\n\\n"', b'\\n"')
    refused(bare, "quorum", "requires anna", WITNESSED)


def test_the_policy_in_the_file_is_a_claim_and_decides_nothing() -> None:
    data = written(
        [1], policy=f"witness eve {Signer('e', Algorithm.COSIGNATURE).key}\nquorum eve\n"
    )
    reader = BundleReader(io.BytesIO(data), TRUST)
    assert reader.head.policy
    assert reader.attested.standing is None
    assert len(list(reader.entries())) == 1


def change(at: int, alter: Callable[[dict[str, Any]], object]) -> bytes:
    lines = written([2, 5, 6]).splitlines(keepends=True)
    value = json.loads(lines[at])
    alter(value)
    lines[at] = json.dumps(value).encode() + b"\n"
    return b"".join(lines)


def opening(line: dict[str, Any], member: int, value: object) -> None:
    line["openings"][0][member] = value


def test_the_first_entry_that_does_not_hold_is_named() -> None:
    other = base64.b64encode(LEAVES[6]).decode()
    refused(change(2, lambda e: e.update(leaf=other)), "inclusion", "^line 3, entry 5: ")
    refused(change(2, lambda e: e.update(index=4)), "inclusion", "^line 3, entry 4: ")
    refused(change(2, lambda e: e.update(index=2)), "format", "ascending")
    refused(change(2, lambda e: e.update(index=1)), "format", "ascending")
    refused(change(3, lambda e: e.update(index=SIZE)), "inclusion", "not in a tree of size 77")
    refused(change(3, lambda e: e.update(index=-1)), "inclusion", "entry -1")
    refused(change(1, lambda e: e["path"].pop()), "inclusion", "line 2, entry 2: the proof has 6")
    refused(change(1, lambda e: e["path"].reverse()), "inclusion", "line 2, entry 2")
    refused(change(1, lambda e: e["path"].append("A" * 43 + "=")), "inclusion", "line 2, entry 2")
    changed = change(3, lambda e: opening(e, VALUE, "recipients/other"))
    refused(changed, "opening", "line 4, entry 6: ")


@pytest.mark.parametrize(
    "alter",
    [
        lambda e: e.update(index="2"),
        lambda e: e.update(index=True),
        lambda e: e.update(index=None),
        lambda e: e.update(leaf=None),
        lambda e: e.update(leaf="=A"),
        lambda e: e.update(path={}),
        lambda e: e.update(path=[1]),
        lambda e: e.update(path=["!"]),
        lambda e: e.update(openings={}),
        lambda e: e.update(openings=[[]]),
        lambda e: e.update(more=1),
        lambda e: e.pop("path"),
        lambda e: e.pop("index"),
        lambda e: opening(e, SECTION, "0"),
        lambda e: opening(e, POSITION, True),
        lambda e: opening(e, SALT, "A"),
        lambda e: opening(e, VALUE, None),
        lambda e: opening(e, VALUE, "\ud800"),
        lambda e: e["openings"][0].append(1),
        lambda e: e["openings"][0].pop(),
        lambda e: e.update(openings=[{}]),
    ],
)
def test_what_is_no_entry_of_a_bundle_is_refused(alter: Callable[[dict[str, Any]], object]) -> None:
    refused(change(2, alter), "format", "line 3")


@pytest.mark.parametrize(
    "alter",
    [
        lambda h: h.update(format="accord.audit.bundle/2"),
        lambda h: h.pop("format"),
        lambda h: h.pop("checkpoint"),
        lambda h: h.update(checkpoint=7),
        lambda h: h.update(checkpoint="no note"),
        lambda h: h.pop("asked"),
        lambda h: h.update(asked={"trace": 1}),
        lambda h: h.update(only="purpose"),
        lambda h: h.update(only=[1]),
        lambda h: h.update(policy=[]),
        lambda h: h.update(more=1),
    ],
)
def test_what_is_no_head_is_refused(alter: Callable[[dict[str, Any]], object]) -> None:
    refused(change(0, alter), "format")


def test_a_bundle_of_another_log_or_key_is_refused_naming_both() -> None:
    with pytest.raises(VerificationError, match=r"signed by nl\..*pinned are ru\.") as caught:
        read(written([1]), Trust((Signer("ru.accord.internal/audit").key,)))
    assert caught.value.obligation == "signature"
    refused(written([1]), "signature", "no pinned key", Trust((Signer(ORIGIN).key,)))


WHOLE = written([2, 5, 6])


@pytest.mark.parametrize("end", range(0, len(WHOLE), 97))
def test_a_file_that_is_cut_off_is_refused(end: int) -> None:
    refused(WHOLE[:end], "format")


def test_what_is_added_counted_wrongly_or_doubled_is_refused() -> None:
    refused(WHOLE + b"\n", "format", "behind its end")
    refused(WHOLE + WHOLE, "format", "behind its end")
    refused(change(4, lambda e: e.update(entries=2)), "format", "says 2 entries, and holds 3")
    refused(change(4, lambda e: e.update(entries=True)), "format")
    refused(change(4, lambda e: e.update(entries=10**30)), "format")
    lines = WHOLE.splitlines(keepends=True)
    refused(b"".join([*lines[:2], lines[1], *lines[2:]]), "format", "ascending")
    refused(b"".join([lines[0], lines[2], lines[1], *lines[3:]]), "inclusion", "line 2, entry 5")
    refused(b"".join([*lines[:2], *lines[3:]]), "inclusion", "line 3, entry 6")


@pytest.mark.parametrize(
    "line",
    [
        b"[" * 500_000 + b"\n",
        b'{"index":' * 100_000 + b"\n",
        b'{"index":' + b"9" * 100_000 + b"}\n",
        b'{"index":1e400}\n',
        b'{"index":NaN}\n',
        b'{"index":1.5}\n',
        b'{"index":1,"index":2}\n',
        b'"text"\n',
        b"\xff\xfe\n",
        b"\n",
        b"a" * (MAX_LINE + 1) + b"\n",
        b'{"entries":3,"entries":3}\n',
        b'{"index":2,"leaf":"","path":[],"openings":[{"name":"\\ud800"}]}\n',
    ],
    ids=range(13),
)
def test_no_line_of_a_hostile_file_does_harm(line: bytes) -> None:
    head = WHOLE.splitlines(keepends=True)[0]
    for data in (line, head + line):
        with pytest.raises(VerificationError):
            read(data)


@given(place=st.integers(0, len(WHOLE) - 1), change=st.integers(1, 255))
@settings(max_examples=300)
def test_no_altered_byte_shows_anything_else(place: int, change: int) -> None:
    data = bytearray(WHOLE)
    data[place] ^= change
    try:
        shown = [(one.index, one.leaf_hash, one.shown) for one in read(bytes(data))]
    except VerificationError:
        return
    # What may differ is what the file says of itself, which is shown as a claim alone.
    assert shown == [(one.index, one.leaf_hash, one.shown) for one in read(WHOLE)]


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path, Path]:
    bundle, key, policy = tmp_path / "b.bundle", tmp_path / "log.vkey", tmp_path / "trust.policy"
    bundle.write_bytes(WHOLE)
    key.write_text(f"{LOG.key}\n")
    policy.write_text(f"witness anna {ANNA.key}\nquorum anna\n")
    return bundle, key, policy


def test_the_command_says_what_was_proved_and_what_was_not(files: tuple[Path, Path, Path]) -> None:
    bundle, key, policy = files
    words = ["audit", "verify", str(bundle), "--key", str(key), "--policy", str(policy)]
    result = CliRunner().invoke(cli, words)
    assert result.exit_code == Exit.OK, result.stderr
    assert "VERIFIED  3 entries" in result.stdout
    assert "cosigned by anna at 2025-06-15 15:06:40Z; the quorum (anna) holds" in result.stdout
    assert "from index 2 to 6" in result.stdout
    assert "9 of 9 values" in result.stdout
    assert "Not proved: that these are all" in result.stdout
    assert "other" not in result.stdout
    answer = json.loads(CliRunner().invoke(cli, [*words, "--json"]).stdout)
    assert answer["quorum"] is True
    assert (answer["entries"], answer["first_index"], answer["last_index"]) == (3, 2, 6)
    alone = CliRunner().invoke(cli, words[:-2])
    assert "no policy was given" in alone.stdout
    assert "others were shown the same history" in alone.stdout


def test_the_command_names_the_first_entry_that_fails(files: tuple[Path, Path, Path]) -> None:
    bundle, key, _ = files
    bundle.write_bytes(change(2, lambda e: e.update(index=4)))
    result = CliRunner().invoke(cli, ["audit", "verify", str(bundle), "--key", str(key)])
    assert result.exit_code == Exit.REFUSED
    assert "NOT VERIFIED (inclusion): line 3, entry 4" in result.stderr


def test_the_command_helps_who_gives_it_something_else(files: tuple[Path, Path, Path]) -> None:
    bundle, key, _ = files
    words = ["audit", "verify", str(bundle), "--key", str(key)]
    no_key = CliRunner().invoke(cli, words[:-2])
    assert no_key.exit_code == Exit.BAD_INPUT
    assert "--key" in no_key.stderr
    bundle.write_bytes(b"\x1f\x8b\x08\x00" + bytes(50))
    assert "unpack it first" in CliRunner().invoke(cli, words).stderr
    bundle.write_bytes(b"hello")
    assert "neither a bundle nor a proof" in CliRunner().invoke(cli, words).stderr
    bundle.write_bytes(b"")
    assert CliRunner().invoke(cli, words).exit_code == Exit.REFUSED


def test_the_example_of_the_readme_reads_a_bundle(files: tuple[Path, Path, Path]) -> None:
    text = (Path(__file__).parents[3] / "sdk/accord_client/README.md").read_text()
    (example,) = (b for b in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "Bundle" in b)
    names: dict[str, Any] = {}
    exec(example, names)  # noqa: S102 -- our own text
    told = names["read"](*files)
    assert "the quorum (anna) holds" in told[0]
    assert [line.split(":")[0] for line in told[1:]] == ["2", "5", "6"]
