"""Several processes: results in order, the first failure alone, and nobody left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest
from accord_client.failure import VerificationError
from accord_client.processes import spread

SAID = "ACCORD_TEST_SAID"
GO = "ACCORD_TEST_GO"


def doubled(part: int) -> int:
    if part % 100 == 99:
        raise VerificationError("format", f"part {part}")
    return 2 * part


@pytest.mark.parametrize("processes", [1, 2])
def test_results_come_in_order_until_the_first_that_fails(processes: int) -> None:
    taken: list[int] = []

    def parts() -> Iterator[int]:
        for part in count():
            taken.append(part)
            yield part

    found: list[int] = []
    with (
        closing(spread(doubled, parts(), processes)) as results,
        pytest.raises(VerificationError, match=r"^part 99$") as caught,
    ):
        found.extend(results)
    assert caught.value.obligation == "format"
    assert found == [2 * part for part in range(99)]
    assert len(taken) < 120  # no more than are worked on: there may be any number of them


def wait(part: int) -> None:
    with Path(os.environ[SAID]).open("w") as said:
        said.write("at work\n")
        said.flush()
        try:
            Path(os.environ[GO], str(part)).read_bytes()
        except KeyboardInterrupt:
            said.write("interrupted\n")


def work() -> None:
    for _ in spread(wait, range(2), 2):
        pass


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nobody_is_left_when_the_first_process_ends(tmp_path: Path, ending: int) -> None:
    said = tmp_path / "said"
    for pipe in (said, tmp_path / "0", tmp_path / "1"):
        os.mkfifo(pipe)
    process = subprocess.Popen(  # noqa: S603 -- this very interpreter
        [sys.executable, "-c", f"from {__name__} import work; work()"],
        env=os.environ
        | {SAID: str(said), GO: str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)},
        start_new_session=True,
        stderr=subprocess.PIPE,
    )
    with said.open() as lines:
        assert [lines.readline(), lines.readline()] == ["at work\n"] * 2
        if ending == signal.SIGINT:  # as from the keyboard: to all of them
            os.killpg(process.pid, ending)
            for part in ("0", "1"):  # what they are at is over
                (tmp_path / part).write_bytes(b"")
        else:
            process.send_signal(ending)
        assert lines.read() == ""  # the last that could have written is gone
    _, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    assert b"SpawnProcess" not in errors
