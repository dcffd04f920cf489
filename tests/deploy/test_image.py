"""One image: what it takes in, as whom it runs, and that its packages are those of the lock."""

from __future__ import annotations

import ast
import re
import sys
from importlib.metadata import packages_distributions

from tests.deploy.conftest import ROOT

_FILE = (ROOT / "deploy/images/service.Dockerfile").read_text()
_LOCKED = re.compile(r"^([a-z0-9._-]+==\S+)", re.MULTILINE)


def _instructions(name: str) -> list[str]:
    joined = _FILE.replace("\\\n", " ")
    return re.findall(rf"^{name} (.*)$", joined, re.MULTILINE)


def test_image_runs_as_the_user_that_the_pods_demand() -> None:
    assert _instructions("USER") == ["65532:65532"]
    hardening = (ROOT / "deploy/k8s/components/workload/hardening.yaml").read_text()
    assert "runAsUser: 65532" in hardening
    assert "runAsGroup: 65532" in hardening


def test_base_is_one_pinnable_argument() -> None:
    (argument,) = _instructions("ARG")
    assert re.fullmatch(r"PYTHON=python:3\.\d+-slim-\w+", argument)
    assert [image.split()[0] for image in _instructions("FROM")] == ["${PYTHON}", "${PYTHON}"]


def test_image_takes_no_secret_and_nothing_that_is_not_there() -> None:
    for copied in _instructions("COPY"):
        if copied.startswith("--from="):
            continue
        source = copied.split()[0]
        assert (ROOT / source).exists(), source
        assert not source.startswith((".", "var", "tests")), source
    assert _instructions("ADD") == []


def _imported() -> set[str]:
    """The outermost names that the code of the image imports."""
    names = set()
    for tree in ("gen", "runtime", "sdk", "services"):
        for path in (ROOT / tree).rglob("*.py"):
            # Made for tests alone, and imported by tests alone.
            if path == ROOT / "runtime/testing.py":
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Import):
                    names |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    names.add(node.module.partition(".")[0])
    return names - {"accord", "accord_client", "runtime", "services"} - sys.stdlib_module_names


def test_image_holds_every_package_that_its_code_imports() -> None:
    served = {
        re.sub(r"[-_.]+", "-", package.partition("==")[0])
        for package in _LOCKED.findall((ROOT / "deploy/images/requirements.lock").read_text())
    }
    distributions = packages_distributions()
    missing = {
        name
        for name in _imported()
        if not {re.sub(r"[-_.]+", "-", found).lower() for found in distributions[name]} & served
    }
    assert missing == set()


def test_packages_are_installed_by_hash_and_are_a_part_of_the_lock() -> None:
    assert any("--require-hashes" in run for run in _instructions("RUN"))
    whole = set(_LOCKED.findall((ROOT / "requirements.lock").read_text()))
    served = set(_LOCKED.findall((ROOT / "deploy/images/requirements.lock").read_text()))
    assert served < whole
    assert any(package.startswith("grpcio==") for package in served)
    assert not any(package.startswith(("pytest==", "grpcio-tools==")) for package in served)
