"""Random ids are handed out once, in each thread and in each process."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from runtime.ids import ordered_id
from runtime.randomness import random_bytes

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


def test_no_two_calls_get_the_same_bytes() -> None:
    with ThreadPoolExecutor(4) as threads:
        pieces = list(threads.map(random_bytes, [16] * 4000))
    assert {len(piece) for piece in pieces} == {16}
    assert len(set(pieces)) == 4000


def test_more_than_a_piece() -> None:
    assert len(random_bytes(50_000)) == 50_000


def test_a_child_hands_out_none_of_its_parents_bytes() -> None:
    random_bytes(1)  # so that some are left
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, random_bytes(16))
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 16) != random_bytes(16)


def test_ordered_ids_sort_by_time() -> None:
    ids = [ordered_id(NOON + timedelta(milliseconds=n)) for n in range(100)]
    assert ids == sorted(ids)
    assert {len(text) for text in ids} == {26}
    assert ordered_id(NOON) != ordered_id(NOON)
