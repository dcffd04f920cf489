"""What the house rules read: the files of the project, as git has them or is about to."""

from __future__ import annotations

import functools
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_NOT_OURS = ("gen/", "third_party/")


@functools.cache
def files(*patterns: str, ours: bool = True) -> tuple[str, ...]:
    """Every file of the project that matches, tracked or about to be; without what others wrote."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--"]
    listed = subprocess.run(  # noqa: S603  git, on our own tree
        [*command, *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    return tuple(
        name
        for name in sorted(set(listed))
        if name and (ROOT / name).is_file() and not (ours and name.startswith(_NOT_OURS))
    )


def text(name: str) -> str:
    """The text of a file; empty when it holds no text."""
    try:
        return (ROOT / name).read_text()
    except UnicodeDecodeError:
        return ""
