"""Measures the sharing service: `bin/bench sharing`. JSON lines, one figure each.

For each store, sharing and audit run as processes over mTLS with everything on: caller rules, the
outbox relayed to the real log, every decision durable before its answer. On record are 1,000,000
consents of 100,000 people and 10,000 contracts (`--small`: a try-out of seconds). The client, the
services and the bare echo server share the machine.
"""

import argparse

import uvloop

from bench import _batch, _checks, _guard, _people
from bench._load import report
from bench._people import FULL, SMALL, Size
from bench._region import STORES, region

SUSTAINED_S = 60.0


async def measure(store: str, size: Size, seconds: float) -> None:
    """Take every figure on one store."""
    with region(store) as here:
        people = await _people.fill(here.url("sharing"), size)
        await _checks.engine(here, people)
        here.start("audit")
        here.start("sharing")
        await _batch.warm(here, people)
        capacity = await _checks.unary(here, people)
        await _batch.drained(here)
        await _checks.half_load(here, people, capacity)
        await _checks.token_cost(here, people)
        await _guard.cached(here, people)
        await _batch.drained(here)
        await _batch.batches(here, people, seconds)
        report("rss_mb", here.rss_mb("sharing"), "MiB", store)


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(prog="bin/bench sharing", description=__doc__)
    parser.add_argument("--store", choices=STORES, action="append", help="only this store")
    parser.add_argument("--small", action="store_true", help="few records, short rounds")
    chosen = parser.parse_args()
    for store in chosen.store or STORES:
        size = SMALL if chosen.small else FULL
        uvloop.run(measure(store, size, 5.0 if chosen.small else SUSTAINED_S))


if __name__ == "__main__":
    main()
