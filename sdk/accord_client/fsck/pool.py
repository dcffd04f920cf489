"""Checks bundles in several processes at once, and hands them on in order."""

from __future__ import annotations

import multiprocessing
import os
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor

from accord_client.fsck.bundles import WIDTH, Bundle, Store, check_bundles
from accord_client.fsck.report import Report

_CHUNK = 32  # bundles handed to a process at a time: some milliseconds of work
_WORTH = 250_000  # entries from which on starting processes pays
_MOST = 8
_MOST_ABSENT = 1_000  # bundles in a row


def checked(
    store: Store, size: int, sizes: Sequence[int], report: Report, processes: int = 0
) -> Iterator[Bundle]:
    """The bundles of a log of ``size``, in order; 0 ``processes`` means as many as help.

    Ends early, with a finding, where nothing more is there: a size is only a number, and whoever
    may sign may state any.
    """
    absent = 0
    for bundle in _all(store, size, sorted(sizes), processes):
        yield bundle
        absent = absent + 1 if bundle.by_leaf is None and not bundle.entries else 0
        if absent > _MOST_ABSENT:
            where = store.name_entry(bundle.number * WIDTH)
            report.add(where, f"nothing is there, nor is anything looked for up to {size}")
            return


def _all(store: Store, size: int, sizes: Sequence[int], processes: int) -> Iterator[Bundle]:
    chunks = _chunks(size, sizes)
    workers = processes or (min(_MOST, os.cpu_count() or 1) if size >= _WORTH else 1)
    if workers == 1:
        for chunk, part in chunks:
            yield from check_bundles(store, chunk, part)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        waiting: deque[Future[list[Bundle]]] = deque()
        for chunk, part in chunks:
            waiting.append(pool.submit(check_bundles, store, chunk, part))
            if len(waiting) > 4 * workers:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()


def _chunks(
    size: int, sizes: Sequence[int]
) -> Iterator[tuple[list[tuple[int, int]], Sequence[int]]]:
    """What is handed to a process: bundles, and the sizes that statements in them are about."""
    for start in range(0, size, _CHUNK * WIDTH):
        end = min(start + _CHUNK * WIDTH, size)
        bundles = [(at // WIDTH, min(WIDTH, end - at)) for at in range(start, end, WIDTH)]
        yield bundles, sizes[bisect_left(sizes, start) : bisect_right(sizes, end)]
