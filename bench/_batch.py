"""What a batch of decisions costs, kept up, and how far the log is behind when it ends."""

import asyncio
import itertools
import time
from typing import TYPE_CHECKING

from accord.sharing.v1 import decision_service_pb2 as pb
from accord.sharing.v1.decision_service_pb2_grpc import DecisionServiceStub
from sqlalchemy import func, select

from bench._checks import questions
from bench._load import connect, rate, report
from bench._people import People
from bench._region import Region
from runtime.db import Database
from services.sharing.store.tables import outbox

if TYPE_CHECKING:  # a name of the stubs' types alone
    from accord.sharing.v1.decision_service_pb2_grpc import DecisionServiceAsyncStub

QUESTIONS = 500
IN_PROGRESS = 4
LAG_LIMIT_S = 120.0
_POLL_S = 0.02


async def warm(region: Region, people: People) -> None:
    """Ask about everybody once, so that all facts are where a long-running service has them."""
    asked = questions(people)
    async with connect(region.directory, region.ports["sharing"]) as sharing:
        stub: DecisionServiceAsyncStub = DecisionServiceStub(sharing)
        for _ in range(len(people.accounts) // QUESTIONS + 1):
            request = pb.CheckBatchRequest(questions=itertools.islice(asked, QUESTIONS))
            await stub.CheckBatch(request, timeout=30, wait_for_ready=True)
    await drained(region)


async def batches(region: Region, people: People, seconds: float) -> None:
    """Measure decisions a second of one process, and the seconds until the log has them all."""
    asked = questions(people)
    requests = itertools.cycle(
        [
            pb.CheckBatchRequest(questions=itertools.islice(asked, QUESTIONS))
            for _ in range(max(8, min(64, len(people.accounts) // QUESTIONS)))
        ]
    )
    async with connect(region.directory, region.ports["sharing"]) as sharing:
        stub: DecisionServiceAsyncStub = DecisionServiceStub(sharing)
        per_second = await rate(
            lambda: stub.CheckBatch(next(requests), timeout=30), IN_PROGRESS, seconds
        )
    lag = await drained(region)
    report("batch_decisions_per_s", per_second * QUESTIONS, "1/s", region.store)
    report("outbox_lag_s", lag, "s", region.store)


async def drained(region: Region) -> float:
    """Wait until the log has everything; return how long that took."""
    database = Database(region.url("sharing"))
    began = time.monotonic()
    try:
        while await database.read(
            lambda tx: tx.execute(select(func.count()).select_from(outbox)).scalar_one()
        ):
            if time.monotonic() - began > LAG_LIMIT_S:
                raise RuntimeError("the outbox does not drain")
            await asyncio.sleep(_POLL_S)
    finally:
        await database.close()
    return time.monotonic() - began
