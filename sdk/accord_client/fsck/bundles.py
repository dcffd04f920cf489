"""The work of a check that is done for every entry: bundles of 256, each by itself.

A bundle is read from a store, its entries are hashed and parsed, and what is left of them is small:
hashes of the tree, and what does not fit. So bundles are checked by several processes at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from accord.audit.v1.log_entry_pb2 import LogEntry

from accord_client.entry import parse_entry
from accord_client.failure import VerificationError
from accord_client.merkle import HASH_SIZE, root_of

WIDTH = 256


@dataclass
class Stored:
    """What a store has in the place of a bundle.

    An entry that is missing is ``None``, and what cannot be read at all is empty. ``hashes`` are
    the leaf hashes that it keeps beside the entries; ``faults`` (where, what).
    """

    leaves: Sequence[bytes | None] = ()
    hashes: bytes = b""
    faults: list[tuple[str, str]] = field(default_factory=list)


class Store(Protocol):
    """Where a log is kept. Handed to several processes, each of which opens it for itself."""

    def bundle(self, number: int, width: int) -> Stored:
        """The entries from ``number`` · 256 on, ``width`` of them."""
        ...

    def name_entry(self, index: int) -> str:
        """What an entry is called in a finding."""
        ...

    def name_hash(self, index: int) -> str:
        """What the leaf hash of an entry is called in a finding."""
        ...

    def look(self, index: int, entry: LogEntry, faults: list[tuple[str, str]]) -> int:
        """Holds what else the store says of an entry of the last bundle against its bytes.

        Returns what the entry adds to the sum of its bundle.
        """
        ...


@dataclass
class Run:
    """Consecutive entries of one producer, as far as one process saw them."""

    first_index: int
    first: int
    last: int


@dataclass
class Bundle:
    """What is left of a bundle.

    ``by_leaf`` and ``by_hash`` are its Merkle tree hashes by the bytes of the entries and by the
    leaf hashes that are stored, ``None`` if neither is whole; ``tails`` the same of its beginnings,
    by the size of the log that ends there. ``differing`` are the entries whose two hashes differ,
    ``total`` is the sum of what ``Store.look`` made of each.
    """

    number: int
    width: int
    entries: int = 0
    by_leaf: bytes | None = None
    by_hash: bytes | None = None
    tails: dict[int, tuple[bytes, bytes]] = field(default_factory=dict)
    differing: list[int] = field(default_factory=list)
    total: int = 0
    runs: dict[str, Run] = field(default_factory=dict)
    faults: list[tuple[str, str]] = field(default_factory=list)


Part = tuple[Sequence[tuple[int, int]], Sequence[int]]
"""Bundles, as (number, width), and the sizes within them that statements are about."""


def check_bundles(store: Store, part: Part) -> list[Bundle]:
    """Checks bundles, and makes the hashes that statements are about."""
    wanted, sizes = part
    ends: dict[int, list[int]] = {}
    for size in sizes:
        if size % WIDTH:
            ends.setdefault(size // WIDTH, []).append(size)
    return [_check(store, number, width, ends.get(number, ())) for number, width in wanted]


def _check(store: Store, number: int, width: int, ends: Sequence[int]) -> Bundle:
    stored = store.bundle(number, width)
    result = Bundle(number, width, faults=stored.faults)
    start = number * WIDTH
    leaves = [leaf for leaf in stored.leaves if leaf is not None]
    digests = [hashlib.sha256(b"\x00" + leaf).digest() for leaf in leaves]
    result.entries = len(digests)
    _parse(store, start, stored.leaves, result)
    hashes, kept = b"".join(digests), stored.hashes
    whole = len(digests) == width
    if whole and not kept:
        kept = hashes
    elif not whole and kept:
        hashes = kept  # the missing is named; the tree is held together by what is there
    if not kept:
        return result
    if hashes != kept:
        result.differing = [
            start + place for place in range(width) if _at(hashes, place) != _at(kept, place)
        ]
    result.by_leaf = result.by_hash = tree_root(hashes)
    result.tails = dict.fromkeys(ends, (b"", b""))
    for size in ends:
        tail = hashes[: (size - start) * HASH_SIZE]
        result.tails[size] = (tree_root(tail), tree_root(tail))
    if result.differing:
        result.by_hash = tree_root(kept)
        for size in ends:
            tail = kept[: (size - start) * HASH_SIZE]
            result.tails[size] = (result.tails[size][0], tree_root(tail))
    return result


def _parse(store: Store, start: int, leaves: Sequence[bytes | None], result: Bundle) -> None:
    """Reads each entry, and follows its producer's numbers."""
    runs, faults = result.runs, result.faults
    for index, leaf in enumerate(leaves, start):
        if leaf is None:
            continue
        try:
            entry = parse_entry(leaf)
        except VerificationError as error:
            faults.append((store.name_entry(index), str(error)))
            continue
        producer, sequence = entry.producer, entry.sequence
        run = runs.get(producer)
        if run is None:
            runs[producer] = Run(index, sequence, sequence)
        else:
            if sequence != run.last + 1:
                faults.append((store.name_entry(index), out_of_order(producer, sequence, run.last)))
            run.last = sequence
        result.total += store.look(index, entry, faults)


def out_of_order(producer: str, sequence: int, last: int) -> str:
    """Says that a producer's number is not the one that must follow."""
    return f"producer {producer} is at number {sequence}, expected {last + 1}"


def _at(hashes: bytes, place: int) -> bytes:
    return hashes[place * HASH_SIZE : (place + 1) * HASH_SIZE]


def tree_root(hashes: bytes) -> bytes:
    """The Merkle tree hash over leaf hashes that stand one behind the other."""
    row, size = hashes, len(hashes) // HASH_SIZE
    if size & (size - 1):
        return root_of(_at(hashes, place) for place in range(size))
    # A complete tree, level by level: two neighbours are one slice.
    sha256, pair = hashlib.sha256, 2 * HASH_SIZE
    while len(row) > HASH_SIZE:
        row = b"".join(
            [sha256(b"\x01" + row[at : at + pair]).digest() for at in range(0, len(row), pair)]
        )
    return row
