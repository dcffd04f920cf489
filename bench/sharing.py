"""Measures the sharing service: `bin/bench sharing`. JSON lines, one figure each.

For each store, sharing and audit run as processes over mTLS with everything on: caller rules, the
outbox relayed to the real log, every decision durable before its answer. On record are 1,000,000
consents of 100,000 people and 10,000 contracts (`--small`: a try-out of seconds). The client, the
services and the bare echo server share the machine.
"""

import argparse

import uvloop

from bench import _batch, _checks, _guard, _people, _revoke
from bench._load import report
from bench._people import FULL, SMALL, People, Size
from bench._region import STORES, Region, region

SUSTAINED_S = {FULL: 60.0, SMALL: 5.0}
PARTS = ("engine", "calls", "token", "cached", "revocations", "batches")


async def measure(store: str, size: Size, parts: list[str], processes: int) -> None:
    """Take the figures of some parts on one store."""
    with region(store) as here:
        here.each = processes
        people = await _people.fill(here.url("sharing"), size)
        if "engine" in parts:
            await _checks.engine(here, people)
        here.start("audit")
        here.start("sharing", settings={"ACCORD_PROCESSES": str(processes)})
        await _batch.warm(here, people)
        if "calls" in parts:
            capacity = await _checks.unary(here, people)
            await _batch.drained(here)
            await _checks.half_load(here, people, capacity)
        if "token" in parts:
            await _checks.token_cost(here, people)
        if "cached" in parts:
            await _guard.cached(here, people)
        await _batch.drained(here)
        if "revocations" in parts:
            await _revoke.revocations(here)
        if "batches" in parts:
            await _sustained(here, people, SUSTAINED_S[size])


async def _sustained(here: Region, people: People, seconds: float) -> None:
    await _batch.batches(here, people, seconds)
    report("rss_mb", here.rss_mb("sharing"), "MiB", here.store)


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(prog="bin/bench sharing", description=__doc__)
    parser.add_argument("--store", choices=STORES, action="append", help="only this store")
    parser.add_argument("--part", choices=PARTS, action="append", help="only this part")
    parser.add_argument(
        "--processes", type=int, default=1, help="of sharing and the echo, on PostgreSQL"
    )
    parser.add_argument("--small", action="store_true", help="few records, short rounds")
    chosen = parser.parse_args()
    for store in chosen.store or STORES:
        size = SMALL if chosen.small else FULL
        uvloop.run(measure(store, size, chosen.part or list(PARTS), chosen.processes))


if __name__ == "__main__":
    main()
