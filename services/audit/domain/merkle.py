"""The Merkle tree of RFC 6962 §2.1: hashes, and which of them a proof consists of."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

HASH_SIZE = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()


@dataclass(frozen=True, slots=True, order=True)
class Node:
    """A complete subtree: it covers the leaves [index · 2^height, (index + 1) · 2^height)."""

    height: int
    index: int


@dataclass(frozen=True, slots=True)
class Span:
    """The leaves [start, end) of a subtree that occurs in some tree of the log, complete or not."""

    start: int
    end: int

    def nodes(self) -> list[Node]:
        """Return the complete subtrees that make it up, from left to right."""
        found = []
        start = self.start
        while start < self.end:
            height = (self.end - start).bit_length() - 1
            found.append(Node(height, start >> height))
            start += 1 << height
        return found

    def hash(self, nodes: Mapping[Node, bytes]) -> bytes:
        """Return its Merkle tree hash from the hashes of its nodes."""
        *left, accumulated = [nodes[node] for node in self.nodes()]
        for hash_ in reversed(left):
            accumulated = node_hash(hash_, accumulated)
        return accumulated


def leaf_hash(leaf: bytes) -> bytes:
    """Hash an entry's bytes; the prefix keeps leaves and nodes apart."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two children."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def tree_hash(hashes: Sequence[bytes]) -> bytes:
    """Return the Merkle tree hash over a row of equally high subtrees; the last may be lower."""
    if not hashes:
        return EMPTY_ROOT
    row = list(hashes)
    while len(row) > 1:
        # Pairing from the left and carrying an odd last one up is the split at the largest power
        # of two, read from below.
        paired = [node_hash(row[i], row[i + 1]) for i in range(0, len(row) - 1, 2)]
        row = paired + row[len(paired) * 2 :]
    return row[0]


class Frontier:
    """A tree that grows, of which the root is asked at many sizes: about 10 hashes each time."""

    def __init__(self) -> None:
        self._size = 0
        self._nodes: list[bytes] = []  # complete subtrees, from left to right

    @property
    def size(self) -> int:
        """Return the number of leaves."""
        return self._size

    def append(self, hash_: bytes, height: int = 0) -> None:
        """Add a complete subtree; the size is a multiple of its own."""
        left = self._size >> height
        while left & 1:
            hash_ = node_hash(self._nodes.pop(), hash_)
            left >>= 1
        self._nodes.append(hash_)
        self._size += 1 << height

    def root(self) -> bytes:
        """Return the Merkle tree hash of all leaves."""
        if not self._nodes:
            return EMPTY_ROOT
        *left, root = self._nodes
        for hash_ in reversed(left):
            root = node_hash(hash_, root)
        return root


def inclusion_spans(index: int, size: int) -> list[Span]:
    """Return what the audit path of leaf `index` in a tree of `size` hashes, leaf's sibling first.

    RFC 6962 §2.1.1. Requires 0 <= index < size.
    """
    start, end, path = 0, size, []
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(Span(middle, end))
            end = middle
        else:
            path.append(Span(start, middle))
            start = middle
    return path[::-1]


def consistency_spans(first: int, second: int) -> list[Span]:
    """Return what the consistency proof between two sizes hashes, in the order of RFC 6962 §2.1.2.

    Requires 1 <= first <= second.
    """
    start, end, path = 0, second, []
    while first != end:
        middle = start + _split(end - start)
        if first <= middle:
            path.append(Span(middle, end))
            end = middle
        else:
            path.append(Span(start, middle))
            start = middle
    if start > 0:  # a first tree that begins at 0 is known to the verifier: it holds its root
        path.append(Span(start, end))
    return path[::-1]


def _split(size: int) -> int:
    """Return the largest power of two below `size`."""
    return 1 << ((size - 1).bit_length() - 1)
