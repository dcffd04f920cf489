"""Checks of inclusion and consistency proofs (RFC 9162 §2.1.3.2, §2.1.4.2)."""

from collections.abc import Sequence

from services.audit.domain.merkle import HASH_SIZE, node_hash


def included(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> bool:
    """Tell whether `proof` shows that leaf hash `leaf` is entry `index` of the tree with `root`."""
    if not 0 <= index < size or len(leaf) != HASH_SIZE or not _hashes(proof):
        return False
    position, last, computed = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if position & 1 or position == last:
            computed = node_hash(sibling, computed)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            computed = node_hash(computed, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and computed == root


def consistent(
    first: int, second: int, first_root: bytes, second_root: bytes, proof: Sequence[bytes]
) -> bool:
    """Tell whether `proof` shows that the tree of `second` leaves begins with that of `first`.

    Nothing is shown of an empty first tree, so that is no proof either.
    """
    if not 0 < first <= second or not _hashes(proof):
        return False
    if first == second:
        return not proof and first_root == second_root
    # A first tree of 2^k leaves is itself a node of the second; the proof leaves it out.
    path = ([first_root] if first & (first - 1) == 0 else []) + list(proof)
    if not path:
        return False
    position, last = first - 1, second - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    first_computed = second_computed = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if position & 1 or position == last:
            first_computed = node_hash(sibling, first_computed)
            second_computed = node_hash(sibling, second_computed)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            second_computed = node_hash(second_computed, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and first_computed == first_root and second_computed == second_root


def _hashes(proof: Sequence[bytes]) -> bool:
    return all(len(hash_) == HASH_SIZE for hash_ in proof)
