"""The front door: one name per task, the same for people and CI; a lock to be trusted."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

from tests.house.repository import ROOT, files, text

if TYPE_CHECKING:
    from pathlib import Path

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


def test_staff_are_invited_as_the_operator_of_the_region_that_is_there(tmp_path: Path) -> None:
    for name, script in (
        ("bin/setup", "exit 0"),
        (".venv/bin/accord", 'echo "$ACCORD_PROFILE" "$@"'),
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
    staff = shutil.copy(ROOT / "bin/staff", tmp_path / "bin")
    environment = {name: value for name, value in os.environ.items() if name != "ACCORD_PROFILE"}

    def invite(**more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603  our own script
            [staff, "add", "officer", "Olga"],
            env=environment | more,
            capture_output=True,
            text=True,
            check=False,
        )

    assert "make up" in invite().stderr
    for region in ("nl", "in"):
        (tmp_path / "var" / region / "clients").mkdir(parents=True)
    nl, other = (tmp_path / f"var/{region}/clients/operator.toml" for region in ("nl", "in"))
    nl.touch()
    assert invite().stdout == "var/nl/clients/operator.toml staff add officer Olga\n"
    other.touch()
    assert "var/in/clients/operator.toml" in invite().stderr
    assert invite(ACCORD_PROFILE="other.toml").stdout == "other.toml staff add officer Olga\n"


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
