"""Work spread over several processes, whose results come in the order of the work."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ProcessPoolExecutor
from typing import TypeVar

_MOST = 8
_AHEAD = 4  # parts that are worked on or waited for, for each process

Part = TypeVar("Part")
Result = TypeVar("Result")


def as_many_as_help(*, worth: bool) -> int:
    """How many processes to use where nobody says it; one for work that is over in no time."""
    return min(_MOST, os.cpu_count() or 1) if worth else 1


def spread(
    work: Callable[[Part], Result], parts: Iterable[Part], processes: int
) -> Generator[Result]:
    """What ``work`` makes of each part, in order; it and all parts are sent to the processes.

    The first part that raises ends it, with what it raised, whatever came of those behind it. In
    one process nothing is started. Parts are taken as they are needed, so there may be any number.
    """
    if processes == 1:
        yield from map(work, parts)
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes, mp_context=context, initializer=_end_with_parent)
    try:
        waiting: deque[Future[Result]] = deque()
        for part in parts:
            waiting.append(pool.submit(work, part))
            if len(waiting) > _AHEAD * processes:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _end_with_parent() -> None:
    """Leaves Ctrl-C to the process that started this one, and ends however that one ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None  # noqa: S101 -- who was started by one

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
