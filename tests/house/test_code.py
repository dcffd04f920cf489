"""Rules about the text of the code: size, exceptions with reasons, nothing of one machine."""

from __future__ import annotations

import re

import pytest

from tests.house.repository import ROOT, files, text

_MEDIAN_LINES, _LONG_LINES, _LONG_FILES = 120, 400, 3
_THIS = "tests/house/test_code.py"

# (what must not stand there, where, except in, why)
_BANNED = [
    (
        r"\badd_insecure_port\b",
        "*.py",
        # Health for the kubelet; a collector that a test stands in for, which is not of the mesh.
        {"runtime/health.py", "tests/unit/runtime/test_telemetry.py"},
        "mTLS always; health alone is plain",
    ),
    (r"\bverify=False\b", "*.py", set(), "a certificate is always checked"),
    (r"\bshell=True\b", "*.py", set(), "no shell between us and a program"),
    (
        r"\btime\.sleep\(",
        "services/*.py runtime/*.py sdk/*.py sandbox/*.py tests/*.py",
        set(),
        "wait on an event or a deadline",
    ),
    (
        r"\basyncio\.sleep\((?!0\))",
        "tests/*.py",
        {"tests/mesh/log.py"},  # for what another process has yet to deliver: it tells nobody
        "wait on an event or a deadline",
    ),
    (r"\bos\.environ\b", "services/*.py", set(), "settings are read once, by settings.py"),
    (
        r"\bdatetime\.(now|utcnow)\(|\btime\.time\(",
        "services/*.py",
        {"services/audit/__main__.py"},  # a command that names a file after the month
        "time is the clock's",
    ),
    (r"\bunittest\.mock\b", "tests/*.py", set(), "no mocks of our modules"),
    (r"#\s*type:\s*ignore(?!\[[\w, -]+\][^\S\n]+\S)", "*.py", set(), "a code and a reason"),
    (r"#\s*noqa(?!: [A-Z]+\d+(, [A-Z]+\d+)*[^\S\n]+\S)", "*.py", set(), "a code and a reason"),
    (r"\b(TODO|FIXME|XXX|HACK)\b", "*", set(), "it is done or it is in the backlog"),
    (r"(?<![\w.])/(work|root|home)/", "*", set(), "a path of somebody's machine"),
    (
        r"https?://|--(index-url|extra-index-url|find-links)",
        "requirements.lock deploy/images/requirements.lock pyproject.toml",
        set(),
        "where packages come from is the machine's own business",
    ),
    (r"-----BEGIN [A-Z ]*PRIVATE KEY-----\n", "*", set(), "a private key"),
]


@pytest.mark.parametrize(("pattern", "where", "allowed", "why"), _BANNED)
def test_nothing_of_the_banned_is_written(
    pattern: str, where: str, allowed: set[str], why: str
) -> None:
    found = [
        f"{name}:{content.count(chr(10), 0, match.start()) + 1}: {match[0]}"
        for name in files(*where.split())
        if name not in {*allowed, _THIS}
        for content in [text(name)]
        for match in re.finditer(pattern, content)
    ]
    assert found == [], why


def test_files_are_small_enough_to_hold_in_the_head() -> None:
    lengths = {name: len(text(name).splitlines()) for name in files("*.py") if text(name)}
    assert sorted(lengths.values())[len(lengths) // 2] <= _MEDIAN_LINES
    long = {name: lines for name, lines in lengths.items() if lines > _LONG_LINES}
    assert len(long) <= _LONG_FILES, long
    assert {name for name, lines in long.items() if lines > _bound(name)} == set(), long


def _bound(name: str) -> int:
    """The lines that a file may have at the very most; tables of examples run on."""
    return 600 if name.startswith("tests/") else 450


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        name
        for name in files("*.py")
        if text(name).strip() and not re.match(r'(#!.*\n)?r?"""\S', text(name))
    ]
    assert silent == []


def test_every_script_says_what_it_is_for_and_can_be_run() -> None:
    for name in files("bin/*", ".ci/run"):
        lines = text(name).splitlines()
        assert lines[0].startswith("#!/usr/bin/env "), name
        assert re.match(r'# [A-Z]|"""[A-Z]', lines[1]), name
        assert (ROOT / name).stat().st_mode & 0o111, name


def test_every_service_has_the_same_files() -> None:
    for service in ("account", "audit", "portal", "sharing"):
        root = ROOT / "services" / service
        for name in ("README.md", "__init__.py", "__main__.py", "main.py", "settings.py"):
            assert (root / name).is_file(), f"{service}/{name}"
        assert "Life of a" in (root / "README.md").read_text(), service
