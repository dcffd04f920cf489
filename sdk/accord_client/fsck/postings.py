"""Whether an index says what the entries say, without holding either in memory.

Entry after entry, what it must be found under is added up, in one number for each bundle of
entries; row after row of the index, so is what it is found under. Each summand is a hash under a
key made for this one check, so that equal sums mean equal rows, whoever wrote them. Only of bundles
that differ the rows themselves are compared, and named.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from accord.audit.v1.log_entry_pb2 import LogEntry

from accord_client.entry import parse_entry, postings_of
from accord_client.failure import VerificationError
from accord_client.fsck.bundles import WIDTH
from accord_client.fsck.report import Report
from accord_client.fsck.rows import Database, UnreadableError

Posting = tuple[int, bytes, int]
"""Facet, key, index of the entry."""

_SEGMENT_BITS = 16
_MOST_BYTES = 2 * WIDTH  # of a row's places, which are all of one bundle
_MOST_BUNDLES = 64  # whose rows are compared one by one


class Tally:
    """Adds up postings; a copy in another process comes to the same numbers."""

    def __init__(self) -> None:
        self._key = os.urandom(32)

    def of(self, index: int, entry: LogEntry) -> int:
        """What one entry adds."""
        return sum(self.one((facet, key, index)) for facet, key in postings_of(entry))

    def one(self, posting: Posting) -> int:
        """What one posting adds."""
        facet, key, index = posting
        data = facet.to_bytes(8, signed=True) + index.to_bytes(16, signed=True) + key
        return int.from_bytes(hashlib.blake2b(data, digest_size=16, key=self._key).digest())


class Postings:
    """The table of postings, against what the entries call for: ``expected``, by bundle."""

    def __init__(self, database: Database, report: Report) -> None:
        self._database = database
        self._report = report
        self.tally = Tally()
        self.expected: list[int] = []

    def compare(self) -> None:
        """Reads the whole table, and names what differs."""
        found: dict[int, int] = {}
        try:
            for posting in self._rows(named=True):
                self._report.postings += 1
                bundle = posting[2] // WIDTH
                found[bundle] = found.get(bundle, 0) + self.tally.one(posting)
            differing = {
                bundle
                for bundle in found.keys() | range(len(self.expected))
                if found.get(bundle, 0) != self._expected(bundle)
            }
            if differing:
                self._name(sorted(differing))
        except UnreadableError as error:
            self._report.add("postings", str(error))

    def _expected(self, bundle: int) -> int:
        return self.expected[bundle] if 0 <= bundle < len(self.expected) else 0

    def _name(self, differing: list[int]) -> None:
        if len(differing) > _MOST_BUNDLES:
            what = f"differ in {len(differing)} bundles of entries; those of {_MOST_BUNDLES} follow"
            self._report.add("postings", what)
        named = set(differing[:_MOST_BUNDLES])
        wanted = Counter(posting for bundle in named for posting in self._called_for(bundle))
        kept = Counter(posting for posting in self._rows() if posting[2] // WIDTH in named)
        for missing in sorted(wanted - kept, key=_order):
            self._report.add(_name(missing), "is missing")
        for foreign in sorted(kept - wanted, key=_order):
            what = "is there twice" if foreign in wanted else "the entry does not say it"
            self._report.add(_name(foreign), what)

    def _called_for(self, bundle: int) -> Iterator[Posting]:
        start = bundle * WIDTH
        rows = self._database.rows(
            "SELECT log_index, leaf FROM entries "  # noqa: S608 -- numbers alone
            f"WHERE log_index BETWEEN {start} AND {start + WIDTH - 1}"
        )
        for index, leaf in rows:
            try:
                entry = parse_entry(leaf)
            except (VerificationError, TypeError):
                continue  # named with the entry
            for facet, key in postings_of(entry):
                yield facet, key, index

    def _rows(self, *, named: bool = False) -> Iterator[Posting]:
        for segment, facet, key, places in self._database.rows(
            "SELECT segment, facet, key, places FROM postings"
        ):
            if not (isinstance(segment, int) and isinstance(facet, int) and isinstance(key, bytes)):
                found = None
            else:
                found = _unpacked(places)
            if found is not None:
                for place in found:
                    yield facet, key, (segment << _SEGMENT_BITS) + place
            elif named:
                self._report.add("postings", f"a row holds what is none: {segment!r:.20}")


def _unpacked(places: object) -> tuple[int, ...] | None:
    """The places that a row holds, ascending and of one bundle; None if they are none."""
    if not isinstance(places, bytes) or len(places) % 2 or not 0 < len(places) <= _MOST_BYTES:
        return None
    found = struct.unpack(f">{len(places) // 2}H", places)
    if found[0] // WIDTH != found[-1] // WIDTH or any(a >= b for a, b in pairwise(found)):
        return None
    return found


def _order(posting: Posting) -> tuple[int, int, bytes]:
    facet, key, index = posting
    return index, facet, key


def _name(posting: Posting) -> str:
    facet, key, index = posting
    return f"postings, {facet}/{key.hex()}/{index}"
