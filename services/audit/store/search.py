"""The search for entries: by facets, time and producer, in the order of the log, in bounded work.

The log is searched in windows, whose width follows from what is found in them: many segments where
that is little, a bundle where every entry is under what is asked for. In a window the rarest facet
leads; the others are looked at in the bundles that are left, and an entry's own row at last. So
what one person did with an outcome that every second entry has is found as fast as what that
person did.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from struct import unpack
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from services.audit.domain.entry import Facet
from services.audit.domain.ports import Filter
from services.audit.store.tables import (
    BUNDLE_BITS,
    SEGMENT_BITS,
    STRETCH_BITS,
    entries,
    stretches,
)

_WORK = 16_384  # rows that one search reads, about: tens of milliseconds
_CHUNK = 1_024  # rows that one statement reads, unless its window is the narrowest
_SEEK = 16  # what a look into a segment costs, in rows
_IN_A_ROW = 64  # places that cost as much as a row to come by
_PAGE = 500  # entries that one statement is asked for
_STRETCHES = 4_096  # that one statement gives
_FEW = 64  # entries whose bundles are looked at one by one
_RARE = frozenset({Facet.TRACE, Facet.CONTRACT, Facet.PERSON})
_NARROWEST, _WIDEST = 1 << BUNDLE_BITS, 256 << SEGMENT_BITS  # entries
_COUNT = "COUNT(*), COALESCE(SUM(length(places)), 0)"
_BEYOND = b"\xff" * 3  # what no row begins with, and all come before

Range = tuple[int, bytes, bytes]
"""A segment, and the places in it, in bytes, from which and before which rows begin."""


def indexes(rows: Iterable[tuple[int, bytes]]) -> set[int]:
    """Return the entries that stand in rows of a segment and places."""
    packed = defaultdict[int, list[bytes]](list)
    for segment, places in rows:
        packed[segment].append(places)
    found = set[int]()
    for segment, each in packed.items():
        joined = b"".join(each)
        base = segment << SEGMENT_BITS
        found.update(map(base.__add__, unpack(f">{len(joined) // 2}H", joined)))
    return found


class Search:
    """One search. After `run`, `found` are the indexes, and `more` is where to look on."""

    def __init__(self, tx: Connection, wanted: Filter, *, newest_first: bool, limit: int) -> None:
        self._tx = tx
        self._wanted = wanted
        self._newest_first = newest_first
        self._limit = limit
        self._work = 0
        self._width = 1 << STRETCH_BITS if _RARE.isdisjoint(wanted.facets) else _WIDEST
        self.found: list[int] = []
        self.more: int | None = None

    def run(self, after: int | None) -> None:
        """Look beyond index `after`, or from the beginning, until enough is found or done."""
        newest = self._tx.execute(select(func.max(entries.c.log_index))).scalar()
        size = 0 if newest is None else newest + 1
        low, high = (0, size) if after is None else (after + 1, size)
        if self._newest_first:
            low, high = 0, size if after is None else min(after, size)
        for begin, end in self._in_time(low, high):
            for reached in self._look(begin, end):
                if len(self.found) > self._limit:
                    del self.found[self._limit :]
                    self.more = self.found[-1]
                    return
                if self._work >= _WORK:
                    self.more = reached
                    return

    def _in_time(self, low: int, high: int) -> Iterator[tuple[int, int]]:
        """Give, in order, the ranges of [low, high) in which something happened in time."""
        wanted = self._wanted
        if wanted.start_time is None and wanted.end_time is None:
            yield low, high
            return
        full = self._tx.execute(select(func.max(stretches.c.number))).scalar()
        tail = 0 if full is None else (full + 1) << STRETCH_BITS  # what no full stretch holds yet
        if self._newest_first and tail < high:
            yield max(low, tail), high
        begin, end = low, min(high, tail)
        while begin < end:
            numbers = self._stretches(begin >> STRETCH_BITS, (end - 1) >> STRETCH_BITS)
            for first, last in _runs(numbers):
                yield max(begin, first << STRETCH_BITS), min(end, (last + 1) << STRETCH_BITS)
            if len(numbers) < _STRETCHES:
                break
            if self._newest_first:
                end = numbers[-1] << STRETCH_BITS
            else:
                begin = (numbers[-1] + 1) << STRETCH_BITS
        if not self._newest_first and tail < high:
            yield max(low, tail), high

    def _stretches(self, first: int, last: int) -> Sequence[int]:
        """Return, in order, the numbers of the next stretches in which something was in time."""
        wanted, number = self._wanted, stretches.c.number
        query = select(number).where(number >= first, number <= last)
        if wanted.start_time is not None:
            query = query.where(stretches.c.latest >= wanted.start_time)
        if wanted.end_time is not None:
            query = query.where(stretches.c.earliest < wanted.end_time)
        numbers = self._tx.execute(query.order_by(self._order(number)).limit(_STRETCHES))
        self._work += _SEEK
        return numbers.scalars().all()

    def _look(self, low: int, high: int) -> Iterator[int]:
        """Search [low, high) piece by piece; give each time the index up to which it went."""
        while low < high:
            begin = max(low, high - self._width) if self._newest_first else low
            end = high if self._newest_first else min(high, low + self._width)
            if not self._wanted.facets:
                self._scan(begin, end)
            elif (matching := self._matching(begin, end)) is None:
                self._width = max(self._width >> 3, _NARROWEST)
                continue
            else:
                yield from self._choose(matching)
                self._width = min(self._width << 2, _WIDEST)
            if self._newest_first:
                high = begin
                yield begin
            else:
                low = end
                yield end - 1

    def _scan(self, begin: int, end: int) -> None:
        """Look at the entries one by one."""
        index, room = entries.c.log_index, self._limit + 1 - len(self.found)
        query = select(index).where(index >= begin, index < end, *self._of_entry())
        found = self._tx.execute(query.order_by(self._order(index)).limit(room)).scalars().all()
        self.found += found
        self._work += _SEEK + (len(found) if len(found) == room else end - begin)

    def _choose(self, matching: Sequence[int]) -> Iterator[int]:
        """Take those whose own rows are as wanted; give each time the last one looked at."""
        asked = self._of_entry()
        if not asked:
            self.found += matching
            return
        index = entries.c.log_index
        for at in range(0, len(matching), _PAGE):
            page = matching[at : at + _PAGE]
            query = select(index).where(index.in_(page), *asked).order_by(self._order(index))
            self.found += self._tx.execute(query).scalars()
            self._work += _SEEK + len(page)
            yield page[-1]

    def _matching(self, begin: int, end: int) -> Sequence[int] | None:
        """Return, in order, what stands in [begin, end) under all facets; None if it is too much.

        It is never too much in the narrowest window.
        """
        wanted = self._wanted.facets
        wide = end - begin > _NARROWEST
        most = _CHUNK if wide else _NARROWEST * _CHUNK
        where, order = list(_ranges(begin, end)), sorted(wanted)
        if len(order) > 1:
            counts = {facet: self._rows(_COUNT, facet, where, most)[0] for facet in order}
            order.sort(key=lambda facet: (counts[facet][0] == most, counts[facet][1]))
            self._work += sum(count for count, _ in counts.values()) // _SEEK
        found: set[int] | None = None
        for facet in order:
            rows = self._rows("segment, places", facet, where, most)
            if wide and len(rows) == most:
                return None
            under = indexes(rows)
            self._work += len(under) // _IN_A_ROW
            found = under if found is None else found & under
            if not found:
                return ()
            if len(found) <= _FEW:
                bundles = sorted({index & -_NARROWEST for index in found})
                where = [one for base in bundles for one in _ranges(base, base + _NARROWEST)]
        ordered = sorted(found or ())
        ordered = ordered[bisect_left(ordered, begin) : bisect_left(ordered, end)]
        return ordered[::-1] if self._newest_first else ordered

    def _rows(self, columns: str, facet: Facet, where: Sequence[Range], most: int) -> Sequence[Any]:
        """Return the rows under a facet in ranges of places, or what they come to."""
        keys = sorted(self._wanted.facets[facet])
        mark = "%s" if self._tx.dialect.name == "postgresql" else "?"
        ranges = ", ".join([f"({mark}, {mark}, {mark})"] * len(where))
        of_keys = ", ".join([mark] * len(keys))
        statement = (
            f"SELECT {columns} FROM (SELECT segment, places"  # noqa: S608  our own names
            f" FROM (VALUES {ranges}) AS wanted CROSS JOIN postings"
            " WHERE segment = column1 AND places >= column2 AND places < column3"
            f" AND facet = {mark} AND key IN ({of_keys}) LIMIT {mark}) AS found"
        )
        values = (*chain.from_iterable(where), int(facet), *keys, most)
        rows = self._tx.exec_driver_sql(statement, values).all()
        self._work += _SEEK + len(where) * len(keys) + len(rows)
        return rows

    def _of_entry(self) -> list[ColumnElement[bool]]:
        """Return what is wanted of an entry's own row."""
        wanted, asked = self._wanted, []
        if wanted.producer is not None:
            asked.append(entries.c.producer == wanted.producer)
        if wanted.start_time is not None:
            asked.append(entries.c.event_time >= wanted.start_time)
        if wanted.end_time is not None:
            asked.append(entries.c.event_time < wanted.end_time)
        return asked

    def _order(self, column: ColumnElement[int]) -> ColumnElement[int]:
        return column.desc() if self._newest_first else column.asc()


def _ranges(begin: int, end: int) -> Iterator[Range]:
    """Give for each segment where the rows begin that hold places of [begin, end)."""
    for segment in range(begin >> SEGMENT_BITS, (end - 1 >> SEGMENT_BITS) + 1):
        base = segment << SEGMENT_BITS
        first = max(begin - base, 0) >> BUNDLE_BITS << BUNDLE_BITS
        beyond = end - base
        upper = _BEYOND if beyond >> SEGMENT_BITS else beyond.to_bytes(2)
        yield segment, first.to_bytes(2), upper


def _runs(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Join numbers that follow one another, up or down, to (lowest, highest)."""
    at = 0
    for place in range(1, len(numbers) + 1):
        if place == len(numbers) or abs(numbers[place] - numbers[place - 1]) > 1:
            ends = numbers[at], numbers[place - 1]
            yield min(ends), max(ends)
            at = place
