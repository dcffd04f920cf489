"""The search for entries: by facets, time and producer, in the order of the log, in bounded work.

Every facet has its own rows in each segment. The one with the fewest leads: its rows are read in
order, a chunk at a time, and each is looked up under the other facets. So what one person did with
an outcome that every second entry has is found as fast as what that person did.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, FromClause, and_, exists, func, literal, select

from services.audit.domain.entry import Facet
from services.audit.domain.ports import Filter
from services.audit.store.tables import (
    SEGMENT_BITS,
    STRETCH_BITS,
    entries,
    postings,
    stretches,
)

_WORK = 16_384  # rows that one search reads, about: tens of milliseconds
_CHUNK = 2_048  # rows that one statement reads
_LEAST_CHUNK = 64
_SEEK = 16  # what a look into a segment costs, in rows
_STRETCHES = 4_096  # that one statement gives


@dataclass(frozen=True, slots=True)
class _Part:
    """The entries [begin, end) of one segment."""

    segment: int
    begin: int
    end: int


class Search:
    """One search. After `run`, `found` are the indexes, and `more` is where to look on."""

    def __init__(self, tx: Connection, wanted: Filter, *, newest_first: bool, limit: int) -> None:
        self._tx = tx
        self._wanted = wanted
        self._newest_first = newest_first
        self._limit = limit
        self._work = 0
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
        bits = SEGMENT_BITS if self._wanted.facets else STRETCH_BITS
        pieces: Sequence[int] = range(low >> bits, ((high - 1) >> bits) + 1)
        for piece in reversed(pieces) if self._newest_first else pieces:
            begin, end = max(low, piece << bits), min(high, (piece + 1) << bits)
            if self._wanted.facets:
                yield from self._segment(_Part(piece, begin, end))
            else:
                self._scan(begin, end)
            yield begin if self._newest_first else end - 1

    def _scan(self, begin: int, end: int) -> None:
        """Look at the entries of [begin, end) one by one."""
        index, room = entries.c.log_index, self._room
        query = select(index).where(*_within(index, begin, end), *self._of_entry())
        found = self._tx.execute(query.order_by(self._order(index)).limit(room)).scalars().all()
        self.found += found
        self._work += _SEEK + (len(found) if len(found) == room else end - begin)

    def _segment(self, part: _Part) -> Iterator[int]:
        """Search a part of a segment, in chunks of the rows of its rarest facet."""
        facet = self._rarest(part)
        if facet is None:
            return
        keys = sorted(self._wanted.facets[facet])
        while part.begin < part.end:
            most = max(self._chunk_size // len(keys), _LEAST_CHUNK)
            chunks = [self._chunk(part, facet, key, most) for key in keys]
            holding = {index for chunk in chunks for index, holds in chunk if holds}
            # Where a chunk is full its key has more rows: what lies beyond is for the next turn.
            ends = [chunk[-1][0] for chunk in chunks if len(chunk) == most]
            if self._newest_first:
                reached = max(ends, default=part.begin)
                self.found += sorted((at for at in holding if at >= reached), reverse=True)
                part = _Part(part.segment, part.begin, reached)
            else:
                reached = min(ends, default=part.end - 1)
                self.found += sorted(at for at in holding if at <= reached)
                part = _Part(part.segment, reached + 1, part.end)
            yield reached

    def _rarest(self, part: _Part) -> Facet | None:
        """Tell which facet has the fewest rows here; None when one has none at all."""
        facets = sorted(self._wanted.facets)
        if len(facets) == 1:
            return facets[0]
        counts = {}
        for facet in facets:
            rows = select(literal(1)).where(*self._under(postings, part.segment, facet))
            rows = rows.where(*_within(postings.c.log_index, part.begin, part.end))
            # Further than that counting costs more than it spares.
            count = select(func.count()).select_from(rows.limit(_CHUNK).subquery())
            counts[facet] = self._tx.execute(count).scalar_one()
            self._work += _SEEK + counts[facet] // _SEEK
            if not counts[facet]:
                return None
        return min(facets, key=lambda facet: counts[facet])

    def _chunk(
        self, part: _Part, facet: Facet, key: bytes, most: int
    ) -> Sequence[tuple[int, bool]]:
        """Return one key's next rows: the index, and whether all else that is wanted holds."""
        index = postings.c.log_index
        lead = (
            select(index)
            .where(postings.c.segment == part.segment, postings.c.facet == int(facet))
            .where(postings.c.key == key, *_within(index, part.begin, part.end))
            .order_by(self._order(index))
            .limit(most)
            .subquery()
        )
        here = lead.c.log_index
        holds = []
        for each in self._wanted.facets:
            if each != facet:
                other = postings.alias()
                under = self._under(other, part.segment, each)
                holds.append(exists().where(*under, other.c.log_index == here))
        if asked := self._of_entry():
            holds.append(exists().where(entries.c.log_index == here, *asked))
        query = select(here, and_(literal(1) == 1, *holds)).order_by(self._order(here))
        rows = [(index, bool(all_hold)) for index, all_hold in self._tx.execute(query)]
        self._work += _SEEK + len(rows)
        return rows

    def _under(
        self, rows: FromClause, segment: int, facet: Facet
    ) -> tuple[ColumnElement[bool], ...]:
        """Return the condition of rows that say: found under this facet, as wanted."""
        keys = sorted(self._wanted.facets[facet])
        return rows.c.segment == segment, rows.c.facet == int(facet), rows.c.key.in_(keys)

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

    @property
    def _room(self) -> int:
        """Return how many to find yet: one more than was asked for shows that there is more."""
        return self._limit + 1 - len(self.found)

    @property
    def _chunk_size(self) -> int:
        """Return how many rows to read at once: where each of them holds, as many as are wanted."""
        alone = len(self._wanted.facets) == 1 and not self._of_entry()
        return min(self._room, _CHUNK) if alone else _CHUNK


def _within(column: ColumnElement[int], begin: int, end: int) -> tuple[ColumnElement[bool], ...]:
    return column >= begin, column < end


def _runs(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Join numbers that follow one another, up or down, to (lowest, highest)."""
    at = 0
    for place in range(1, len(numbers) + 1):
        if place == len(numbers) or abs(numbers[place] - numbers[place - 1]) > 1:
            ends = numbers[at], numbers[place - 1]
            yield min(ends), max(ends)
            at = place
