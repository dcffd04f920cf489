"""The page for privacy staff shows what really happens."""

from __future__ import annotations

import re
from pathlib import Path

from sandbox.scenarios.__main__ import in_words
from sandbox.scenarios.play import play
from sandbox.scenarios.scenario import read_file
from sandbox.scenarios.steps import VERBS
from services.sharing.domain.rulebook import Rulebook

PAGE = (Path(__file__).parents[3] / "docs/scenarios.md").read_text(encoding="utf-8")


async def test_the_example_prints_what_the_page_says(
    tmp_path: Path, prepared: Path, rulebook: Rulebook
) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    (printed,) = re.findall(r"```\n(ok .*?)```", PAGE, re.DOTALL)
    path = tmp_path / "example.yaml"
    path.write_text(example, encoding="utf-8")
    (scenario,) = read_file(path, rulebook)
    assert [in_words(result) async for result in play(scenario, prepared)] == printed.splitlines()


def test_the_page_names_every_step() -> None:
    assert [verb for verb in VERBS if f"`{verb}" not in PAGE] == []
