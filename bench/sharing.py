"""How fast sharing decides: the engine alone, and Check over mTLS against a bare echo.

Prints JSON lines. `check_unary_ratio` is the rate of unary Check with everything on (mTLS, caller
rules, each decision durable, its event relayed to a real audit process) divided by the rate of a
bare grpc.aio echo over mTLS, with the same messages, client and connections, in rounds that take
turns within this run. Both servers are one process each; audit is one more beside sharing.
"""

import asyncio
import itertools
import json
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import uvloop
from accord.sharing.v1 import decision_pb2
from accord.sharing.v1 import decision_service_pb2 as pb
from accord.sharing.v1.decision_service_pb2_grpc import DecisionServiceStub

from bench._region import DOMAIN, certify, echoing, fill, running
from runtime.db import Database
from services.sharing.domain.engine import decide
from services.sharing.domain.ports import Records
from services.sharing.domain.question import Facts, Question
from services.sharing.store.records import SqlStore
from services.sharing.store.rulebook import load_rulebook

if TYPE_CHECKING:
    from accord.sharing.v1.decision_service_pb2_grpc import DecisionServiceAsyncStub

ENGINE_RUNS = 20_000
CONCURRENCY = 64
WARM_UP_S = 2.0
ROUNDS = 4
ROUND_S = 3.0


def report(name: str, value: float, unit: str) -> None:
    """Print one figure."""
    line = {"name": name, "value": round(value, 3), "unit": unit, "store": "sqlite"}
    print(json.dumps(line), flush=True)


def questions(accounts: list[str]) -> list[pb.CheckRequest]:
    """Make questions that are permitted, denied and open, as they come in a shop."""
    asked = []
    for n, account in enumerate(accounts):
        delivery = decision_pb2.Question(
            account=account,
            service="mi_store",
            recipient="recipients/dhl",
            purpose="delivery",
            categories=["contact.name", "contact.phone", "contact.address"],
            relation=f"order-{n}",
            destination="DE",
        )
        marketing = decision_pb2.Question(
            account=account,
            service="mi_store",
            recipient="recipients/ads",
            purpose="direct_marketing",
            categories=["contact.email"] if n % 2 else ["contact.email", "device.imei"],
            destination="DE",
        )
        asked += [pb.CheckRequest(question=question) for question in (delivery, marketing)]
    return asked


async def engine(url: str, requests: list[pb.CheckRequest]) -> None:
    """Time the full evaluation of questions whose facts are in memory."""
    rulebook = load_rulebook()
    database = Database(url)

    def load(records: Records) -> list[tuple[Question, Facts]]:
        return [_case(records, request.question) for request in requests]

    cases = itertools.cycle(await SqlStore(database).read(load))
    await database.close()
    now = datetime.now(UTC)
    spent = []
    for question, facts in itertools.islice(cases, ENGINE_RUNS):
        began = time.perf_counter_ns()
        decide(rulebook, question, facts, now)
        spent.append((time.perf_counter_ns() - began) / 1000)
    quantiles = statistics.quantiles(spent, n=100)
    report("engine_p50_us", quantiles[49], "us")
    report("engine_p99_us", quantiles[98], "us")


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


async def rate(
    stub: "DecisionServiceAsyncStub", requests: list[pb.CheckRequest], seconds: float
) -> float:
    """Return calls per second with a fixed number always in progress."""
    asked = itertools.cycle(requests)
    end = time.monotonic() + seconds
    done = 0

    async def caller() -> None:
        nonlocal done
        while time.monotonic() < end:
            await stub.Check(next(asked), timeout=10)
            done += 1

    began = time.monotonic()
    await asyncio.gather(*(caller() for _ in range(CONCURRENCY)))
    return done / (time.monotonic() - began)


def connect(directory: Path, port: int) -> grpc.aio.Channel:
    """Open the connection of the app that asks."""
    credentials = grpc.ssl_channel_credentials(
        root_certificates=(directory / "bundle.pem").read_bytes(),
        private_key=(directory / "app.key").read_bytes(),
        certificate_chain=(directory / "app.crt").read_bytes(),
    )
    options = [("grpc.ssl_target_name_override", f"sharing.{DOMAIN}")]
    return grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials, options=options)


async def wire(directory: Path, url: str, requests: list[pb.CheckRequest]) -> None:
    """Measure Check and echo in rounds that take turns."""
    with running(directory, url) as port:
        async with connect(directory, port) as sharing:
            check: DecisionServiceAsyncStub = DecisionServiceStub(sharing)
            answer = await check.Check(requests[0], timeout=10, wait_for_ready=True)
            (directory / "answer.bin").write_bytes(answer.SerializeToString())
            with echoing(directory) as echo_port:
                async with connect(directory, echo_port) as bare:
                    echo: DecisionServiceAsyncStub = DecisionServiceStub(bare)
                    await rate(echo, requests, WARM_UP_S)
                    await rate(check, requests, WARM_UP_S)
                    rounds = [
                        (await rate(echo, requests, ROUND_S), await rate(check, requests, ROUND_S))
                        for _ in range(ROUNDS)
                    ]
    echoed = statistics.median(echo for echo, _ in rounds)
    checked = statistics.median(check for _, check in rounds)
    report("echo_unary_per_s", echoed, "1/s")
    report("check_unary_per_s", checked, "1/s")
    report("check_unary_ratio", checked / echoed, "ratio")


async def main() -> None:
    """Run every measurement in a directory of its own."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        certify(directory)
        url = f"sqlite:///{directory / 'sharing.db'}"
        requests = questions(await fill(url))
        await engine(url, requests)
        await wire(directory, url, requests)


if __name__ == "__main__":
    uvloop.run(main())
