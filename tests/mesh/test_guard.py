"""Invariant 2 with the SDK before real processes: what is revoked is not answered from memory."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from http import HTTPStatus

import pytest
from accord.sharing.v1 import decision_pb2
from accord_client.cache import Ask
from accord_client.fault import Fault
from accord_client.guard import Accord

from sandbox.mesh import Mesh
from tests.mesh.people import Person
from tests.mesh.records import agree, profile

KIND, PURPOSE = "service_provider.advertising", "direct_marketing"


@pytest.fixture(scope="module")
def recipient(region: Mesh) -> str:
    """An advertiser with a contract in force."""
    return agree(region, "guardedads", KIND, PURPOSE, "contact.email")


def question(person: Person, recipient: str) -> Ask:
    return Ask(
        decision_pb2.Question(
            account=person.account,
            service="mi_store",
            recipient=recipient,
            purpose=PURPOSE,
            categories=["contact.email"],
        )
    )


def consent(person: Person, recipient: str) -> None:
    page = person.browser.open("/sharing/offers/advertising")
    while page.status == HTTPStatus.SERVICE_UNAVAILABLE:  # a busy machine: come again, it says
        page = person.browser.open("/sharing/offers/advertising")
    offer = page.form("/sharing/offers/advertising")
    person.browser.submit(offer, recipient=recipient, categories=["contact.email"], answer="yes")


def withdraw(person: Person) -> None:
    person.browser.submit(person.browser.open("/sharing").form("/withdraw"))


def run(region: Mesh, play: Callable[[list[Accord]], Awaitable[None]], *, clients: int = 1) -> None:
    """Play something with clients that have heard Watch."""

    async def act() -> None:
        async with AsyncExitStack() as stack:
            opened = [Accord.connect(profile(region, "mi-store")) for _ in range(clients)]
            accords = [await stack.enter_async_context(accord) for accord in opened]
            await asyncio.gather(*(accord.heard() for accord in accords))
            await play(accords)

    asyncio.run(act())


def test_invariant_2_a_withdrawal_ends_what_ten_clients_have_in_memory_within_a_second(
    region: Mesh, arjun: Person, recipient: str
) -> None:
    ask = question(arjun, recipient)
    consent(arjun, recipient)

    async def play(accords: list[Accord]) -> None:
        for accord in accords:
            assert (await accord.check(ask)).permitted
            assert accord.recall(ask) is not None
        await asyncio.to_thread(withdraw, arjun)
        acknowledged = time.monotonic()

        async def forgotten(accord: Accord) -> None:
            while accord.recall(ask) is not None:
                await accord.heard()

        await asyncio.gather(*(forgotten(accord) for accord in accords))
        assert time.monotonic() - acknowledged < 1.0
        for accord in accords:
            verdict = await accord.check(ask)
            assert (verdict.permitted, verdict.reasons) == (False, ("CONSENT_WITHDRAWN",))

    run(region, play, clients=10)


def test_invariant_2_whoever_is_shown_a_permit_honours_it_until_the_withdrawal(
    region: Mesh, arjun: Person, recipient: str
) -> None:
    ask = question(arjun, recipient)
    consent(arjun, recipient)

    async def play(accords: list[Accord]) -> None:
        (asking,) = accords
        async with Accord.connect(profile(region, "live-chat")) as holder:
            await holder.heard()
            given = await asking.check(ask)

            async def honoured(app: str = "mi-store") -> bool:
                shown_by = f"spiffe://{region.region}.accord.internal/app/{app}"
                return bool(await holder.honours(given.permit, ask.question, shown_by=shown_by))

            assert await honoured()
            assert not await honoured("live-chat")
            await asyncio.to_thread(withdraw, arjun)
            acknowledged = time.monotonic()
            while await honoured():
                assert time.monotonic() - acknowledged < 1.0
                await holder.heard()

    run(region, play)


def test_what_is_revoked_while_nobody_listens_is_heard_before_anything_is_answered(
    region: Mesh, arjun: Person, recipient: str
) -> None:
    ask = question(arjun, recipient)
    consent(arjun, recipient)

    async def play(accords: list[Accord]) -> None:
        (accord,) = accords
        assert (await accord.check(ask)).permitted
        for task in asyncio.all_tasks():
            if task.get_name() == "accord-watch":
                task.cancel()  # nobody listens
        await asyncio.to_thread(withdraw, arjun)
        listening = asyncio.create_task(accord._watch())
        await accord.heard()
        assert accord.recall(ask) is None
        assert accord.counters.revoked == 1
        listening.cancel()

    run(region, play)


def test_invariant_2_without_watch_nothing_is_answered_from_memory_after_its_bound(
    region: Mesh, arjun: Person, recipient: str
) -> None:
    ask = question(arjun, recipient)
    consent(arjun, recipient)

    async def play(accords: list[Accord]) -> None:
        (accord,) = accords
        verdict = await accord.check(ask)
        region.process("sharing").kill()
        accord.disclosed_soon(verdict, ["contact.email"])
        cut = time.monotonic()
        while accord.recall(ask) is not None:
            assert time.monotonic() - cut < 1.0
            await asyncio.sleep(0)
        with pytest.raises(Fault) as away:  # who is not told yes does not share
            await accord.check(ask)
        assert away.value.reason in {"", "UNAVAILABLE"}
        assert accord.counters.silent > 0
        # On this very thread: a process of the sandbox ends with the thread that started it.
        region.restart("sharing")
        await asyncio.wait_for(accord.heard(), 20)
        assert accord.recall(ask) is not None  # nothing was revoked meanwhile: it goes on
        assert accord.counters.asked == 2
        await asyncio.wait_for(asyncio.gather(*accord._recording), 30)
        assert accord.counters.unrecorded == 0  # what was sent is recorded although it was away

    run(region, play)
