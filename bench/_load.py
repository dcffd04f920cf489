"""Ways to put load on a service, and how its figures are printed."""

import asyncio
import json
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import grpc

from bench._region import DOMAIN

Ask = Callable[[], Awaitable[object]]


def report(name: str, value: float, unit: str, store: str) -> None:
    """Print one figure."""
    line = {"name": name, "value": round(value, 3), "unit": unit, "store": store}
    print(json.dumps(line), flush=True)


def connect(
    directory: Path, port: int, service: str = "sharing", caller: str = "app"
) -> grpc.aio.Channel:
    """Open a connection to a service, by default of the app that asks."""
    credentials = grpc.ssl_channel_credentials(
        root_certificates=(directory / "bundle.pem").read_bytes(),
        private_key=(directory / f"{caller}.key").read_bytes(),
        certificate_chain=(directory / f"{caller}.crt").read_bytes(),
    )
    options = [
        ("grpc.ssl_target_name_override", f"{service}.{DOMAIN}"),
        ("grpc.max_receive_message_length", 8 << 20),
        ("grpc.use_local_subchannel_pool", 1),  # a connection of its own
    ]
    return grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials, options=options)


async def rate(ask: Ask, concurrency: int, seconds: float) -> float:
    """Return calls per second with a fixed number always in progress."""
    end = time.monotonic() + seconds
    done = 0

    async def caller() -> None:
        nonlocal done
        while time.monotonic() < end:
            await ask()
            done += 1

    began = time.monotonic()
    await asyncio.gather(*(caller() for _ in range(concurrency)))
    return done / (time.monotonic() - began)


async def latencies(ask: Ask, per_second: float, seconds: float) -> list[float]:
    """Call at a fixed rate, however slow the answers; return the seconds from when each was due.

    A late start counts against the answer, so that a stall is not omitted from the figures.
    """
    spent: list[float] = []
    began = time.monotonic()

    async def one(due: float) -> None:
        await ask()
        spent.append(time.monotonic() - due)

    async with asyncio.TaskGroup() as calls:
        for number in range(int(per_second * seconds)):
            due = began + number / per_second
            if (wait := due - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            calls.create_task(one(due))
    return spent


def percentile(values: Sequence[float], hundredth: int) -> float:
    """Return the value below which so many of a hundred lie."""
    return statistics.quantiles(values, n=100)[hundredth - 1]
