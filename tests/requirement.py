"""What a test does when the machine lacks something it needs: says so, and with CI=true fails."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def missing(what: str) -> NoReturn:
    """Skips the test for lack of ``what``; under ``CI=true`` nothing may be lacking."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"missing on this machine: {what}", pytrace=False)
    pytest.skip(f"missing on this machine: {what}")
