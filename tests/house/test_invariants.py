"""Each invariant of ARCHITECTURE.md has tests that carry its number in their name."""

from __future__ import annotations

import re
from collections import defaultdict

import pytest

from tests.house.repository import files, text

_NUMBERS = range(1, 10)


def _tests() -> dict[int, list[str]]:
    found = defaultdict(list)
    for name in files("tests/*.py"):
        for number, rest in re.findall(
            r"^ *(?:async )?def test_invariant_(\d+)_(\w+)", text(name), re.MULTILINE
        ):
            found[int(number)].append(f"{name}: {rest}")
    return found


@pytest.mark.parametrize("number", _NUMBERS)
def test_the_invariant_has_a_test_of_its_name(number: int) -> None:
    assert _tests()[number], f"no test_invariant_{number}_…"


def test_no_test_names_an_invariant_that_is_not() -> None:
    stated = {int(number) for number in re.findall(r"^(\d)\. ", _section(), re.MULTILINE)}
    assert set(_NUMBERS) <= stated
    assert _tests().keys() <= stated


def _section() -> str:
    """The numbered invariants of ARCHITECTURE.md."""
    return text("ARCHITECTURE.md").partition("## Invariants")[2].partition("\n## ")[0]
