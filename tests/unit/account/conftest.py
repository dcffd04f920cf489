"""A sandbox process for the session, an account service for the test."""

import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from runtime.authority import Authority
from tests.unit.account.harness import PORTAL, Region, region_running


@dataclass(frozen=True)
class Sandbox:
    """The running identity providers, those whose tokens lie among them."""

    origin: str
    ca_file: Path


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    directory = tmp_path_factory.mktemp("sandbox")
    authority = Authority.create("sandbox.internal")
    authority.issue(dns=["localhost"]).write(directory / "sandbox")
    (directory / "ca.pem").write_bytes(authority.pem)
    command = [sys.executable, "-m", "sandbox.providers", "--port", "0", "--hostile"]
    command += ["--certificate", str(directory / "sandbox.crt")]
    command += ["--key", str(directory / "sandbox.key"), "--portal", PORTAL]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603  our own sandbox
        try:
            assert process.stdout is not None
            origin = process.stdout.readline().strip()
            assert origin.startswith("https://"), "the sandbox did not start"
            yield Sandbox(origin, directory / "ca.pem")
        finally:
            process.terminate()


@pytest.fixture
async def region(tmp_path: Path, sandbox: Sandbox) -> AsyncIterator[Region]:
    async with region_running(tmp_path, sandbox.origin, sandbox.ca_file) as running:
        yield running
