"""A throw-away region for each test."""

from pathlib import Path

import pytest

from runtime.testing import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Make a region of its own."""
    return Bench(tmp_path)
