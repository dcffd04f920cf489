"""What checkpoints state is found again, whatever they state and however many there are."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing

from accord_client.fsck.statements import Statements

ROOT, OTHER = b"r" * 32, b"s" * 32
LARGEST = (1 << 63) - 1  # that a checkpoint can state

MANY = """
import resource
from pathlib import Path
from accord_client.fsck.statements import Statements
def used():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() >> 20
statements = Statements()
before = used()
for size in range(200_000):
    statements.add(size, size.to_bytes(32), f"checkpoints.jsonl, line {size}")
assert list(statements.sizes(0, 99_999)[-2:]) == [99_998, 99_999]
print(used() - before)
"""


def test_what_is_stated_is_found_by_its_size() -> None:
    with closing(Statements()) as statements:
        assert statements.newest() is None
        assert not statements.add(300, ROOT, "line 2")
        assert not statements.add(LARGEST, ROOT, "line 3")
        assert not statements.add(256, ROOT, "line 1")  # sizes need not come in order
        assert not statements.add(300, ROOT, "line 4")
        assert statements.of(300) == [(ROOT, "line 2")]
        assert statements.add(300, OTHER, "line 5")
        assert statements.of(300) == [(ROOT, "line 2"), (OTHER, "line 5")]
        assert statements.of(0) == []
        assert statements.sizes(256, 300) == [256, 300]
        assert statements.sizes(257, 299) == []
        assert statements.newest() == LARGEST


def test_many_take_no_more_memory_than_few() -> None:
    said = subprocess.run(  # noqa: S603 -- this very interpreter
        [sys.executable, "-c", MANY],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(said.stdout) < 8, "MiB"
