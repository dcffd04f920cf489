"""What one decision costs: the engine alone, and unary calls over mTLS."""

import itertools
import statistics
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias

from accord.sharing.v1 import decision_pb2, freshness_pb2
from accord.sharing.v1 import decision_service_pb2 as pb
from accord.sharing.v1.decision_service_pb2_grpc import DecisionServiceStub

from bench._load import connect, latencies, percentile, rate, report
from bench._people import People
from bench._region import Region
from runtime.db import Database
from services.sharing.api.codec import ProtoDecisions
from services.sharing.domain.engine import decide
from services.sharing.domain.ports import Records
from services.sharing.domain.question import Facts, Question
from services.sharing.store.records import SqlStore
from services.sharing.store.rulebook import load_rulebook

if TYPE_CHECKING:  # a name of the stubs' types alone
    from accord.sharing.v1.decision_service_pb2_grpc import DecisionServiceAsyncStub

Stubs: TypeAlias = "Iterator[DecisionServiceAsyncStub]"

_CONNECTIONS = 4  # for each of several processes
CONCURRENCY = 64  # calls in progress, as in the echo
ENGINE_RUNS = 20_000
ENGINE_CASES = 2_000
WARM_UP_S, ROUND_S, ROUNDS = 3.0, 4.0, 5
HALF_LOAD_S = 20.0


def questions(people: People) -> Iterator[decision_pb2.Question]:
    """Ask about everybody in turn, as it comes in a shop: permitted, denied and open, for ever."""
    deliverers, advertisers = (itertools.cycle(names) for names in people.recipients)
    for number, account in enumerate(itertools.cycle(people.accounts)):
        if number % 2:
            yield decision_pb2.Question(
                account=account,
                service="mi_store",
                recipient=next(advertisers),
                purpose="direct_marketing",
                categories=["contact.email"]
                if number % 4 == 1
                else ["contact.email", "device.imei"],
                destination="DE",
            )
        else:
            yield decision_pb2.Question(
                account=account,
                service="mi_store",
                recipient=next(deliverers),
                purpose="delivery",
                categories=["contact.name", "contact.phone", "contact.address"],
                relation=f"order-{number}",
                destination="DE",
            )


async def engine(region: Region, people: People) -> None:
    """Time the full evaluation of questions whose facts are in memory."""
    asked = list(itertools.islice(questions(people), ENGINE_CASES))
    rulebook = load_rulebook()
    database = Database(region.url("sharing"))

    def load(records: Records) -> list[tuple[Question, Facts]]:
        return [_case(records, question) for question in asked]

    cases = itertools.cycle(await SqlStore(database, ProtoDecisions()).read(load))
    await database.close()
    now = datetime.now(UTC)
    spent = []
    for question, facts in itertools.islice(cases, ENGINE_RUNS):
        began = time.perf_counter_ns()
        decide(rulebook, question, facts, now, remember=True)
        spent.append((time.perf_counter_ns() - began) / 1000)
    report("engine_p50_us", percentile(spent, 50), "us", region.store)
    report("engine_p99_us", percentile(spent, 99), "us", region.store)


async def unary(region: Region, people: People) -> float:
    """Measure Check and echo in rounds that take turns; return the Checks per second."""
    asked = (pb.CheckRequest(question=question) for question in questions(people))
    async with _stubs(region, region.ports["sharing"]) as check:
        answer = await next(check).Check(next(asked), timeout=10, wait_for_ready=True)
        port = region.start_echo(answer.SerializeToString())
        async with _stubs(region, port) as echo:

            async def per_second(stubs: Stubs, seconds: float) -> float:
                return await rate(
                    lambda: next(stubs).Check(next(asked), timeout=10), CONCURRENCY, seconds
                )

            for stubs in (echo, check):
                await per_second(stubs, WARM_UP_S)
            rounds = [
                (await per_second(echo, ROUND_S), await per_second(check, ROUND_S))
                for _ in range(ROUNDS)
            ]
    region.end(*(name for name in region.processes if name.startswith("echo")))
    echoed = statistics.median(echoes for echoes, _ in rounds)
    checked = statistics.median(checks for _, checks in rounds)
    report("echo_unary_per_s", echoed, "1/s", region.store)
    report("check_unary_per_s", checked, "1/s", region.store)
    report("check_unary_ratio", checked / echoed, "ratio", region.store)
    return checked


async def half_load(region: Region, people: People, capacity: float) -> None:
    """Measure how long a Check takes at half of the rate that the service can take."""
    asked = (pb.CheckRequest(question=question) for question in questions(people))
    async with _stubs(region, region.ports["sharing"]) as check:
        await rate(lambda: next(check).Check(next(asked), timeout=10), 4, WARM_UP_S)
        spent = await latencies(
            lambda: next(check).Check(next(asked), timeout=10), capacity / 2, HALF_LOAD_S
        )
    report("check_p50_ms_at_half_load", percentile(spent, 50) * 1000, "ms", region.store)
    report("check_p99_ms_at_half_load", percentile(spent, 99) * 1000, "ms", region.store)


async def token_cost(region: Region, people: People) -> None:
    """Compare calls that carry the newest token with calls that ask for the fastest answer."""
    asked = questions(people)
    async with connect(region.directory, region.ports["sharing"]) as sharing:
        check: DecisionServiceAsyncStub = DecisionServiceStub(sharing)
        token = ""

        async def fresh() -> None:
            nonlocal token
            freshness = freshness_pb2.Freshness(at_least_as_fresh=token)
            request = pb.CheckRequest(question=next(asked), freshness=freshness)
            token = (await check.Check(request, timeout=10)).decision.token

        async def fast() -> None:
            nonlocal token
            request = pb.CheckRequest(question=next(asked))
            token = (await check.Check(request, timeout=10)).decision.token

        await rate(fast, CONCURRENCY, WARM_UP_S)
        rounds = [
            (await rate(fast, CONCURRENCY, ROUND_S), await rate(fresh, CONCURRENCY, ROUND_S))
            for _ in range(ROUNDS)
        ]
    cost = statistics.median(fastest / freshest for fastest, freshest in rounds)
    report("token_cost_ratio", cost, "ratio", region.store)


@asynccontextmanager
async def _stubs(region: Region, port: int) -> AsyncIterator[Stubs]:
    """Open connections to the processes behind a port; hand them out in turn, for ever.

    The kernel gives each to one of the processes: with a few for each, none is left without.
    """
    count = 1 if region.each == 1 else _CONNECTIONS * region.each
    async with AsyncExitStack() as stack:
        opened = [
            await stack.enter_async_context(connect(region.directory, port)) for _ in range(count)
        ]
        stubs: list[DecisionServiceAsyncStub] = [DecisionServiceStub(each) for each in opened]
        yield itertools.cycle(stubs)


def _case(records: Records, asked: decision_pb2.Question) -> tuple[Question, Facts]:
    recipient = records.recipients.get(asked.recipient)
    if recipient is None:
        raise RuntimeError(f"{asked.recipient} is missing")
    question = Question(
        account=asked.account,
        service=asked.service,
        recipient=asked.recipient,
        purpose=asked.purpose,
        categories=tuple(asked.categories),
        destination=asked.destination,
        relation=asked.relation,
    )
    facts = Facts(
        recipient=recipient,
        subject=records.subjects.get(asked.account),
        contracts=records.contracts.with_recipient(asked.recipient),
        consents=records.consents.of(asked.account),
        preferences=records.preferences.of(asked.account),
    )
    return question, facts
