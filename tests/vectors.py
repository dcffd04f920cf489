"""Where the test vectors written by others lie; the project itself does not contain them."""

from __future__ import annotations

import os
from pathlib import Path

from tests.requirement import missing


def vectors(folder: str) -> Path:
    """The named folder of vectors; absent, the test is skipped, or fails under ``CI=true``."""
    root = Path(os.environ.get("ACCORD_VECTORS", Path(__file__).parents[2] / "shared" / "vectors"))
    directory = root / folder
    if not directory.is_dir():
        missing(f"test vectors in {directory} (set ACCORD_VECTORS)")
    return directory
