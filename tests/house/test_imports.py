"""The import contracts hold, and each of them finds a planted violation in a copy of the code."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.repository import ROOT

# (contract that must break, file of the copy, line planted into it)
_PLANTED = [
    (
        "Rooms: a request goes one way",
        "services/sharing/api/planted.py",
        "import services.sharing.store",
    ),
    (
        "Rooms: a request goes one way",
        "services/sharing/domain/planted.py",
        "import services.sharing.cases",
    ),
    ("Rooms: a request goes one way", "services/account/utils/__init__.py", ""),
    (
        "The ways out know no case",
        "services/account/store/planted.py",
        "import services.account.cases",
    ),
    (
        "Services meet only on the wire",
        "services/portal/peers/planted.py",
        "import services.account.domain",
    ),
    ("The domain is pure", "services/audit/domain/planted.py", "import sqlalchemy"),
    ("The domain is pure", "services/sharing/domain/planted.py", "import grpc"),
    ("The runtime knows no service", "runtime/planted.py", "import services.audit"),
    ("The verifier trusts no server code", "sdk/accord_client/planted.py", "import runtime.fault"),
]


def _lint(root: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter on the code under ``root``, and on no other copy of it."""
    return subprocess.run(  # noqa: S603  the locked linter
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=root,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, (root, root / "gen", root / "sdk"))),
        },
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The code that the contracts speak of, in a place where it may be spoilt."""
    root = tmp_path_factory.mktemp("copy")
    shutil.copy(ROOT / "pyproject.toml", root)
    for tree in ("gen", "runtime", "sdk", "services"):
        shutil.copytree(ROOT / tree, root / tree, ignore=shutil.ignore_patterns("__pycache__"))
    return root


def test_imports_keep_the_contracts(copy: Path) -> None:
    linted = _lint(copy)
    assert linted.returncode == 0, linted.stdout


@pytest.mark.parametrize(("contract", "file", "line"), _PLANTED)
def test_a_planted_violation_is_found(copy: Path, contract: str, file: str, line: str) -> None:
    planted = copy / file
    new_directory = not planted.parent.exists()
    planted.parent.mkdir(exist_ok=True)
    planted.write_text(f'"""Planted."""\n{line}\n')
    try:
        linted = _lint(copy)
    finally:
        shutil.rmtree(planted.parent) if new_directory else planted.unlink()
    assert linted.returncode != 0
    assert f"{contract} BROKEN" in linted.stdout, linted.stdout
    assert planted.stem in linted.stdout or "utils" in linted.stdout
