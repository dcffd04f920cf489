"""The worker that sends notices: at least once under one name, by one worker at a time."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from joserfc.jwk import ECKey
from sqlalchemy import update

from runtime.clock import SettableClock
from runtime.db import Database
from services.sharing.api.codec import ProtoDecisions
from services.sharing.cases.deliver_notices import Deliveries
from services.sharing.domain.agreement_ports import Delivery, NoticeFilter
from services.sharing.domain.endpoint import Endpoint
from services.sharing.domain.ports import Page, Records
from services.sharing.domain.records import Recipient
from services.sharing.domain.revocation import Cause, Notice, NoticeState, pause
from services.sharing.store.records import MIGRATIONS, SqlStore
from services.sharing.store.signer import sign
from services.sharing.store.tables import revocation_notices
from tests.contract.sharing.test_records import actions
from tests.migrated import migrated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
DHL = "recipients/dhl"


@dataclass
class Endpoints:
    """What the endpoints of all recipients would say, and the names that reached them."""

    says: Delivery = field(default_factory=Delivery)
    came: list[str] = field(default_factory=list)
    hold: asyncio.Event | None = None  # until it is set, nobody is answered
    reached: asyncio.Event = field(default_factory=asyncio.Event)

    slow: str = ""  # of whose endpoint alone that is so; empty: of all
    broken: bool = False

    async def deliver(self, url: str, token: str, name: str) -> Delivery:
        assert url
        assert token
        self.came.append(name)
        self.reached.set()
        if self.broken:
            raise RuntimeError("a bug")
        if self.hold and self.slow in url:
            await self.hold.wait()
        return self.says


class Signer:
    """Signs with one key; its keys are shown by nobody here."""

    def __init__(self) -> None:
        self._key = ECKey.generate_key("P-256", {"kid": "test"})

    async def sign(self, claims: Mapping[str, object], typ: str) -> str:
        return sign(self._key, claims, typ)

    async def jwks(self, *, past: bool) -> str:
        raise NotImplementedError(past)


@dataclass
class Worker:
    """One process's worker on the database, and its store."""

    database: Database
    store: SqlStore
    deliveries: Deliveries

    async def notice(self, name: str) -> Notice:
        found = await self.store.read(lambda records: records.notices.get(name))
        assert found
        return found

    async def put(self, **values: str) -> None:
        """Write into every row what no code of ours writes."""
        await self.database.write(lambda tx: tx.execute(update(revocation_notices).values(values)))

    async def add(
        self, count: int = 1, url: str = "https://dhl.example/", recipient: str = DHL
    ) -> list[str]:
        of = "" if recipient == DHL else f"{recipient[-3:]}-"
        names = [f"revocations/nl-{of}{number:02}" for number in range(count)]

        def unit(records: Records) -> None:
            records.recipients.add(Recipient(recipient, "DHL", "affiliate", "DE", NOW))
            records.recipients.set_endpoint(Endpoint(recipient, url, "ana", NOW))
            for name in names:
                records.notices.add(
                    Notice(
                        name=name,
                        recipient=recipient,
                        holder="accounts/nl-" + "0" * 26,
                        cause=Cause.SHARING_STOPPED,
                        decisions=(),
                        contract="",
                        created=NOW,
                        deadline=NOW + timedelta(hours=72),
                        next_attempt=NOW,
                    )
                )

        await self.store.write(unit)
        return names


@asynccontextmanager
async def working(url: str, clock: SettableClock, post: Endpoints) -> AsyncIterator[Worker]:
    database = Database(url)
    store = SqlStore(database, ProtoDecisions())
    yield Worker(database, store, Deliveries(store, Signer(), post, clock=clock, region="nl"))
    await database.close()


@pytest.fixture
def url(database_url: str) -> str:
    migrated(database_url, MIGRATIONS)
    return database_url


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock(NOW)


async def test_who_dies_between_sending_and_noting_is_followed_by_another(
    url: str, clock: SettableClock
) -> None:
    """The recipient gets the notice twice, under the same name: it can tell."""
    post = Endpoints(hold=asyncio.Event())
    async with working(url, clock, post) as first, working(url, clock, post) as second:
        (name,) = await first.add()
        sending = asyncio.create_task(first.deliveries.deliver())
        await post.reached.wait()
        sending.cancel()  # the answer never comes home
        await asyncio.wait([sending])
        post.hold = None

        assert await second.deliveries.deliver() == 0  # the first may still be at it
        clock.advance(timedelta(seconds=61))
        assert await second.deliveries.deliver() == 1
        assert post.came == [name, name]
        assert (await second.notice(name)).state is NoticeState.ACKNOWLEDGED
    assert actions(url) == ["sharing:revocation:acknowledge"]


async def test_two_workers_never_send_the_same_notice(url: str, clock: SettableClock) -> None:
    post = Endpoints()
    async with working(url, clock, post) as first, working(url, clock, post) as second:
        names = await first.add(40)

        async def work(worker: Worker) -> None:
            while any([(await worker.notice(name)).state is NoticeState.PENDING for name in names]):
                await worker.deliveries.deliver()

        async with asyncio.timeout(60):
            await asyncio.gather(work(first), work(second))
    assert Counter(post.came) == dict.fromkeys(names, 1)


async def test_it_comes_again_later_each_time_and_ends_after_thirty_days(
    url: str, clock: SettableClock
) -> None:
    post = Endpoints(Delivery("status_503"))
    async with working(url, clock, post) as worker:
        (name,) = await worker.add()
        for attempt in range(1, 4):
            assert await worker.deliveries.deliver() == 1
            missed = await worker.notice(name)
            assert (missed.attempts, missed.problem) == (attempt, "status_503")
            assert missed.next_attempt == clock.now() + pause(name, attempt)
            assert await worker.deliveries.deliver() == 0  # not before its time
            clock.set(missed.next_attempt)
        clock.set(NOW + timedelta(hours=72, seconds=1))
        await worker.deliveries.deliver()
        assert (await worker.notice(name)).overdue(clock.now())
        clock.set(NOW + timedelta(days=30))
        assert await worker.deliveries.deliver() == 1
        ended = await worker.notice(name)
        assert (ended.state, ended.next_attempt) == (NoticeState.FAILED, None)
        clock.advance(timedelta(days=1))
        assert await worker.deliveries.deliver() == 0
    assert actions(url) == ["sharing:revocation:overdue", "sharing:revocation:fail"]


async def test_without_an_endpoint_it_waits_for_one(url: str, clock: SettableClock) -> None:
    post = Endpoints()
    async with working(url, clock, post) as worker:
        (name,) = await worker.add(url="")
        assert await worker.deliveries.deliver() == 1
        waiting = await worker.notice(name)
        assert (waiting.state, waiting.problem) == (NoticeState.PENDING, "no_endpoint")
    assert not post.came


async def test_what_an_officer_noted_meanwhile_stands(url: str, clock: SettableClock) -> None:
    post = Endpoints(Delivery("status_410", final=True), hold=asyncio.Event())
    async with working(url, clock, post) as worker:
        (name,) = await worker.add()
        sending = asyncio.create_task(worker.deliveries.deliver())
        await post.reached.wait()
        noted = (await worker.notice(name)).acknowledge_by_hand("ana", "letter", clock.now())
        await worker.store.write(lambda records: records.notices.save(noted))
        assert post.hold
        post.hold.set()
        await sending
        assert await worker.notice(name) == noted


async def test_a_slow_endpoint_keeps_nobody_waiting_but_itself(
    url: str, clock: SettableClock
) -> None:
    post = Endpoints(hold=asyncio.Event(), slow="dhl")
    async with working(url, clock, post) as worker:
        await worker.add(20)
        (other,) = await worker.add(url="https://ups.example/", recipient="recipients/ups")
        first = asyncio.create_task(worker.deliveries.deliver())
        await post.reached.wait()
        async with asyncio.timeout(30):
            await worker.deliveries.deliver()
        assert post.came[-1] == other
        assert len(post.came) == 3  # two to the slow one, however many wait
        assert (await worker.notice(other)).state is NoticeState.ACKNOWLEDGED
        assert post.hold
        post.hold.set()
        assert await first == 2


async def test_what_fails_by_a_bug_counts_and_comes_to_an_end(
    url: str, clock: SettableClock
) -> None:
    async with working(url, clock, Endpoints(broken=True)) as worker:
        (name,) = await worker.add()
        assert await worker.deliveries.deliver() == 1
        missed = await worker.notice(name)
        assert (missed.state, missed.attempts, missed.problem) == (NoticeState.PENDING, 1, "bug")
        clock.set(NOW + timedelta(days=30))
        await worker.deliveries.deliver()
        assert (await worker.notice(name)).state is NoticeState.FAILED


async def test_a_row_that_is_broken_ends_no_worker(url: str, clock: SettableClock) -> None:
    """Beside a worker the service decides: what ends one ends the other."""
    post = Endpoints()
    async with working(url, clock, post) as worker:
        (name,) = await worker.add()
        await worker.put(cause="none of ours")
        assert await worker.deliveries.deliver() == 0
        await worker.put(cause=Cause.SHARING_STOPPED.value)
        clock.advance(timedelta(seconds=61))
        assert await worker.deliveries.deliver() == 1
        assert post.came == [name]


async def test_what_is_overdue_is_found_by_what_is_open(url: str, clock: SettableClock) -> None:
    async with working(url, clock, Endpoints()) as worker:
        first, second, third = await worker.add(3)

        def unit(records: Records) -> list[Notice]:
            for name, after in (
                (first, Notice.heard),
                (second, lambda notice, now: notice.missed(now, "status_410", final=True)),
            ):
                known = records.notices.get(name)
                assert known
                records.notices.save(after(known, NOW))
            late = NOW + timedelta(hours=73)
            return records.notices.list(Page("", 9), NoticeFilter(overdue=True), late)[0]

        assert [each.name for each in await worker.store.write(unit)] == [third, second]


def test_pauses_double_to_an_hour_and_spread() -> None:
    for attempts, longest in ((1, 30), (2, 60), (5, 480), (8, 3600), (10_000, 3600)):
        drawn = {pause(f"revocations/{each}", attempts) for each in range(50)}
        assert len(drawn) == 50
        assert all(timedelta(seconds=longest) / 2 <= one for one in drawn)
        assert all(one <= timedelta(seconds=longest) for one in drawn)
