"""A running region publishes its log: strangers read it over HTTPS and from the files."""

from __future__ import annotations

import re
import shutil
import ssl
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from tests.contract.audit.stranger import opened, walk
from tests.requirement import missing

if TYPE_CHECKING:
    from sandbox.mesh import Mesh
    from sandbox.tour import Tour

_DOORS = Path(__file__).parents[2] / "docs" / "doors.md"


async def test_a_stranger_with_a_token_walks_the_log(region: Mesh, tour: Tour) -> None:
    assert tour.account  # so that there is something in it
    material = region.material
    trusted = ssl.create_default_context(cafile=material.trust_bundle)
    token = material.key("monitor.token").read_text().strip()
    headers = {"authorization": f"Bearer {token}"}
    vkey = material.log_key.read_text()
    async with httpx.AsyncClient(
        verify=trusted, base_url=region.tiles, headers=headers, timeout=10
    ) as client:

        async def fetch(path: str) -> bytes:
            response = await client.get(f"/{path}")
            assert response.status_code == 200, path
            return response.content

        head, entries = await walk(fetch, vkey)
    assert head.origin == f"{region.region}.accord.internal/audit"
    assert head.size == len(entries) > 5

    checkpoint = (material.tiles / "checkpoint").read_bytes()

    async def read(path: str) -> bytes:
        if path == "checkpoint":  # as it was: the log may grow meanwhile
            return checkpoint
        return (material.tiles / path).read_bytes()

    assert (await walk(read, vkey))[0].size >= head.size


def test_the_documented_commands_read_the_log(region: Mesh, tour: Tour) -> None:
    assert tour.account
    if shutil.which("curl") is None:
        missing("curl")
    section = _DOORS.read_text(encoding="utf-8").partition("## Reading the log")[2]
    commands = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    assert len(commands) == 2
    for command in commands:
        here = command.replace("var/nl", str(region.material.home))
        here = here.replace("https://localhost:8445", region.tiles)
        done = subprocess.run(  # noqa: S603  our own page
            ["/bin/bash", "-euc", here], capture_output=True, text=True, check=True, timeout=30
        )
        assert opened(done.stdout, region.material.log_key.read_text()).size > 0
