"""Ends that concern much: told a part at a time, by whoever is there, and each recipient once."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from accord.sharing.v1 import preference_service_pb2, subject_pb2
from sqlalchemy import event
from sqlalchemy.engine import Engine

from runtime.testing import serving
from services.sharing.cases import tell_recipients
from services.sharing.main import assembled
from services.sharing.store.endings import StoredEndings
from services.sharing.store.notices import StoredNotices
from tests.contract.sharing.conftest import Sharing, request_id, rows
from tests.contract.sharing.test_disclosures import recorded
from tests.contract.sharing.test_ends import ADS, DAY, sent
from tests.contract.sharing.test_permits import MARKETING, advertising
from tests.contract.sharing.test_persons import give
from tests.contract.sharing.test_revocations import caused, notices, withdraw

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from services.sharing.domain.revocation import Ending, Received

PART = 3


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Have an end told so few at a time; return how many were looked at, each time."""
    seen: list[int] = []
    received = StoredNotices.received

    def few(self: StoredNotices, holder: str, after: int, most: int) -> Any:
        found: tuple[list[Received], int] = received(self, holder, after, most)
        seen.append(len(found[0]))
        return found

    monkeypatch.setattr(StoredNotices, "received", few)
    monkeypatch.setattr(tell_recipients, "MOST_DECISIONS", PART)
    return seen


async def run_out(sharing: Sharing, consent: str) -> str:
    await give(sharing, scope=None, name=consent, expire_time=sharing.bench.clock.now() + DAY)
    sharing.bench.clock.advance(DAY)
    return "CONSENT_EXPIRED"


async def withdrawn(sharing: Sharing, consent: str) -> str:
    await withdraw(sharing, consent)
    return "CONSENT_WITHDRAWN"


async def stopped(sharing: Sharing, _: str) -> str:
    stop = preference_service_pb2.StopSharingRequest(request_id=request_id(), recipient=str(ADS))
    choice = (await sharing.by_person("preferences", "StopSharing", stop)).preference
    lift = preference_service_pb2.LiftRequest(request_id=request_id(), name=choice.name)
    await sharing.by_person("preferences", "Lift", lift)
    stop.request_id = request_id()
    await sharing.by_person("preferences", "StopSharing", stop)  # not told again
    return "SHARING_STOPPED"


async def deleted(sharing: Sharing, _: str) -> str:
    await sharing.know_person(version=9, status=subject_pb2.SUBJECT_STATUS_DELETED)
    return "ACCOUNT_DELETED"


async def counted(sharing: Sharing, decisions: list[str]) -> Counter[str]:
    """Return how often each was told, once each of these was and no end is left."""
    async with asyncio.timeout(30):
        while True:
            told = Counter(name for each in await notices(sharing) for name in each.decisions)
            if told.keys() >= set(decisions) and not rows(sharing.url, "endings"):
                return told


@pytest.mark.parametrize("end", [run_out, withdrawn, stopped, deleted])
async def test_an_end_that_concerns_much_is_told_a_part_at_a_time_and_once(
    sharing: Sharing, parts: list[int], end: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    consent = await advertising(sharing)
    decisions = [await sent(sharing) for _ in range(2 * PART + 1)]
    for decision in (decisions[0], decisions[-1]):  # of one decision in several parts
        await recorded(sharing, decision, "contact.email")
    save, died = StoredEndings.save, asyncio.Event()

    def dying(self: StoredEndings, ending: Ending) -> None:
        save(self, ending)
        if not died.is_set():
            died.set()
            raise OSError

    monkeypatch.setattr(StoredEndings, "save", dying)
    cause = await end(sharing, consent)
    assert await counted(sharing, decisions) == dict.fromkeys(decisions, 1)
    assert set(caused(await notices(sharing))) == {(ADS, cause)}
    assert max(parts) == PART
    assert died.is_set()


async def test_what_is_recorded_while_an_end_is_told_is_told_once(
    sharing: Sharing, parts: list[int]
) -> None:
    consent = await advertising(sharing)
    decisions = [await sent(sharing) for _ in range(PART)]
    permits = [await sharing.check(**MARKETING) for _ in range(PART)]
    await withdraw(sharing, consent)
    for permit in permits:
        await recorded(sharing, permit.name, "contact.email")
    decisions += [permit.name for permit in permits]
    assert await counted(sharing, decisions) == dict.fromkeys(decisions, 1)
    assert max(parts) == PART


async def test_a_renewal_costs_the_same_however_much_was_sent(sharing: Sharing) -> None:
    consent = await advertising(sharing)
    touched: Counter[str] = Counter()

    def count(_: Any, cursor: Any, statement: str, *__: Any) -> None:
        if "disclos" in statement or "ending" in statement or "consents" in statement:
            touched[statement] += max(cursor.rowcount, 1)

    async def renewed() -> Counter[str]:
        touched.clear()
        ends = sharing.bench.clock.now() + timedelta(days=9)
        event.listen(Engine, "after_cursor_execute", count)
        await give(sharing, scope=None, name=consent, expire_time=ends)
        event.remove(Engine, "after_cursor_execute", count)
        return Counter({what: n for what, n in touched.items() if not what.startswith("SELECT")})

    await sent(sharing)
    first = await renewed()
    for _ in range(5):
        await sent(sharing)
        sharing.bench.clock.advance(timedelta(seconds=1))
    assert await renewed() == first


@pytest.fixture
async def replica(sharing: Sharing) -> AsyncIterator[Sharing]:
    """Another process on the same database, where it may have one."""
    if sharing.url.startswith("sqlite"):
        yield sharing
        return
    bench = sharing.bench
    async with (
        assembled(
            sharing.settings, clock=bench.clock, actor_keys=bench.actor_keys, traces=bench.traces
        ) as server,
        serving(server),
    ):
        other = Sharing(bench, server, sharing.url, sharing.stack, sharing.settings)
        other.person = sharing.person
        yield other


async def test_what_is_recorded_while_two_tell_of_an_expiry_is_told_once(
    sharing: Sharing, replica: Sharing
) -> None:
    await advertising(sharing, sharing.bench.clock.now() + DAY)
    permits = [await sharing.check(**MARKETING) for _ in range(30)]
    names = [permit.name for permit in permits]
    await recorded(sharing, names[0], "contact.email")
    sharing.bench.clock.advance(2 * DAY)
    for at in range(1, 30, 3):
        some = enumerate(names[at : at + 3])
        await asyncio.gather(
            *(recorded((sharing, replica)[n % 2], name, "contact.email") for n, name in some)
        )
        await counted(sharing, names[: at + 1])
    assert await counted(sharing, names) == dict.fromkeys(names, 1)
