"""The log as files: every path, every width, and nothing but what the specification says."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.audit.domain.layout import (
    ENTRIES,
    TilePath,
    bundle_prefix,
    lay_out,
    partial_paths,
)
from services.audit.domain.merkle import leaf_hash
from services.audit.domain.tiles import Edge
from tests.contract.audit.stranger import entries_of, mth, place


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (TilePath(0, 0), "tile/0/000"),
        (TilePath(0, 999), "tile/0/999"),
        (TilePath(0, 1000), "tile/0/x001/000"),
        (TilePath(3, 1234067), "tile/3/x001/x234/067"),
        (TilePath(0, 1234067, 1), "tile/0/x001/x234/067.p/1"),
        (TilePath(ENTRIES, 0, 255), "tile/entries/000.p/255"),
        (TilePath(ENTRIES, 1000000), "tile/entries/x001/x000/000"),
        (TilePath(ENTRIES, 1234067), "tile/entries/x001/x234/067"),
    ],
)
def test_paths_are_those_of_the_specification(tile: TilePath, path: str) -> None:
    assert str(tile) == path
    assert TilePath.parse(path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "",
        "checkpoint",
        "tile/0",
        "tile/0/",
        "tile/0/0",
        "tile/0/00",
        "tile/0/0000",
        "tile/0/x000/000",
        "tile/0/x001",
        "tile/0/001/000",
        "tile/0/x1/000",
        "tile/0/-01",
        "tile/0/+01",
        "tile/0/١٢٣",
        "tile/00/000",
        "tile/01/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/data/000",
        "tile/Entries/000",
        "tile/0/000.p",
        "tile/0/000.p/",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "tile/0/000.p/256",
        "tile/0/000.p/999",
        "tile/0/000.p/1/",
        "tile/0/000.p/1.gz",
        "tile/0/000.q/1",
        "/tile/0/000",
        "tile/0/000\n",
        "tile/0/../0/000",
        "tile/63/999",
        "tile/0/" + "x999/" * 7 + "999",
    ],
)
def test_nothing_else_is_a_path(path: str) -> None:
    assert TilePath.parse(path) is None


@given(
    st.sampled_from([ENTRIES, 0, 1, 2, 3]),
    st.integers(0, 10**9),
    st.integers(1, 256),
)
def test_every_path_is_read_as_what_it_names(level: int, number: int, width: int) -> None:
    tile = TilePath(level, number, width)
    assert TilePath.parse(str(tile)) == tile
    assert str(tile) == place("entries" if level == ENTRIES else str(level), number, width)


def test_seventy_thousand_entries_have_the_partial_tiles_of_the_specification() -> None:
    assert partial_paths(70_000) == [
        TilePath(ENTRIES, 273, 112),
        TilePath(0, 273, 112),
        TilePath(1, 1, 17),
        TilePath(2, 0, 1),
    ]
    assert partial_paths(256) == [TilePath(1, 0, 1)]
    assert partial_paths(0) == []


@given(st.integers(0, 1 << 40))
def test_partial_widths_are_the_formula(size: int) -> None:
    widths = {path.level: path.width for path in partial_paths(size)}
    for level in range(6):
        assert widths.get(level, 0) == size // 256**level % 256
    assert widths.get(ENTRIES) == widths.get(0)
    for path in partial_paths(size):
        assert path.end <= size < TilePath(path.level, path.number).end


def leaves_of(count: int) -> list[bytes]:
    return [
        hashlib.sha256(number.to_bytes(4, "big")).digest()[: number % 33] for number in range(count)
    ]


@pytest.mark.parametrize(
    "count", [0, 1, 255, 256, 257, 511, 512, 1000, 65_535, 65_536, 65_537, 70_000]
)
def test_files_hold_the_tree(count: int) -> None:
    leaves = leaves_of(count)
    layout = lay_out(Edge(), leaves)
    files = layout.full | layout.partial
    row = [leaf_hash(leaf) for leaf in leaves]
    assert layout.root == mth(row)
    expected = {}
    for number in range(-(-count // 256)):
        some = leaves[256 * number : 256 * number + 256]
        assert entries_of(files[TilePath(ENTRIES, number, len(some))]) == some
        expected[TilePath(ENTRIES, number, len(some))] = files[TilePath(ENTRIES, number, len(some))]
    level = 0
    while row:
        for number in range(-(-len(row) // 256)):
            some = row[256 * number : 256 * number + 256]
            expected[TilePath(level, number, len(some))] = b"".join(some)
        row = [mth(row[at : at + 256]) for at in range(0, len(row) // 256 * 256, 256)]
        level += 1
    assert files == expected
    assert all(path.width == 256 for path in layout.full)


@given(st.lists(st.integers(0, 700), min_size=1, max_size=5))
def test_stretches_make_the_files_of_the_whole(steps: list[int]) -> None:
    """However the log grew from one publication to the next, its files are the same."""
    leaves = leaves_of(sum(steps))
    base, size = Edge(), 0
    files: dict[TilePath, bytes] = {}
    for step in steps:
        size += step
        layout = lay_out(base, leaves[base.size : size])
        assert base.size % 256 == 0
        base = layout.base
        files |= layout.full
    whole = lay_out(Edge(), leaves)
    assert files | layout.partial == whole.full | whole.partial
    assert layout.root == whole.root


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=256), st.data())
def test_a_narrower_bundle_is_the_beginning_of_a_wider_one(
    leaves: list[bytes], data: st.DataObject
) -> None:
    bundle = b"".join(len(leaf).to_bytes(2, "big") + leaf for leaf in leaves)
    width = data.draw(st.integers(0, len(leaves)))
    assert entries_of(bundle_prefix(bundle, width)) == leaves[:width]
    with pytest.raises(ValueError, match="the bundle ends"):
        bundle_prefix(bundle, len(leaves) + 1)
    with pytest.raises(ValueError, match="the bundle ends"):
        bundle_prefix(bundle[:-1], len(leaves))
