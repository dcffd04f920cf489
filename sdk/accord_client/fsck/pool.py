"""Checks bundles in several processes at once, and hands them on in order."""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor

from accord_client.fsck.bundles import WIDTH, Bundle, Store, check_bundles

_CHUNK = 32  # bundles handed to a process at a time: some milliseconds of work
_WORTH = 250_000  # entries from which on starting processes pays
_MOST = 8


def checked(store: Store, size: int, sizes: Sequence[int], processes: int = 0) -> Iterator[Bundle]:
    """All bundles of a log of ``size``, in order; 0 ``processes`` means as many as help."""
    wanted = [(start // WIDTH, min(WIDTH, size - start)) for start in range(0, size, WIDTH)]
    chunks = [wanted[at : at + _CHUNK] for at in range(0, len(wanted), _CHUNK)]
    parts = _by_chunk(sizes, len(chunks))
    workers = processes or (min(_MOST, os.cpu_count() or 1) if size >= _WORTH else 1)
    if workers == 1:
        for chunk, part in zip(chunks, parts, strict=True):
            yield from check_bundles(store, chunk, part)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        waiting: deque[Future[list[Bundle]]] = deque()
        for chunk, part in zip(chunks, parts, strict=True):
            waiting.append(pool.submit(check_bundles, store, chunk, part))
            if len(waiting) > 4 * workers:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()


def _by_chunk(sizes: Sequence[int], count: int) -> list[list[int]]:
    parts: list[list[int]] = [[] for _ in range(count)]
    for size in sizes:
        chunk = size // WIDTH // _CHUNK
        if chunk < count:
            parts[chunk].append(size)
    return parts
