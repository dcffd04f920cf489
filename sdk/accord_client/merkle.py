"""RFC 6962 Merkle trees: hashing, roots, and the verification of proofs.

Hashing is RFC 6962 §2.1; verification follows RFC 9162 §2.1.3.2 (inclusion) and §2.1.4.2
(consistency). Written apart from the log's own implementation, on purpose.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from accord_client.failure import VerificationError

HASH_SIZE = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    """SHA-256(0x00 ‖ data)."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 ‖ left ‖ right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class CompactRange:
    """The root of a growing tree in logarithmic space: one hash per set bit of the size."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []

    def append(self, leaf: bytes) -> None:
        """Adds the hash of the next leaf."""
        carry, size = leaf, self.size
        while size & 1:
            carry = node_hash(self._peaks.pop(), carry)
            size >>= 1
        self._peaks.append(carry)
        self.size += 1

    def copy(self) -> CompactRange:
        """A tree of the same leaves that grows on its own."""
        twin = CompactRange()
        twin.size, twin._peaks = self.size, self._peaks.copy()
        return twin

    @property
    def peaks(self) -> list[bytes]:
        """The hashes of the complete subtrees, the largest first."""
        return self._peaks.copy()

    def root(self) -> bytes:
        """The Merkle tree hash of the leaves so far."""
        if not self._peaks:
            return EMPTY_ROOT
        root = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            root = node_hash(peak, root)
        return root


def root_of(leaves: Iterable[bytes]) -> bytes:
    """The Merkle tree hash over leaf hashes."""
    tree = CompactRange()
    for leaf in leaves:
        tree.append(leaf)
    return tree.root()


def verify_inclusion(
    *, index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes
) -> None:
    """Returns if ``leaf`` (a leaf hash) is at ``index`` of the tree of ``size`` with ``root``.

    Raises VerificationError(``inclusion``) otherwise.
    """
    _check_hashes("inclusion", [leaf, root, *proof])
    if not 0 <= index < size:
        raise VerificationError("inclusion", f"entry {index} is not in a tree of size {size}")
    computed = leaf
    for sibling, stands_left in _path("inclusion", index, size - 1, proof):
        computed = node_hash(sibling, computed) if stands_left else node_hash(computed, sibling)
    if computed != root:
        raise VerificationError("inclusion", "the path from the entry does not lead to the root")


class ProvenTree:
    """What paths of earlier entries have proved of one tree, so that the next path can be shorter.

    Entries come by ascending index. Besides its entry, a path proves every hash in it: those of
    subtrees further right are kept, and the path of a later entry leads up to the one that it lies
    in, instead of to the root. At most one hash for each level of the tree is kept.
    """

    def __init__(self, size: int, root: bytes, after: int = -1) -> None:
        """``after`` is the index of an entry that stands before the first one here."""
        self._size = size
        self._root = root
        self._after = after
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forgets what was proved: the path of the next entry leads to the root."""
        self._ahead = [(0, self._size, self._root)]  # what lies ahead is in these; the nearest last

    def prove(self, index: int, leaf: bytes, path: Sequence[bytes]) -> None:
        """Returns if ``leaf`` (a leaf hash) is at ``index``; raises VerificationError otherwise."""
        start, end, known = self._part(index)
        verify_inclusion(index=index - start, size=end - start, leaf=leaf, proof=path, root=known)
        self._after = index
        self._ahead.pop()
        for sibling in reversed(path):  # from the top of the part down to the leaf's own sibling
            middle = start + (1 << (end - start - 1).bit_length() - 1)
            if index < middle:
                self._ahead.append((middle, end, sibling))
                end = middle
            else:
                start = middle

    def needed(self, index: int, path: Sequence[bytes]) -> Sequence[bytes]:
        """The part of a path to the root that ``prove`` takes for the next entry."""
        start, end, _ = self._part(index)
        return path[: len(_sides(index - start, end - start - 1))]

    def _part(self, index: int) -> tuple[int, int, bytes]:
        if not 0 <= index < self._size:
            raise VerificationError(
                "inclusion", f"entry {index} is not in a tree of size {self._size}"
            )
        if index <= self._after:
            raise VerificationError("format", "the entries do not come by ascending index")
        while self._ahead[-1][1] <= index:
            self._ahead.pop()
        return self._ahead[-1]


def verify_consistency(
    *, old_size: int, new_size: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes
) -> None:
    """Returns if the tree of ``old_size`` is a prefix of the tree of ``new_size``.

    An empty old tree is a prefix of everything and proves nothing, so it is refused.
    Raises VerificationError(``consistency``).
    """
    if not 0 < old_size <= new_size:
        raise VerificationError("consistency", f"no proof leads from {old_size} to {new_size}")
    if old_size == new_size:
        if proof or old_root != new_root:
            raise VerificationError("consistency", "two trees of one size with different roots")
        return
    _check_hashes("consistency", [old_root, new_root, *proof])
    if not proof:
        raise VerificationError("consistency", "the proof is empty")
    # A complete old tree is itself a node of the new one, and the proof leaves it out.
    seed, *rest = list(proof) if old_size & (old_size - 1) else [old_root, *proof]
    position, last = old_size - 1, new_size - 1
    while position & 1:
        position >>= 1
        last >>= 1
    old = new = seed
    for sibling, stands_left in _path("consistency", position, last, rest):
        if stands_left:
            old = node_hash(sibling, old)
            new = node_hash(sibling, new)
        else:
            new = node_hash(new, sibling)
    if old != old_root:
        raise VerificationError("consistency", "the proof does not lead to the old root")
    if new != new_root:
        raise VerificationError("consistency", "the proof does not lead to the new root")


def _path(
    obligation: str, position: int, last: int, proof: Sequence[bytes]
) -> list[tuple[bytes, bool]]:
    """Each sibling on the way up from ``position``, and whether it stands on the left."""
    sides = _sides(position, last)
    if len(proof) != len(sides):
        raise VerificationError(
            obligation, f"the proof has {len(proof)} hashes where its path has {len(sides)}"
        )
    return list(zip(proof, sides, strict=True))


def _sides(position: int, last: int) -> list[bool]:
    """For each sibling on the way up, whether it stands on the left.

    ``last`` is the last position of the level. The way fixes the number of siblings.
    """
    sides: list[bool] = []
    while last:
        stands_left = bool(position & 1) or position == last
        sides.append(stands_left)
        if stands_left:
            while position and not position & 1:  # alone on these levels: no sibling there
                position >>= 1
                last >>= 1
        position >>= 1
        last >>= 1
    return sides


def _check_hashes(obligation: str, hashes: Iterable[bytes]) -> None:
    # Hashes of other lengths could be joined into the same node by cutting elsewhere.
    if any(len(value) != HASH_SIZE for value in hashes):
        raise VerificationError(obligation, f"a hash is not {HASH_SIZE} bytes long")
