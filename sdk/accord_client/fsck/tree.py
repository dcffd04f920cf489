"""The tree of a log, put together from its bundles, and held against what was signed.

Where the bytes of an entry and its stored hash differ, two trees are carried on: the one that leads
to a signed root shows which of the two was altered.
"""

from __future__ import annotations

from collections.abc import Callable

from accord_client.fsck.bundles import WIDTH, Bundle, Store, out_of_order, tree_root
from accord_client.fsck.report import Report
from accord_client.fsck.statements import Statements
from accord_client.merkle import EMPTY_ROOT, HASH_SIZE, CompactRange, node_hash

ReadTile = Callable[[int, int, int], bytes | None]
"""Reads the tile of a level, number and width; names itself what it cannot read."""

Pair = tuple[bytes, bytes]  # by the entries, by the stored hashes
_LEAF = 0  # the place of the first in a pair


class TreeCheck:
    """Takes all bundles of a log in order."""

    def __init__(
        self,
        store: Store,
        report: Report,
        statements: Statements,
        read_tile: ReadTile,
        name_tile: Callable[[int, int], str],
    ) -> None:
        self._store = store
        self._report = report
        self._statements = statements
        self._read_tile = read_tile
        self._name_tile = name_tile
        self._by_leaf: CompactRange | None = CompactRange()  # None once something is missing
        self._by_hash = CompactRange()
        self._differing: list[int] = []
        self._rows: list[list[Pair | None]] = []  # of each level from 1 on: its unfinished tile
        self._numbers: list[int] = []  # and that tile's number
        self._followed: set[str] | None = None  # producers seen since something was missing
        self._matched = 0  # the largest size whose root was found right
        for root, where in statements.of(0):
            if root != EMPTY_ROOT:
                report.add(where, "states a root of the empty log that is not its root")

    def add(self, bundle: Bundle) -> None:
        """Takes the next bundle."""
        report = self._report
        report.entries += bundle.entries
        for where, what in bundle.faults:
            report.add(where, what)
        self._follow(bundle)
        self._differing += bundle.differing
        start, full = bundle.number * WIDTH, bundle.width == WIDTH
        if bundle.by_leaf is None or bundle.by_hash is None:
            self._by_leaf = None
        right: int | None = None  # which of a pair is, once a signed root within has decided
        for size in sorted(bundle.tails):
            decided = self._compare(size, bundle.tails[size])
            right = right if decided is None else decided
        if not full:
            return
        pair = None
        if bundle.by_leaf is not None and bundle.by_hash is not None:
            pair = (bundle.by_leaf, bundle.by_hash)
            if right is not None and not self._differing:
                pair = (pair[right], pair[right])
            if self._by_leaf is not None:
                self._by_leaf.append(pair[0])
                self._by_hash.append(pair[1])
            self._compare(start + WIDTH, None)
        self._put(1, bundle.number, pair)

    def end(self) -> None:
        """Names what no signature decided, and checks the unfinished tiles."""
        for index in self._differing:
            what = f"and {self._store.name_hash(index)} differ; no signature says which is right"
            self._report.add(self._store.name_entry(index), what)
        self._differing.clear()
        for level, row in enumerate(self._rows, 1):
            if row:
                self._check_tile(level, self._numbers[level - 1], row)

    def _follow(self, bundle: Bundle) -> None:
        """Each producer's numbers, over the edges of bundles.

        Behind entries that are missing, which is named, a producer may go on with any later number.
        """
        known = self._report.producers
        for producer, run in bundle.runs.items():
            last = known.get(producer, 0)
            followed = self._followed is None or producer in self._followed
            if self._followed is not None:
                self._followed.add(producer)
            if run.first <= last or (followed and run.first != last + 1):
                self._report.add(
                    self._store.name_entry(run.first_index),
                    out_of_order(producer, run.first, last),
                )
            known[producer] = run.last
        if bundle.entries < bundle.width:
            self._followed = set()

    def _compare(self, size: int, tail: Pair | None) -> int | None:
        """Holds the tree of ``size`` against what was signed; returns which of a pair is right.

        ``None`` if both are, or neither.
        """
        decided = None
        for root, where in self._statements.of(size):
            if self._by_leaf is None:
                continue  # what is missing is named
            by_leaf, by_hash = self._by_leaf.peaks, self._by_hash.peaks
            if tail is not None:
                by_leaf, by_hash = [*by_leaf, tail[0]], [*by_hash, tail[1]]
            roots = (_fold(by_leaf), _fold(by_hash))
            if root in roots:
                self._matched = max(self._matched, size)
                if roots[0] != roots[1]:
                    decided = roots.index(root)
                    self._decide(decided, size)
            else:
                self._report.add(
                    where,
                    f"the {size} entries do not lead to the root that it states; the last root "
                    f"that they lead to is that of {self._matched} entries",
                )
        return decided

    def _decide(self, right: int, size: int) -> None:
        """Names what was altered, now that a signed root says which of the two trees is right."""
        for index in self._differing:
            if index >= size:
                continue
            if right == _LEAF:
                where = self._store.name_hash(index)
                self._report.add(where, "is not the hash of the entry, which the log signed")
            else:
                self._report.add(self._store.name_entry(index), "is not what the log signed")
        self._differing = [index for index in self._differing if index >= size]
        if self._by_leaf is not None:  # the signed one is what both go on from
            if right == _LEAF:
                self._by_hash = self._by_leaf.copy()
            else:
                self._by_leaf = self._by_hash.copy()

    def _put(self, level: int, number: int, pair: Pair | None) -> None:
        """Puts the hash of a full tile into the tile above it."""
        if len(self._rows) < level:
            self._rows.append([])
            self._numbers.append(0)
        row = self._rows[level - 1]
        row.append(pair)
        self._numbers[level - 1] = number // WIDTH
        if len(row) == WIDTH:
            self._check_tile(level, number // WIDTH, row)
            above = None
            if all(row):
                whole = [one for one in row if one is not None]
                firsts = b"".join([one[0] for one in whole])
                seconds = b"".join([one[1] for one in whole])
                root = tree_root(firsts)
                above = (root, root if firsts == seconds else tree_root(seconds))
            self._rows[level - 1] = []
            self._put(level + 1, number // WIDTH, above)

    def _check_tile(self, level: int, number: int, row: list[Pair | None]) -> None:
        stored = self._read_tile(level, number, len(row))
        if stored is None:
            return
        self._report.tiles += 1
        for place, pair in enumerate(row):
            found = stored[place * HASH_SIZE : (place + 1) * HASH_SIZE]
            if pair is not None and found not in pair:
                below = self._name_tile(level - 1, number * WIDTH + place)
                self._report.add(
                    self._name_tile(level, number), f"hash {place} is not that of {below}"
                )


def _fold(peaks: list[bytes]) -> bytes:
    root = peaks[-1] if peaks else EMPTY_ROOT
    for peak in reversed(peaks[:-1]):
        root = node_hash(peak, root)
    return root
