"""The search for entries: by facets, time and producer, in the order of the log, in bounded work.

Every facet has its own rows in each segment. The rarest leads: its rows are read, a chunk at a
time, and each is looked up under the other facets. So what one person did with an outcome that
every second entry has is found as fast as what that person did. A rare facet is looked for in many
segments at once; where it turns out to be frequent, in one after another.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, exists, func, literal, select

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
_TOGETHER_BITS = 6  # 64 segments are looked into at once
_RARITY = (
    Facet.TRACE,
    Facet.CONTRACT,
    Facet.PERSON,
    Facet.ACTOR,
    Facet.RECIPIENT,
    Facet.APP,
    Facet.OUTCOME,
    Facet.EVENT,
)


@dataclass(frozen=True, slots=True)
class _Part:
    """The entries [begin, end)."""

    begin: int
    end: int

    @property
    def segments(self) -> range:
        """Return the segments in which they lie."""
        return range(self.begin >> SEGMENT_BITS, (self.end - 1 >> SEGMENT_BITS) + 1)

    def halves(self) -> tuple["_Part", "_Part"]:
        """Divide it between two of its segments."""
        segments = self.segments
        middle = segments[len(segments) // 2] << SEGMENT_BITS
        return _Part(self.begin, middle), _Part(middle, self.end)


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
        bits = SEGMENT_BITS + _TOGETHER_BITS if self._wanted.facets else STRETCH_BITS
        pieces: Sequence[int] = range(low >> bits, ((high - 1) >> bits) + 1)
        for piece in reversed(pieces) if self._newest_first else pieces:
            part = _Part(max(low, piece << bits), min(high, (piece + 1) << bits))
            if part.begin < part.end and self._wanted.facets:
                yield from self._segments(part)
            elif part.begin < part.end:
                self._scan(part)
                yield part.begin if self._newest_first else part.end - 1

    def _scan(self, part: _Part) -> None:
        """Look at the entries one by one."""
        index, room = entries.c.log_index, self._room
        query = select(index).where(*_within(index, part), *self._of_entry())
        found = self._tx.execute(query.order_by(self._order(index)).limit(room)).scalars().all()
        self.found += found
        self._work += _SEEK + (len(found) if len(found) == room else part.end - part.begin)

    def _segments(self, part: _Part) -> Iterator[int]:
        """Search several segments, at once if that facet is rare which usually is the rarest."""
        if len(part.segments) == 1:
            yield from self._segment(part)
            return
        facet = min(self._wanted.facets, key=_RARITY.index)
        rows = self._rows(part, facet, sorted(self._wanted.facets[facet]), _CHUNK, ordered=False)
        if len(rows) < _CHUNK:
            self.found += sorted((at for at, holds in rows if holds), reverse=self._newest_first)
            yield part.begin if self._newest_first else part.end - 1
            return
        for half in part.halves()[:: -1 if self._newest_first else 1]:
            yield from self._segments(half)

    def _segment(self, part: _Part) -> Iterator[int]:
        """Search a part of a segment, in chunks of the rows of its rarest facet."""
        facet = self._rarest(part)
        if facet is None:
            yield part.begin if self._newest_first else part.end - 1
            return
        keys = sorted(self._wanted.facets[facet])
        while part.begin < part.end:
            most = max(self._chunk_size // len(keys), _LEAST_CHUNK)
            chunks = [self._rows(part, facet, [key], most) for key in keys]
            holding = {index for chunk in chunks for index, holds in chunk if holds}
            # Where a chunk is full its key has more rows: what lies beyond is for the next turn.
            ends = [chunk[-1][0] for chunk in chunks if len(chunk) == most]
            if self._newest_first:
                reached = max(ends, default=part.begin)
                self.found += sorted((at for at in holding if at >= reached), reverse=True)
                part = _Part(part.begin, reached)
            else:
                reached = min(ends, default=part.end - 1)
                self.found += sorted(at for at in holding if at <= reached)
                part = _Part(reached + 1, part.end)
            yield reached

    def _rarest(self, part: _Part) -> Facet | None:
        """Tell which facet has the fewest rows here; None when one has none at all."""
        facets = sorted(self._wanted.facets)
        if len(facets) == 1:
            return facets[0]
        counts = {}
        for facet in facets:
            rows = select(literal(1)).where(
                postings.c.segment.in_(part.segments),
                postings.c.facet == int(facet),
                postings.c.key.in_(sorted(self._wanted.facets[facet])),
                *_within(postings.c.log_index, part),
            )
            # Further than that counting costs more than it spares.
            count = select(func.count()).select_from(rows.limit(_CHUNK).subquery())
            counts[facet] = self._tx.execute(count).scalar_one()
            self._work += _SEEK + counts[facet] // _SEEK
            if not counts[facet]:
                return None
        return min(facets, key=lambda facet: counts[facet])

    def _rows(
        self, part: _Part, facet: Facet, keys: Sequence[bytes], most: int, *, ordered: bool = True
    ) -> Sequence[tuple[int, bool]]:
        """Return the next rows under keys: the index, and whether all else that is wanted holds."""
        leading = select(postings.c.segment, postings.c.log_index).where(
            postings.c.segment.in_(part.segments),
            postings.c.facet == int(facet),
            postings.c.key.in_(keys),
            *_within(postings.c.log_index, part),
        )
        if ordered:
            leading = leading.order_by(self._order(postings.c.log_index))
        lead = leading.limit(most).subquery()
        here = lead.c.log_index
        holds = []
        for each, others in self._wanted.facets.items():
            if each != facet:
                other = postings.alias()
                holds.append(
                    exists().where(
                        other.c.segment == lead.c.segment,
                        other.c.facet == int(each),
                        other.c.key.in_(sorted(others)),
                        other.c.log_index == here,
                    )
                )
        if asked := self._of_entry():
            holds.append(exists().where(entries.c.log_index == here, *asked))
        query = select(here, and_(literal(1) == 1, *holds))
        if ordered:
            query = query.order_by(self._order(here))
        rows = [(index, bool(all_hold)) for index, all_hold in self._tx.execute(query)]
        self._work += _SEEK + len(part.segments) + len(rows)
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

    @property
    def _room(self) -> int:
        """Return how many to find yet: one more than was asked for shows that there is more."""
        return self._limit + 1 - len(self.found)

    @property
    def _chunk_size(self) -> int:
        """Return how many rows to read at once: where each of them holds, as many as are wanted."""
        alone = len(self._wanted.facets) == 1 and not self._of_entry()
        return min(self._room, _CHUNK) if alone else _CHUNK


def _within(column: ColumnElement[int], part: _Part) -> tuple[ColumnElement[bool], ...]:
    return column >= part.begin, column < part.end


def _runs(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Join numbers that follow one another, up or down, to (lowest, highest)."""
    at = 0
    for place in range(1, len(numbers) + 1):
        if place == len(numbers) or abs(numbers[place] - numbers[place - 1]) > 1:
            ends = numbers[at], numbers[place - 1]
            yield min(ends), max(ends)
            at = place
