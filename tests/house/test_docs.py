"""The docs are true: generated tables are fresh, links lead somewhere, named commands exist."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deploy import tables
from tests.house.repository import ROOT, files, text

if TYPE_CHECKING:
    from collections.abc import Iterator

_LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(#[^)]*)?\)")
_FENCE = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)
# A file in backticks, also with a test's name behind it; no pattern, no place at run time.
_FILE = re.compile(r"`(?!var/|/)([\w./-]+\.(?:py|sql|proto|yaml|md|lock|Dockerfile))(?:::[^`]*)?`")
# Programs of the machine that a reader has or is told to install.
_OUTSIDE = {"cd", "curl", "docker", "git", "grpcurl", "kubectl", "make", "openssl", "sudo"}
_OUTSIDE |= {"psql", "sqlite3"}


@pytest.mark.parametrize("name", sorted(tables.TABLES))
def test_generated_tables_are_fresh(name: str) -> None:
    assert (ROOT / "docs" / name).read_text() == tables.TABLES[name](), "run bin/docs"


def test_settings_are_shown_as_an_environment_would_give_them() -> None:
    rows = re.findall(r"^\| `ACCORD_.*?\| (.*?) \|", tables.settings(), re.MULTILINE)
    assert {"`[]`", "`{}`", "`false`", "none", "required"} <= set(rows)
    of_python = re.compile(r"Undefined|set\(|True|False|None|PosixPath|\\\\<")
    assert [row for row in rows if of_python.search(row)] == []


@pytest.mark.parametrize("name", files("*.md"))
def test_links_lead_somewhere(name: str) -> None:
    folder = (ROOT / name).parent
    broken = [
        target
        for target, _ in _LINK.findall(text(name))
        if not target.startswith(("http://", "https://", "mailto:"))
        and not (folder / target).exists()
    ]
    assert broken == []


@pytest.mark.parametrize("name", files("*.md"))
def test_files_that_are_named_exist(name: str) -> None:
    roots = (ROOT, (ROOT / name).parent)
    ours = tuple(f"/{path}" for path in files())
    gone = [
        path
        for path in _FILE.findall(text(name))
        if not any((root / path).exists() for root in roots)
        and not any(other.endswith(f"/{path}") for other in ours)
    ]
    assert gone == []


def test_tests_that_are_named_exist() -> None:
    made = {test for name in files("tests/*.py") for test in re.findall(r"def (\w+)", text(name))}
    named = {test for name in files("*.md") for test in re.findall(r"`(test_\w+)`", text(name))}
    assert named - made == set()


@pytest.mark.parametrize("name", files("*.md"))
def test_modules_that_are_run_know_their_command(name: str) -> None:
    named = re.findall(r"python -m (services\.\w+) ([a-z][a-z-]+)", text(name))
    unknown = [
        (module, command)
        for module, command in named
        if f'"{command}"' not in (ROOT / module.replace(".", "/") / "__main__.py").read_text()
    ]
    assert unknown == []


def _accord_commands() -> set[tuple[str, ...]]:
    """Every `accord …` command that some page names, without its arguments."""
    pattern = re.compile(
        r"(?:^|[`/ ])(?<!--namespace )accord (?:--profile \S+ )?"
        r"(?P<words>[a-z]+(?: [a-z][a-z-]*)?)",
        re.MULTILINE,
    )
    named = {
        tuple(match["words"].split())
        for name in files("*.md")
        for code in re.findall(r"`[^`\n]+`|^```.*?^```", text(name), re.DOTALL | re.MULTILINE)
        for match in pattern.finditer(code)
    }
    assert named
    return named


def test_commands_of_accord_explain_themselves() -> None:
    for words in _accord_commands():
        shown = subprocess.run(  # noqa: S603  our own command, asked for its help
            [Path(sys.executable).parent / "accord", *words, "--help"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert shown.returncode == 0, (words, shown.stderr)


def _commands() -> Iterator[tuple[str, str]]:
    for name in files("*.md"):
        for block in _FENCE.findall(text(name)):
            for line in block.replace("\\\n", " ").splitlines():
                command = line.partition(" #")[0].strip().removeprefix("$ ")
                if command and not command.startswith("#"):
                    yield name, command


@pytest.mark.parametrize(("name", "command"), sorted(set(_commands())))
def test_commands_exist(name: str, command: str) -> None:
    words = [word for word in command.split() if not re.match(r"[A-Z_]+=", word)]
    program = words[0]
    if program == "make":
        assert re.search(rf"^{words[1]}:", text("Makefile"), re.MULTILINE), f"{name}: {command}"
    elif program.startswith(("bin/", ".venv/")):
        assert shutil.which(program, path=str(ROOT)) or (ROOT / program).exists(), (
            f"{name}: {command}"
        )
    elif words[:2] == ["python", "-m"]:
        assert importlib.util.find_spec(words[2]), f"{name}: {command}"
    else:
        assert program in _OUTSIDE, f"{name}: {command}"
