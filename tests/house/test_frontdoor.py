"""The front door: one name per task, the same for people and CI; a lock to be trusted."""

from __future__ import annotations

import os
import re
import subprocess

from tests.house.repository import ROOT, files, text

_TARGETS = {"up", "test", "check", "protos", "bench", "scenarios"}


def test_targets_are_one_line_each_that_calls_the_script_of_the_name() -> None:
    rules = dict(re.findall(r"^(\w+):.*##.*\n\t@(.+)$", text("Makefile"), re.MULTILINE))
    assert rules.keys() == _TARGETS | {"help"}
    for target in _TARGETS:
        assert rules[target] == f"bin/{target}"
        assert (ROOT / "bin" / target).is_file(), target
    recipe_lines = re.findall(r"^\t", text("Makefile"), re.MULTILINE)
    assert len(recipe_lines) == len(rules)


def test_help_names_every_target() -> None:
    shown = subprocess.run(
        ["make", "--no-print-directory", "help"],  # noqa: S607  make of the developer
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert set(re.findall(r"^(\w+):", shown, re.MULTILINE)) == _TARGETS | {"help"}


def test_ci_runs_what_a_person_types() -> None:
    assert text(".ci/run").splitlines()[-1] == "exec make check test"


def test_lock_holds_exact_versions_with_hashes_and_no_address() -> None:
    for name in ("requirements.lock", "deploy/images/requirements.lock"):
        lock = text(name)
        for requirement in re.split(r"\n(?=[a-z0-9])", lock):
            assert re.match(r"[a-z0-9._-]+==\S+ \\\n    --hash=sha256:", requirement), requirement
        assert not re.search(r"https?://|--(extra-)?index-url|--find-links", lock), name


def test_image_lock_is_part_of_the_whole_lock() -> None:
    def pinned(name: str) -> set[str]:
        return set(re.findall(r"^([a-z0-9._-]+==\S+)", text(name), re.MULTILINE))

    assert pinned("deploy/images/requirements.lock") < pinned("requirements.lock")


def test_nothing_that_is_made_is_committed() -> None:
    made = re.compile(r"(^|/)(var|\.venv|__pycache__|dist)/|\.(pyc|db|sqlite3?|key|pem|crt)$")
    assert [name for name in files() if made.search(name)] == []
    assert os.access(ROOT / ".ci/run", os.X_OK)
