"""The search against a naive reading of the same rows: facets, time, producer, pages both ways."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, insert, text

from runtime.db import Database
from runtime.testing import NOON
from services.audit.domain.entry import Facet
from services.audit.domain.ports import Filter
from services.audit.store import LOG_MIGRATIONS, search
from services.audit.store.search import Search
from services.audit.store.tables import (
    BUNDLE_BITS,
    SEGMENT_BITS,
    STRETCH_BITS,
    entries,
    postings,
    stretches,
)
from tests.migrated import migrated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

KEYS = (b"a", b"b", b"c")
PRODUCERS = ("account", "sharing")
# Around the borders of the first segments, which hold few entries here.
PLACES = sorted(
    place
    for base in (0, 1 << STRETCH_BITS, 1 << SEGMENT_BITS, 3 << SEGMENT_BITS)
    for place in (base, base + 1, base + 2, base + 5, base + 9, base + 256, base + 65_535)
)


@dataclass(frozen=True)
class Entry:
    """What a search can tell of an entry."""

    index: int
    time: datetime
    producer: str
    facets: Mapping[Facet, Collection[bytes]]

    def matches(self, wanted: Filter) -> bool:
        """The meaning of a filter, read naively."""
        return (
            all(
                set(keys) & set(self.facets.get(facet, ())) for facet, keys in wanted.facets.items()
            )
            and (wanted.producer in {None, self.producer})
            and (wanted.start_time is None or self.time >= wanted.start_time)
            and (wanted.end_time is None or self.time < wanted.end_time)
        )


FACETS = st.dictionaries(
    st.sampled_from((Facet.PERSON, Facet.TRACE, Facet.EVENT)),
    st.sets(st.sampled_from(KEYS), min_size=1, max_size=2),
    max_size=3,
)
MINUTES = st.integers(0, 6).map(lambda minutes: NOON + timedelta(minutes=minutes))
ENTRIES = st.lists(
    st.builds(Entry, st.sampled_from(PLACES), MINUTES, st.sampled_from(PRODUCERS), FACETS),
    max_size=len(PLACES),
    unique_by=lambda entry: entry.index,
)
FILTERS = st.builds(
    Filter,
    FACETS,
    st.none() | MINUTES,
    st.none() | MINUTES,
    st.none() | st.sampled_from(PRODUCERS),
)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """The tables of a log, without their guards: here they hold what no log would."""
    migrated(database_url, LOG_MIGRATIONS)
    database = Database(database_url)
    await database.write(_unguard)
    yield database
    await database.close()


@pytest.mark.parametrize("newest_first", [True, False])
@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    stored=ENTRIES,
    wanted=FILTERS,
    limit=st.integers(1, 5),
    work=st.sampled_from([1, 60, 9999]),
    few=st.sampled_from([0, 2, 64]),
    at_once=st.integers(1, 20),
)
async def test_pages_together_are_what_matches_in_the_order_of_the_log(  # noqa: PLR0917  drawn
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    newest_first: bool,
    stored: Sequence[Entry],
    wanted: Filter,
    limit: int,
    work: int,
    few: int,
    at_once: int,
) -> None:
    monkeypatch.setattr(search, "_WORK", work)
    monkeypatch.setattr(search, "_CHUNK", 3)
    monkeypatch.setattr(search, "_FEW", few)
    monkeypatch.setattr(search, "_PAGE", 2)
    monkeypatch.setattr(search, "_STRETCHES", 2)
    await database.write(lambda tx: _replace(tx, stored, at_once))
    found: list[int] = []
    after: int | None = None
    for _ in range(10_000):
        page, after = await database.read(
            partial(_page, wanted=wanted, after=after, newest_first=newest_first, limit=limit)
        )
        assert len(page) <= limit
        found += page
        if after is None:
            break
    matching = sorted(entry.index for entry in stored if entry.matches(wanted))
    assert found == (matching[::-1] if newest_first else matching)


@pytest.mark.parametrize("newest_first", [True, False])
async def test_a_page_begins_and_ends_within_what_grew_at_once(
    database: Database, newest_first: bool
) -> None:
    together = [Entry(n, NOON, "account", {Facet.EVENT: [b"a"]}) for n in range(250, 270)]
    await database.write(lambda tx: _replace(tx, together, len(together)))
    wanted, found, after = Filter({Facet.EVENT: [b"a"]}), list[int](), None
    for _ in range(20):
        page, after = await database.read(
            partial(_page, wanted=wanted, after=after, newest_first=newest_first, limit=3)
        )
        found += page
        if after is None:
            break
    assert found == list(range(250, 270))[:: -1 if newest_first else 1]


async def test_a_rare_facet_leads_whatever_the_others_are(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two of many: found within the work that looking at all of the frequent ones would exceed."""
    many = [
        Entry(
            n, NOON, "account", {Facet.PERSON: [b"x"] if n in {7, 900} else [], Facet.EVENT: KEYS}
        )
        for n in range(1_000)
    ]
    await database.write(lambda tx: _replace(tx, many))
    monkeypatch.setattr(search, "_WORK", 800)
    wanted = Filter({Facet.EVENT: [b"a"], Facet.PERSON: [b"x"]})
    for newest_first, indexes in ((True, [900, 7]), (False, [7, 900])):
        page = await database.read(
            partial(_page, wanted=wanted, after=None, newest_first=newest_first, limit=10)
        )
        assert page == (indexes, None)


async def test_a_search_that_finds_nothing_ends_and_says_where_to_go_on(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = [Entry(n, NOON, "account", {Facet.EVENT: [b"a"]}) for n in range(1_000)]
    await database.write(lambda tx: _replace(tx, many))
    monkeypatch.setattr(search, "_WORK", 100)
    monkeypatch.setattr(search, "_CHUNK", 50)
    wanted = Filter({Facet.EVENT: [b"a"]}, producer="sharing")
    page, more = await database.read(lambda tx: _page(tx, wanted, None, True, 10))
    assert page == []
    assert more is not None
    assert 0 < more < 1_000


def _page(
    tx: Connection, wanted: Filter, after: int | None, newest_first: bool, limit: int
) -> tuple[list[int], int | None]:
    one = Search(tx, wanted, newest_first=newest_first, limit=limit)
    one.run(after)
    return one.found, one.more


def _replace(tx: Connection, stored: Sequence[Entry], at_once: int = 1) -> None:
    """Makes the tables hold these entries alone, as if so many had come with each growth."""
    for table in (entries, postings, stretches):
        tx.execute(table.delete())
    if not stored:
        return
    tx.execute(insert(entries), [_row(entry) for entry in stored])
    ordered = sorted(stored, key=lambda entry: entry.index)
    for first in range(0, len(ordered), at_once):
        if rows := list(_postings(ordered[first : first + at_once])):
            tx.execute(insert(postings), rows)
    full = (max(entry.index for entry in stored) + 1) >> STRETCH_BITS
    if full:
        tx.execute(insert(stretches), [_stretch(number, stored) for number in range(full)])


def _row(entry: Entry) -> dict[str, object]:
    return {
        "log_index": entry.index,
        "event_time": entry.time,
        "producer": entry.producer,
        "sequence": entry.index,
        "event_id": entry.index.to_bytes(16),
        "leaf_hash": b"",
        "leaf": b"",
    }


def _postings(stored: Sequence[Entry]) -> Iterator[dict[str, object]]:
    under: dict[tuple[int, int, bytes], bytes] = {}
    for entry in stored:
        for facet, keys in entry.facets.items():
            for key in keys:
                at = (entry.index >> BUNDLE_BITS, int(facet), key)
                under[at] = under.get(at, b"") + (entry.index % (1 << SEGMENT_BITS)).to_bytes(2)
    for (bundle, number, key), places in under.items():
        segment = bundle >> SEGMENT_BITS - BUNDLE_BITS
        yield {"segment": segment, "facet": number, "key": key, "places": places}


def _stretch(number: int, stored: Sequence[Entry]) -> dict[str, object]:
    times = [entry.time for entry in stored if entry.index >> STRETCH_BITS == number] or [NOON]
    return {"number": number, "earliest": min(times), "latest": max(times)}


def _unguard(tx: Connection) -> None:
    if tx.dialect.name == "postgresql":
        for table in (entries, postings, stretches):
            tx.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER ALL"))
        return
    names = tx.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars()
    for name in names.all():
        tx.execute(text(f"DROP TRIGGER {name}"))
