"""What docs/operations.md and README.md say to type in a region that is up, typed."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from accord.audit.v1.read_service_pb2 import EntryFilter, ListEntriesRequest

from sandbox.browser import Browser
from sandbox.mesh import Mesh
from sandbox.tour import Tour
from tests.mesh.log import logged
from tests.requirement import missing

ROOT = Path(__file__).parents[2]


def blocks(heading: str, page: str = "docs/operations.md") -> list[str]:
    """The commands of a section, block by block."""
    text = (ROOT / page).read_text(encoding="utf-8")
    section = text.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"^```sh\n(.*?)^```", section, re.DOTALL | re.MULTILINE)


def typed(block: str, region: Mesh, directory: Path, *, fails: bool = False) -> str:
    """Type commands into a shell; return what was printed."""
    material, python = region.material, Path(sys.executable)
    here = (
        block.replace("bin/certs", f"python -m sandbox.certs --root {material.root}")
        .replace(".venv/bin/", f"{python.parent}/")
        .replace("https://localhost:8445", region.tiles)
        .replace("var/nl", str(material.home))
    )
    path = ":".join(str(ROOT / each) for each in (".", "gen", "sdk"))
    done = subprocess.run(  # noqa: S603  our own page
        ["/bin/bash", "-euo", "pipefail", "-c", here],
        capture_output=True,
        text=True,
        check=False,
        cwd=directory,
        env={"PATH": f"{python.parent}:{os.environ['PATH']}", "PYTHONPATH": path},
        timeout=60,
    )
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.timeout(180)
def test_a_log_is_checked_as_it_is_written(region: Mesh, tour: Tour, tmp_path: Path) -> None:
    assert tour.account
    if shutil.which("sqlite3") is None:
        missing("sqlite3")
    (block,) = blocks("Checking the log")
    printed = typed(block, region, tmp_path)
    assert len(re.findall(r"^WHOLE", printed, re.MULTILINE)) == block.count("audit fsck") == 3


@pytest.mark.timeout(180)
def test_a_first_look_at_the_log_is_as_it_is_written(
    region: Mesh, tour: Tour, tmp_path: Path
) -> None:
    assert tour.account
    if shutil.which("curl") is None:
        missing("curl")
    (block,) = (block for block in blocks("Start", "README.md") if "accord audit" in block)
    printed = typed(block, region, tmp_path)
    for words in ("nl.accord.internal/audit\n", "VERIFIED  ", "WHOLE  "):
        assert words in printed


@pytest.mark.timeout(180)
def test_a_person_is_erased_as_it_is_written(region: Mesh, tmp_path: Path) -> None:
    with Browser(region.portal, region.material.web_root) as browser:
        page = browser.submit(browser.open("/").form("/sign-in/google"))
        page = browser.submit(page.form(), person="dmitri")
        browser.submit(page.form("/sign-up"), country="NL", birth_date="1990-05-17", notice="yes")
        named = re.search(r"accounts/nl-[0-9a-z]{26}", browser.open("/account").html)
    assert named is not None
    account = named[0]
    request = ListEntriesRequest(filter=EntryFilter(account=account))
    logged(region, lambda found: len(found) > 2, request)

    certificate, erasing, holding, _month = blocks("Erasing a person")
    typed(certificate, region, tmp_path)
    place, *lift = holding.replace("ACCOUNT", account).splitlines(keepends=True)
    held = re.search(r"holds/\S+", typed(place, region, tmp_path))
    assert held is not None
    ask, *then = erasing.replace("ACCOUNT", account).splitlines(keepends=True)
    refused = typed(ask, region, tmp_path, fails=True)
    assert "ERASURE_HELD" in refused
    assert "C-09-2026" in refused
    typed("".join(lift).replace("HOLD", held[0]), region, tmp_path)

    asked = re.search(r"erasures/\S+", typed(ask, region, tmp_path))
    assert asked is not None
    printed = typed("".join(then).replace("ERASURE", asked[0]), region, tmp_path)
    assert "VERIFIED" in printed
    assert "audit:person:erase" in printed
