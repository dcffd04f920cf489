"""How a process learns of changes, its own and others, and what it keeps of facts in memory."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import update

from runtime.clock import SystemClock
from runtime.db import Database
from runtime.fault import Fault
from runtime.ids import new_account
from runtime.testing import NOON
from services.sharing.domain.freshness import (
    FULLY_CONSISTENT,
    MINIMIZE_LATENCY,
    Change,
    ChangeKind,
    Freshness,
    Mode,
    Position,
    position,
)
from services.sharing.domain.question import Question
from services.sharing.domain.records import (
    Preference,
    PreferenceKind,
    Recipient,
    Subject,
    SubjectStatus,
)
from services.sharing.store import feed as feeds
from services.sharing.store.changes import StoredChanges, note
from services.sharing.store.feed import Feed
from services.sharing.store.memory import Memory
from services.sharing.store.preferences import StoredPreferences
from services.sharing.store.recipients import StoredRecipients
from services.sharing.store.records import MIGRATIONS
from services.sharing.store.subjects import StoredSubjects
from services.sharing.store.tables import changes
from tests.migrated import migrated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from services.sharing.store.changes import Reading

CLOCK = SystemClock()


@pytest.fixture
async def databases(database_url: str) -> AsyncIterator[tuple[Database, Database]]:
    """Two processes' views of one database."""
    migrated(database_url, MIGRATIONS)
    both = Database(database_url), Database(database_url)
    yield both
    for database in both:
        await database.close()


async def alter(database: Database, key: str) -> None:
    await database.write(lambda tx: note(tx, ChangeKind.PERSON, key))


def heard(feed: Feed) -> list[str]:
    """Return the keys that the feed tells from now on, as they come."""
    keys: list[str] = []

    def hear(reading: Reading) -> None:
        keys.extend(change.key for _, change in reading.rows)

    feed.subscribe(hear)
    return keys


def at_least(token: str) -> Freshness:
    return Freshness(Mode.AT_LEAST_AS_FRESH, position(token, "nl"))


async def reason_of(call: Any) -> str:
    with pytest.raises(Fault) as caught:
        await call
    return caught.value.reason


async def test_what_another_process_wrote_is_known_with_its_token_at_once(
    databases: tuple[Database, Database],
) -> None:
    mine, others = (Feed(database, "nl", CLOCK) for database in databases)
    keys = heard(others)
    await others.look()
    await alter(databases[0], "accounts/a")
    token = await mine.token()
    await others.require(at_least(token))
    assert keys == ["accounts/a"]
    assert others.position >= position(token, "nl")


async def test_every_call_with_full_consistency_looks_again(
    databases: tuple[Database, Database],
) -> None:
    feed = Feed(databases[0], "nl", CLOCK)
    keys = heard(feed)
    await feed.look()
    for key in ("accounts/a", "accounts/b", "accounts/c"):
        await alter(databases[1], key)
        await feed.require(FULLY_CONSISTENT)
        assert keys[-1] == key


async def test_news_come_in_order_and_go_on_where_a_token_says(
    databases: tuple[Database, Database],
) -> None:
    feed = Feed(databases[0], "nl", CLOCK)
    tokens = [await feed.token()]
    for n in range(5):
        await alter(databases[0], f"accounts/{n}")
        tokens.append(await feed.token())
    assert tokens == sorted(tokens)
    for n, token in enumerate(tokens):
        news = feed.news(token)
        first = await anext(news)
        await news.aclose()
        assert first.changes == tuple(
            Change(ChangeKind.PERSON, f"accounts/{later}") for later in range(n, 5)
        )


async def test_who_takes_no_news_is_cut_off_and_goes_on_from_a_token(
    databases: tuple[Database, Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "_MOST_NEWS", 2)
    feed = Feed(databases[0], "nl", CLOCK)
    news = feed.news(await feed.token())
    token = (await anext(news)).token
    for n in range(3):
        await alter(databases[0], f"accounts/{n}")
        await feed.look()
    assert await reason_of(anext(news)) == "READER_TOO_SLOW"
    assert not feed._listeners  # nothing more is kept for it
    again = feed.news(token)
    told = (await anext(again)).changes
    await again.aclose()
    assert [change.key for change in told] == ["accounts/0", "accounts/1", "accounts/2"]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_change_that_is_committed_late_is_told_and_is_behind_no_token(
    databases: tuple[Database, Database],
) -> None:
    """PostgreSQL commits out of order: a later transaction is told first, and neither is lost."""
    feed = Feed(databases[0], "nl", CLOCK)
    keys = heard(feed)
    beginning = await feed.token()
    late = databases[1]._writer.connect()
    note(late, ChangeKind.PERSON, "accounts/late")
    await alter(databases[0], "accounts/early")
    token = await feed.token()
    assert keys == ["accounts/early"]
    await feed.look()
    assert keys == ["accounts/early"]  # told once, though not settled
    news = feed.news(beginning)
    told = (await anext(news)).token
    await news.aclose()
    late.commit()
    late.close()
    await feed.require(at_least(token))
    assert "accounts/late" in keys
    assert keys.count("accounts/early") == 1
    for since in (token, told):
        news = feed.news(since)
        assert Change(ChangeKind.PERSON, "accounts/late") in (await anext(news)).changes
        await news.aclose()


async def test_after_a_day_the_list_is_cut_and_says_so(
    databases: tuple[Database, Database],
) -> None:
    database = databases[0]
    feed = Feed(database, "nl", CLOCK)
    beginning = await feed.token()
    for n in range(3):
        await alter(database, f"accounts/{n}")
    middle = await feed.token()
    long_ago = datetime.now(UTC) - timedelta(days=2)
    await database.write(lambda tx: tx.execute(update(changes).values(time=long_ago)))
    await alter(database, "accounts/new")
    while await database.write(lambda tx: StoredChanges(tx).purge(datetime.now(UTC))):
        pass
    assert await reason_of(anext(feed.news(beginning))) == "POSITION_EXPIRED"
    news = feed.news(middle)
    assert (await anext(news)).changes == (Change(ChangeKind.PERSON, "accounts/new"),)
    await news.aclose()
    await feed.require(at_least(beginning))  # decisions need no list

    await database.write(lambda tx: tx.execute(update(changes).values(time=long_ago)))
    newest = await database.read(lambda tx: StoredChanges(tx).newest())
    await database.write(lambda tx: StoredChanges(tx).purge(datetime.now(UTC)))
    assert await database.read(lambda tx: StoredChanges(tx).newest()) == newest


async def test_a_process_that_missed_what_was_cut_forgets_everything(
    databases: tuple[Database, Database],
) -> None:
    database = databases[0]
    feed = Feed(database, "nl", CLOCK)
    memory = Memory(database, feed, 100)
    ask = await known(database, "accounts/nl-1")
    await memory.gather(ask, MINIMIZE_LATENCY)
    frozen = subject(ask.account, 2, SubjectStatus.FROZEN)
    await databases[1].write(lambda tx: StoredSubjects(tx).put(frozen, NOON))
    await alter(databases[1], "accounts/x")
    long_ago = datetime.now(UTC) - timedelta(days=2)
    await database.write(lambda tx: tx.execute(update(changes).values(time=long_ago)))
    await database.write(lambda tx: StoredChanges(tx).purge(datetime.now(UTC)))
    facts, _ = await memory.gather(ask, FULLY_CONSISTENT)
    assert facts.subject
    assert facts.subject.version == 2


@pytest.mark.parametrize(
    ("token", "problem"),
    [
        ("", "malformed"),
        ("nl-1", "malformed"),
        ("nl-" + "g" * 32, "malformed"),
        ("nl-" + "f" * 32, "malformed"),
        ("in-" + "0" * 32, "other_region"),
    ],
)
def test_a_token_that_nobody_made_is_refused(token: str, problem: str) -> None:
    with pytest.raises(Fault) as caught:
        position(token, "nl")
    assert caught.value.reason == "FRESHNESS_TOKEN_INVALID"
    assert caught.value.metadata == {"problem": problem}


async def test_a_token_ahead_of_everything_is_refused_and_not_waited_for(
    databases: tuple[Database, Database],
) -> None:
    feed = Feed(databases[0], "nl", CLOCK)
    await alter(databases[0], "accounts/a")
    newest = position(await feed.token(), "nl").newest
    forged = Position(newest + 1, 0).token("nl")
    began = time.monotonic()
    with pytest.raises(Fault) as caught:
        await feed.require(at_least(forged))
    assert caught.value.metadata == {"problem": "ahead"}
    assert time.monotonic() - began < 10
    assert await reason_of(anext(feed.news(forged))) == "FRESHNESS_TOKEN_INVALID"


async def test_a_store_that_is_away_is_refused_not_answered_for(
    databases: tuple[Database, Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = Feed(databases[0], "nl", CLOCK)
    await feed.look()

    async def silent(_query: Callable[..., Any], **_: bool) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(databases[0], "read", silent)
    monkeypatch.setattr(feeds, "_LOOK_S", 0.1)
    monkeypatch.setattr(feeds, "_WAIT_S", 0.05)
    await feed.require(MINIMIZE_LATENCY)  # it was heard a moment ago
    monkeypatch.setattr(feeds, "FRESH_S", 0.0)
    for freshness in (MINIMIZE_LATENCY, FULLY_CONSISTENT):
        assert await reason_of(feed.require(freshness)) == "UNAVAILABLE"


def subject(account: str, version: int, status: SubjectStatus = SubjectStatus.ACTIVE) -> Subject:
    return Subject(account, "NL", date(1990, 4, 2), status, NOON, version)


async def known(database: Database, account: str) -> Question:
    """Put a person and a recipient on record; return a question about them."""

    def unit(tx: Any) -> None:
        StoredRecipients(tx).add(
            Recipient("recipients/dhl", "DHL", "service_provider.delivery", "DE", NOON)
        )
        StoredSubjects(tx).put(subject(account, 1), NOON)

    await database.write(unit)
    return Question(account, "mi_store", "recipients/dhl", "delivery", ("contact.name",), "DE")


async def test_a_load_that_a_change_overtakes_is_repeated(
    databases: tuple[Database, Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    database = databases[0]
    account = new_account("nl")
    ask = await known(database, account)
    feed = Feed(database, "nl", CLOCK)
    memory = Memory(database, feed, 100)
    await feed.look()
    read = database.read
    pending = [2, 3]

    async def overtaken(query: Callable[..., Any], **how: bool) -> Any:
        value = await read(query, **how)
        if pending and isinstance(value, tuple):  # a load, not a look
            version = pending.pop(0)
            await database.write(lambda tx: StoredSubjects(tx).put(subject(account, version), NOON))
            await feed.look()
        return value

    monkeypatch.setattr(database, "read", overtaken)
    facts, token = await memory.gather(ask, MINIMIZE_LATENCY)
    assert not pending
    assert facts.subject
    assert facts.subject.version == 3
    assert token == feed.position.token("nl")


async def test_who_asks_together_loads_once(
    databases: tuple[Database, Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    database = databases[0]
    ask = await known(database, new_account("nl"))
    feed = Feed(database, "nl", CLOCK)
    memory = Memory(database, feed, 100)
    await feed.look()
    read, loads = database.read, []

    async def counted(query: Callable[..., Any], **how: bool) -> Any:
        value = await read(query, **how)
        loads.extend([1] if isinstance(value, tuple) else [])
        return value

    monkeypatch.setattr(database, "read", counted)
    gathered = await asyncio.gather(*(memory.gather(ask, MINIMIZE_LATENCY) for _ in range(20)))
    assert len(loads) == 1
    assert len({id(facts.subject) for facts, _ in gathered}) == 1


async def test_a_queue_of_slow_reads_makes_no_decision_late(
    databases: tuple[Database, Database],
) -> None:
    database = databases[0]
    feed = Feed(database, "nl", CLOCK)
    memory = Memory(database, feed, 100)
    ask = await known(database, new_account("nl"))
    free = threading.Event()
    slow = [asyncio.create_task(database.read(lambda _: free.wait(20))) for _ in range(20)]
    try:
        async with asyncio.timeout(5):
            facts, _ = await memory.gather(ask, FULLY_CONSISTENT)
        assert facts.subject
        assert not any(each.done() for each in slow)
    finally:
        free.set()
        await asyncio.gather(*slow)


async def test_the_memory_is_bounded_and_nobody_gets_wrong_facts_for_it(
    databases: tuple[Database, Database],
) -> None:
    database = databases[0]
    feed = Feed(database, "nl", CLOCK)
    memory = Memory(database, feed, 4)
    asked = [await known(database, new_account("nl")) for _ in range(10)]
    for ask in asked * 2:
        facts, _ = await memory.gather(ask, MINIMIZE_LATENCY)
        assert facts.subject
        assert facts.subject.account == ask.account
        assert memory._records <= 4


async def test_nobody_is_forgotten_for_one_of_whom_too_much_is_known(
    databases: tuple[Database, Database],
) -> None:
    database = databases[0]
    feed = Feed(database, "nl", CLOCK)
    memory = Memory(database, feed, 8)
    few, many = [await known(database, new_account("nl")) for _ in range(2)]
    choices = [
        Preference(
            f"{many.account}/preferences/{n}", PreferenceKind.STOP_SHARING_WITH, str(n), NOON
        )
        for n in range(2)
    ]

    def unit(tx: Any) -> None:
        for choice in choices:
            StoredPreferences(tx).add(many.account, choice, NOON)

    await database.write(unit)
    facts, _ = await memory.gather(few, MINIMIZE_LATENCY)
    assert await reason_of(memory.gather(many, MINIMIZE_LATENCY)) == "OVERLOADED"
    again, _ = await memory.gather(few, MINIMIZE_LATENCY)
    assert again.subject is facts.subject


async def test_an_unknown_recipient_is_not_found_until_it_is_registered(
    databases: tuple[Database, Database],
) -> None:
    database = databases[0]
    feed = Feed(database, "nl", CLOCK)
    memory = Memory(database, feed, 100)
    ask = Question("", "mi_store", "recipients/dhl", "statistics", ("usage.statistics",), "DE")
    assert await reason_of(memory.gather(ask, MINIMIZE_LATENCY)) == "NOT_FOUND"
    await known(databases[1], new_account("nl"))
    facts, _ = await memory.gather(ask, FULLY_CONSISTENT)
    assert facts.recipient.name == "recipients/dhl"
