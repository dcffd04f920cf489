"""Files that hold secrets: written once, readable by their owner alone."""

import os
import stat
from pathlib import Path


def read_secret(path: Path) -> str:
    """Return the file's text without the last newline; ValueError when others may read it."""
    if stat.S_IMODE(path.stat().st_mode) & (stat.S_IRWXG | stat.S_IRWXO) & ~stat.S_IRGRP:
        raise ValueError(f"{path} is open to others: chmod 600 (or 640)")
    return path.read_text().rstrip("\n")


def write_secret(path: Path, text: str) -> None:
    """Write a new file, durable on return; FileExistsError rather than losing an old secret."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
