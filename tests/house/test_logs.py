"""What is logged can be read: a key that `runtime.logs` does not know is written as withheld."""

from __future__ import annotations

import ast

from runtime import logs
from tests.house.repository import ROOT

LEVELS = {"debug", "info", "warning", "error", "exception"}
OURS = {"exc_info"}  # becomes `exception`


def test_every_key_that_is_logged_is_one_that_may_leave_the_process() -> None:
    withheld, found = [], 0
    for folder in ("services", "runtime"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if not isinstance(node, ast.Call) or not _logs(node.func):
                    continue
                found += 1
                withheld += [
                    f"{path.relative_to(ROOT)}:{node.lineno} {key.arg}"
                    for key in node.keywords
                    if key.arg not in logs.KEYS | OURS
                ]
    assert found > 30
    assert withheld == []


def _logs(called: ast.expr) -> bool:
    """Tell whether a call writes to a log: `log.warning(…)`, or `say(…)` of any level."""
    if isinstance(called, ast.Name):
        return called.id == "say"
    return (
        isinstance(called, ast.Attribute)
        and called.attr in LEVELS
        and isinstance(called.value, ast.Name)
        and called.value.id == "log"
    )
