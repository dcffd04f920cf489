"""What a question costs that the SDK answers from a permit in memory."""

import asyncio
import itertools
import statistics
import time
from collections.abc import Sequence

from accord.sharing.v1 import decision_pb2
from accord_client.cache import Ask
from accord_client.guard import Accord
from accord_client.profile import Profile

from bench._checks import questions
from bench._load import report
from bench._people import People
from bench._region import NAME, Region

PERMITS = 1_000
TURN = 10_000  # questions before others on the loop, such as Watch, have their turn
ROUND_S, ROUNDS = 2.0, 5


def profile(region: Region, name: str = "sharing") -> Profile:
    """Return who asks, and where a process of the service listens."""
    return Profile(
        region=NAME,
        certificate_file=region.directory / "app.crt",
        key_file=region.directory / "app.key",
        trust_bundle_file=region.directory / "bundle.pem",
        sharing_address=f"127.0.0.1:{region.ports[name]}",
    )


async def cached(region: Region, people: People) -> None:
    """Ask for permits, then ask the same again: made ready once, and as new messages."""
    async with Accord.connect(profile(region)) as accord:
        await accord.heard()
        asked: list[decision_pb2.Question] = []
        for question in questions(people):
            if (await accord.check(question)).permitted:
                asked.append(question)
            if len(asked) == PERMITS:
                break
        ready = [Ask(question) for question in asked]
        rounds = [
            (await _per_second(accord, ready), await _per_second(accord, asked))
            for _ in range(ROUNDS)
        ]
    report(
        "cached_checks_per_s", statistics.median(made for made, _ in rounds), "1/s", region.store
    )
    read = statistics.median(messages for _, messages in rounds)
    report("cached_checks_of_messages_per_s", read, "1/s", region.store)


async def _per_second(accord: Accord, asked: Sequence[Ask | decision_pb2.Question]) -> float:
    """Return answers per second; whatever is not from memory counts against it."""
    turn: list[Ask | decision_pb2.Question] = list(itertools.islice(itertools.cycle(asked), TURN))
    began, done = time.perf_counter(), 0
    while time.perf_counter() - began < ROUND_S:
        for question in turn:
            if not (await accord.check(question)).permitted:
                raise RuntimeError("a permit is gone")
        done += TURN
        await asyncio.sleep(0)
    return done / (time.perf_counter() - began)
