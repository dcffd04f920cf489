"""The tree against outside vectors, and against a second, slow, obviously right reading of it."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.audit.domain import merkle
from services.audit.domain.tiles import TILE_WIDTH, Edge, Tile
from services.audit.domain.verification import consistent, included
from tests.vectors import vectors

if TYPE_CHECKING:
    from typing import Any

# The same examples each time, and no judgement of how busy the machine is.
patient = settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
SIZES = st.integers(1, 300)


def naive_root(leaves: list[bytes]) -> bytes:
    """RFC 6962 §2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    left, right = naive_root(leaves[:split]), naive_root(leaves[split:])
    return hashlib.sha256(b"\x01" + left + right).digest()


def leaves(size: int) -> list[bytes]:
    return [str(n).encode() for n in range(size)]


def node_hashes(spans: list[merkle.Span], data: list[bytes]) -> list[bytes]:
    """Each span's hash from its complete nodes, as a store would hand them out."""
    return [
        span.hash(
            {
                node: naive_root(data[node.index << node.height : (node.index + 1) << node.height])
                for node in span.nodes()
            }
        )
        for span in spans
    ]


def test_inclusion_vectors_of_others_all_come_out_right() -> None:
    cases = merkle_cases("inclusion")
    assert len(cases) == 98
    for name, case in cases:
        holds = included(
            int(case["leafIdx"]),
            int(case["treeSize"]),
            _bytes(case, "leafHash"),
            _hashes(case),
            _bytes(case, "root"),
        )
        assert holds is not case["wantErr"], name


def test_consistency_vectors_of_others_all_come_out_right() -> None:
    cases = merkle_cases("consistency")
    assert len(cases) == 98
    for name, case in cases:
        holds = consistent(
            int(case["size1"]),
            int(case["size2"]),
            _bytes(case, "root1"),
            _bytes(case, "root2"),
            _hashes(case),
        )
        assert holds is not case["wantErr"], name


@pytest.mark.parametrize("size", [0, 1, 2, 3, 255, 256, 257, 511, 512, 65_537])
def test_edge_gives_the_root_of_the_rfc(size: int) -> None:
    edge = Edge()
    for leaf in leaves(size):
        edge.append(merkle.leaf_hash(leaf))
    assert edge.size == size
    assert edge.root() == naive_root(leaves(size))


@patient
@given(SIZES, SIZES)
def test_a_copied_edge_grows_alone(first: int, more: int) -> None:
    edge = Edge()
    for leaf in leaves(first):
        edge.append(merkle.leaf_hash(leaf))
    copy = edge.copy()
    for leaf in leaves(first + more)[first:]:
        copy.append(merkle.leaf_hash(leaf))
    assert edge.root() == naive_root(leaves(first))
    assert copy.root() == naive_root(leaves(first + more))


def test_tiles_come_out_full_in_order_and_rooted_in_the_tile_above() -> None:
    edge, filled = Edge(), list[Tile]()
    size = TILE_WIDTH * TILE_WIDTH + 1
    for leaf in leaves(size):
        filled += edge.append(merkle.leaf_hash(leaf))
    below = [tile for tile in filled if tile.level == 0]
    (above,) = (tile for tile in filled if tile.level == 1)
    assert [tile.number for tile in below] == list(range(TILE_WIDTH))
    assert above.hashes == tuple(tile.root for tile in below)
    assert len(filled) == TILE_WIDTH + 1
    assert below[3].hashes[7] == merkle.leaf_hash(b"775")


@patient
@given(st.data())
def test_every_inclusion_proof_verifies_and_no_other_leaf_does(data: st.DataObject) -> None:
    size = data.draw(SIZES)
    index = data.draw(st.integers(0, size - 1))
    tree, root = leaves(size), naive_root(leaves(size))
    proof = node_hashes(merkle.inclusion_spans(index, size), tree)
    leaf = merkle.leaf_hash(tree[index])
    assert included(index, size, leaf, proof, root)
    assert not included(index, size, merkle.leaf_hash(b"another"), proof, root)
    other = data.draw(st.integers(0, size - 1))
    assert included(other, size, leaf, proof, root) is (other == index)


@patient
@given(st.data())
def test_every_consistency_proof_verifies_and_no_other_tree_does(data: st.DataObject) -> None:
    second = data.draw(SIZES)
    first = data.draw(st.integers(1, second))
    tree = leaves(second)
    roots = naive_root(tree[:first]), naive_root(tree)
    proof = node_hashes(merkle.consistency_spans(first, second), tree)
    assert consistent(first, second, *roots, proof)
    changed = [b"changed", *tree[1:]]
    assert not consistent(first, second, naive_root(changed[:first]), roots[1], proof)
    assert not consistent(first, second, roots[0], naive_root(changed), proof)


@patient
@given(st.integers(0, 5), st.integers(0, 5), st.lists(st.binary(max_size=33), max_size=4))
def test_nonsense_is_refused_without_an_exception(
    first: int, second: int, proof: list[bytes]
) -> None:
    root = naive_root(leaves(second))
    assert not consistent(0, second, merkle.EMPTY_ROOT, root, proof)
    assert not included(second, second, root, proof, root)
    consistent(first, second, root, root, proof)
    included(first, second, root, proof, root)


def merkle_cases(kind: str) -> list[tuple[str, dict[str, Any]]]:
    paths = sorted(vectors("merkle").joinpath(kind).rglob("*.json"))
    return [(str(path), json.loads(path.read_text())) for path in paths]


def _bytes(case: dict[str, Any], key: str) -> bytes:
    return base64.b64decode(case[key] or "")


def _hashes(case: dict[str, Any]) -> list[bytes]:
    return [base64.b64decode(hash_) for hash_ in case["proof"] or []]
