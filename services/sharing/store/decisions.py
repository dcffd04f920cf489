"""Decisions in SQL: one row a record, with what is found by holder in a slim table beside it.

What is kept of a decision are pieces that a reader puts together; what leaves is the same message.
A record holds one decision, or all of a batch; those of a batch are named after the record and
their place in it. Each decision takes a number, and a record has that of its last.

Who is asked about comes in no order. So the index by holder is divided into segments, of so many
decisions each: what is written touches the pages of the newest alone, however many there are. A
person's decisions are looked for segment by segment, newest first.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import accumulate, groupby

from sqlalchemy import Connection, func, select

from runtime.db import insert_rows
from services.sharing.domain.decision import Decided, Decision, Record
from services.sharing.domain.ports import DecisionCodec, Page
from services.sharing.domain.vocabulary import Outcome
from services.sharing.store.tables import decisions, decisions_of

_LENGTH = 4  # bytes before each decision of a record
# Where a decision is, as one number: the record's, and behind these bits the place in it.
_PLACE_BITS = 10
_PLACES = 1 << _PLACE_BITS
_SEGMENT_BITS = 14  # of a decision's number: so many decisions share a segment
_HOLDER_BITS = 40  # of the holder's digest, behind the number of the segment
_SEGMENTS = 512  # looked through in one statement
_GET = select(decisions.c.bodies)
_NEXT = {
    "sqlite": "SELECT coalesce(max(ordinal), 0) FROM decisions",
    # As many as there are decisions, in one statement: the sequence gives each number once.
    "postgresql": "SELECT max(number) FROM (SELECT record, nextval('decisions_ordinal_seq') number"
    " FROM unnest(%s::int[]) WITH ORDINALITY AS c (many, record), generate_series(1, many))"
    " AS numbers GROUP BY record ORDER BY record",
}
# All of them in one statement with one parameter, however many there are.
_INDEX = {
    "sqlite": "INSERT INTO decisions_of (holder, position, outcome)"
    " SELECT value->>0, value->>1, value->>2 FROM json_each(?)",
    "postgresql": "INSERT INTO decisions_of (holder, position, outcome)"
    " SELECT (v->>0)::bigint, (v->>1)::bigint, v->>2 FROM jsonb_array_elements(%s::jsonb) AS v",
}
# The first permit of a kind is noted; those alike after it leave the row as it is.
_PERMITTED = {
    "sqlite": "INSERT OR IGNORE INTO permitted"
    " (holder, recipient, service, purpose, categories, instrument, position)"
    " SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5,"
    " value->>6 FROM json_each(?)",
    "postgresql": "INSERT INTO permitted"
    " (holder, recipient, service, purpose, categories, instrument, position)"
    " SELECT v->>0, v->>1, v->>2, v->>3, v->>4, v->>5, (v->>6)::bigint"
    " FROM jsonb_array_elements(%s::jsonb) AS v ON CONFLICT DO NOTHING",
}


class StoredDecisions:
    """Decisions on one connection."""

    __slots__ = ("_codec", "_tx")

    def __init__(self, tx: Connection, codec: DecisionCodec) -> None:
        self._tx = tx
        self._codec = codec

    def add(self, records: Sequence[Record]) -> None:
        """Store records."""
        ordinals = self._ordinals([len(record.decided) for record in records])
        placed = list(zip(ordinals, records, strict=True))
        insert_rows(
            self._tx,
            decisions,
            ("ordinal", "name", "asker", "bodies"),
            [(n, record.name, record.asker, _joined(record.decided)) for n, record in placed],
        )
        index: list[tuple[int, int, str]] = []
        permits: dict[tuple[str, ...], int] = {}
        for ordinal, record in placed:
            segment, position = ordinal >> _SEGMENT_BITS, ordinal << _PLACE_BITS
            for place, (decision, _, _) in enumerate(record.decided, position):
                asked, outcome = decision.question, decision.answer.outcome
                holder = asked.holder
                if not holder:
                    continue
                index.append((_keyed(holder, segment), place, outcome))
                if outcome is Outcome.PERMIT:
                    categories = ",".join(sorted(asked.categories))
                    kind = (
                        holder,
                        asked.recipient,
                        asked.service,
                        asked.purpose,
                        categories,
                        asked.instrument,
                    )
                    permits.setdefault(kind, place)
        if index:
            self._tx.exec_driver_sql(_INDEX[self._tx.dialect.name], (json.dumps(index),))
        if permits:
            noted = json.dumps([(*kind, position) for kind, position in permits.items()])
            self._tx.exec_driver_sql(_PERMITTED[self._tx.dialect.name], (noted,))

    def get(self, name: str) -> Decision | None:
        """Return a decision."""
        record, place = _place(name)
        bodies = self._tx.execute(_GET.where(decisions.c.name == record)).scalar_one_or_none()
        if bodies is None:
            return None
        found = list(_parted(bodies))
        decision = self._codec.decode(found[place]) if place < len(found) else None
        return decision if decision and decision.name == name else None

    def list(
        self, page: Page, holder: str, outcome: Outcome | None, hidden: Collection[str] = ()
    ) -> tuple[list[Decision], str]:
        """List those about a person newest first; return the cursor of what follows, or empty.

        Those about the legal instruments `hidden` are passed over: pages are as if there were none.
        """
        found: list[tuple[int, Decision]] = []
        following, most = page.cursor, page.size + 1  # one more tells whether any follows
        while len(found) < most:
            places, following = self._places(Page(following, most), holder, outcome)
            found += [
                (position, decision)
                for position, decision in zip(places, self.at(places), strict=True)
                # Two holders may share a number: what is about the other is left out.
                if decision.question.holder == holder and decision.question.instrument not in hidden
            ]
            if not following:
                break
        shown = found[: page.size]
        last = str(shown[-1][0]) if len(found) > page.size else ""
        return [decision for _, decision in shown], last

    def _places(
        self, page: Page, holder: str, outcome: Outcome | None
    ) -> tuple[Sequence[int], str]:
        """Return where decisions about a holder are, newest first, and the cursor of what follows.

        Two holders may share a key.
        """
        place = decisions_of.c.position
        query = select(place).order_by(place.desc()).limit(page.size + 1)
        if outcome:
            query = query.where(decisions_of.c.outcome == outcome.value)
        newest = self.last()
        if page.cursor:
            query = query.where(place < int(page.cursor))
            newest = int(page.cursor) >> _PLACE_BITS
        found: list[int] = []
        for segment in range(newest >> _SEGMENT_BITS, -1, -_SEGMENTS):
            keys = [_keyed(holder, n) for n in range(segment, max(-1, segment - _SEGMENTS), -1)]
            found += self._tx.execute(query.where(decisions_of.c.holder.in_(keys))).scalars()
            if len(found) > page.size:
                return found[: page.size], str(found[page.size - 1])
        return found, ""

    def at(self, positions: Iterable[int]) -> Iterator[Decision]:
        """Yield the decisions that are there, in that order.

        A record may hold a thousand: one is in memory at a time, and of it what is asked for.
        """
        for ordinal, places in groupby(positions, lambda position: position >> _PLACE_BITS):
            record = select(decisions.c.bodies).where(decisions.c.ordinal == ordinal)
            bodies = list(_parted(self._tx.execute(record).scalar_one()))
            for place in places:
                yield self._codec.decode(bodies[place & _PLACES - 1])

    def first_from(self, ordinal: int) -> tuple[int, Decision] | None:
        """Return the first record of that number or a higher one, by the first of its decisions."""
        query = select(decisions.c.ordinal, decisions.c.bodies).where(
            decisions.c.ordinal >= ordinal
        )
        row = self._tx.execute(query.order_by(decisions.c.ordinal).limit(1)).one_or_none()
        return row and (row.ordinal, self._codec.decode(next(_parted(row.bodies))))

    def last(self) -> int:
        """Return the number of the last record; 0: there is none."""
        return self._tx.execute(select(func.max(decisions.c.ordinal))).scalar() or 0

    def numbered(self, numbers: Iterable[int]) -> Iterator[Decision]:
        """Yield the decisions of these numbers, which fall, but for those that nobody took.

        A record may hold a thousand: one is in memory at a time, and of it what is asked for. Those
        of batches that PostgreSQL numbered at the very same moment may be left out.
        """
        begun = decisions.c.ordinal, decisions.c.bodies
        query = select(*begun).order_by(decisions.c.ordinal).limit(1)
        bodies: list[bytes] = []
        last = 0
        for number in numbers:
            if not last - len(bodies) < number <= last:
                row = self._tx.execute(query.where(decisions.c.ordinal >= number)).one_or_none()
                if row is None:
                    continue
                last, bodies = row.ordinal, list(_parted(row.bodies))
            if last - number < len(bodies):
                yield self._codec.decode(bodies[number - last - 1])

    def _ordinals(self, counts: Collection[int]) -> Sequence[int]:
        """Return numbers for records of so many decisions each.

        The writer of SQLite is alone, PostgreSQL has several.
        """
        if self._tx.dialect.name == "sqlite":
            last: int = self._tx.exec_driver_sql(_NEXT["sqlite"]).scalar_one()
            return [*accumulate(counts, initial=last)][1:]
        return self._tx.exec_driver_sql(_NEXT["postgresql"], (counts,)).scalars().all()


def _joined(decided: Sequence[Decided]) -> bytes:
    return b"".join(
        [part for each in decided for part in (len(each.body).to_bytes(_LENGTH), each.body)]
    )


def _parted(bodies: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(bodies):
        begin = at + _LENGTH
        at = begin + int.from_bytes(bodies[at:begin])
        yield bodies[begin:at]


def _place(name: str) -> tuple[str, int]:
    """Return the record that holds a decision, and the decision's place in it."""
    record, dash, place = name.rpartition("-")
    if "-" in record and dash and place.isdecimal():
        return record, int(place)
    return name, 0


def _keyed(holder: str, segment: int) -> int:
    return segment << _HOLDER_BITS | _number(holder)


def _number(holder: str) -> int:
    """Return a number that stands for a holder, nearly alone."""
    return int.from_bytes(hashlib.sha256(holder.encode()).digest()[: _HOLDER_BITS // 8])
