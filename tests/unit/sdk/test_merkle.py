"""Proofs of a Merkle tree, against cases that others wrote and against a naive tree."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from accord_client.failure import VerificationError
from accord_client.merkle import (
    EMPTY_ROOT,
    CompactRange,
    leaf_hash,
    node_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from hypothesis import given
from hypothesis import strategies as st

from tests.vectors import vectors


def read_cases(kind: str) -> list[tuple[str, dict[str, Any]]]:
    folder = vectors("merkle") / kind
    return [(str(file.relative_to(folder)), json.loads(file.read_text()))
            for file in sorted(folder.rglob("*.json"))]  # fmt: skip


def unpack(case: dict[str, Any], key: str) -> bytes:
    return base64.b64decode(case[key] or "")


def run_cases(kind: str, verify: Callable[[dict[str, Any]], None]) -> None:
    cases = read_cases(kind)
    assert len(cases) == 98
    wrong = []
    for name, case in cases:
        try:
            verify(case)
        except VerificationError:
            accepted = False
        else:
            accepted = True
        if accepted == case["wantErr"]:
            wrong.append(name)
    assert wrong == []


def test_inclusion_cases_written_by_others() -> None:
    run_cases("inclusion", lambda case: verify_inclusion(
        index=case["leafIdx"],
        size=case["treeSize"],
        leaf=unpack(case, "leafHash"),
        proof=[base64.b64decode(item) for item in case["proof"] or []],
        root=unpack(case, "root"),
    ))  # fmt: skip


def test_consistency_cases_written_by_others() -> None:
    run_cases("consistency", lambda case: verify_consistency(
        old_size=case["size1"],
        new_size=case["size2"],
        proof=[base64.b64decode(item) for item in case["proof"] or []],
        old_root=unpack(case, "root1"),
        new_root=unpack(case, "root2"),
    ))  # fmt: skip


# The definitions of RFC 6962 §2.1, word by word: slow and obviously right.


def split(size: int) -> int:
    return 1 << ((size - 1).bit_length() - 1)


def naive_root(leaves: list[bytes]) -> bytes:
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return node_hash(naive_root(leaves[:k]), naive_root(leaves[k:]))


def naive_inclusion(index: int, leaves: list[bytes]) -> list[bytes]:
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if index < k:
        return [*naive_inclusion(index, leaves[:k]), naive_root(leaves[k:])]
    return [*naive_inclusion(index - k, leaves[k:]), naive_root(leaves[:k])]


def naive_consistency(old: int, leaves: list[bytes], *, whole: bool = True) -> list[bytes]:
    if old == len(leaves):
        return [] if whole else [naive_root(leaves)]
    k = split(len(leaves))
    if old <= k:
        return [*naive_consistency(old, leaves[:k], whole=whole), naive_root(leaves[k:])]
    return [*naive_consistency(old - k, leaves[k:], whole=False), naive_root(leaves[:k])]


def test_every_proof_of_every_small_tree_is_accepted() -> None:
    leaves = [leaf_hash(bytes([n])) for n in range(34)]
    for size in range(1, len(leaves) + 1):
        root = naive_root(leaves[:size])
        assert root_of(leaves[:size]) == root
        for index in range(size):
            proof = naive_inclusion(index, leaves[:size])
            verify_inclusion(index=index, size=size, leaf=leaves[index], proof=proof, root=root)
        for old in range(1, size + 1):
            verify_consistency(
                old_size=old,
                new_size=size,
                proof=naive_consistency(old, leaves[:size]),
                old_root=naive_root(leaves[:old]),
                new_root=root,
            )


@given(size=st.integers(1, 200), data=st.data())
def test_no_altered_bit_of_a_proof_is_accepted(size: int, data: st.DataObject) -> None:
    leaves = [leaf_hash(n.to_bytes(2)) for n in range(size)]
    index = data.draw(st.integers(0, size - 1))
    parts = [leaves[index], naive_root(leaves), *naive_inclusion(index, leaves)]
    which = data.draw(st.integers(0, len(parts) - 1))
    bit = data.draw(st.integers(0, 255))
    flipped = int.from_bytes(parts[which]) ^ (1 << bit)
    parts[which] = flipped.to_bytes(32)
    with pytest.raises(VerificationError) as caught:
        verify_inclusion(index=index, size=size, leaf=parts[0], root=parts[1], proof=parts[2:])
    assert caught.value.obligation == "inclusion"


@given(size=st.integers(2, 120), data=st.data())
def test_no_altered_bit_of_a_consistency_proof_is_accepted(size: int, data: st.DataObject) -> None:
    leaves = [leaf_hash(n.to_bytes(2)) for n in range(size)]
    old = data.draw(st.integers(1, size - 1))
    proof = naive_consistency(old, leaves)
    parts = [naive_root(leaves[:old]), naive_root(leaves), *proof]
    which = data.draw(st.integers(0, len(parts) - 1))
    flipped = int.from_bytes(parts[which]) ^ (1 << data.draw(st.integers(0, 255)))
    parts[which] = flipped.to_bytes(32)
    with pytest.raises(VerificationError) as caught:
        verify_consistency(
            old_size=old, new_size=size, old_root=parts[0], new_root=parts[1], proof=parts[2:]
        )
    assert caught.value.obligation == "consistency"


def test_the_empty_tree_has_the_root_of_nothing() -> None:
    assert CompactRange().root() == EMPTY_ROOT == hashlib.sha256(b"").digest()
