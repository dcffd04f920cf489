"""A person is erased by two officers on the command line; nothing of them is left to find."""

import json
import re
from pathlib import Path

import pytest
from accord.audit.v1.read_service_pb2 import EntryFilter, ListEntriesRequest
from accord_client.cli import cli
from accord_client.cli.session import Exit
from click.testing import CliRunner, Result

from sandbox.browser import Browser
from sandbox.mesh import Mesh
from tests.mesh.log import logged
from tests.mesh.records import second_officer

KNOWN = {"account:account:register", "account:link:add", "sharing:subject:put"}


def accord(region: Mesh, client: str, *words: str, code: int = Exit.OK) -> Result:
    """Run the command as somebody, `olga` the second officer, and expect its exit code."""
    given = ["--profile", str(region.material.profile("officer" if client == "olga" else client))]
    if client == "olga":
        olga = second_officer(region)
        given += ["--certificate-file", str(olga.certificate_file)]
        given += ["--key-file", str(olga.key_file)]
    result = CliRunner().invoke(cli, [*given, *words], env={"ACCORD_PURPOSE": "a test"})
    assert result.exit_code == code, result.output + result.stderr
    return result


@pytest.fixture(scope="module")
def account(region: Mesh) -> str:
    """Somebody whose sign-up is in the log."""
    with Browser(region.portal, region.material.web_root) as browser:
        page = browser.submit(browser.open("/").form("/sign-in/facebook"))
        page = browser.submit(page.form(), person="fatima")
        browser.submit(page.form("/sign-up"), country="NL", birth_date="1990-05-17", notice="yes")
        named = re.search(r"accounts/nl-[0-9a-z]{26}", browser.open("/account").html)
    assert named is not None
    account = named[0]
    request = ListEntriesRequest(filter=EntryFilter(account=account))
    logged(region, lambda found: {entry.action for entry in found} >= KNOWN, request)
    return account


def test_invariant_8_an_erased_person_is_found_nowhere(
    region: Mesh, account: str, tmp_path: Path
) -> None:
    pinned = ("--key", str(region.material.log_key))
    index = _entries(region, account)[0]["index"]
    kept = tmp_path / "kept.tlog-proof"
    accord(region, "auditor", "audit", "prove", index, "--out", str(kept))
    accord(region, "auditor", "audit", "checkpoint", *pinned, "--out", str(tmp_path / "kept.note"))

    hold = ("audit", "hold", "place", account, "--kind", "legal_claim", "--reference", "C-09/7")
    held = json.loads(accord(region, "officer", *hold, "--json").stdout)["name"]
    ask = ("audit", "erase", "ask", account, "--ground", "withdrawal")
    refused = accord(region, "officer", *ask, code=Exit.BAD_INPUT)
    assert "ERASURE_HELD" in refused.stderr
    assert "C-09/7" in refused.stderr
    assert account not in refused.stderr
    accord(region, "officer", "audit", "hold", "lift", held)
    accord(region, "olga", "audit", "hold", "lift", held)

    asked = json.loads(accord(region, "officer", *ask, "--json").stdout)["name"]
    alone = ("audit", "erase", "confirm", asked)
    assert "FOUR_EYES" in accord(region, "officer", *alone, code=Exit.NOT_ALLOWED).stderr
    said = accord(region, "olga", "audit", "erase", "confirm", asked).stdout
    assert "destroy the key-encryption key of" in said
    assert account not in said

    # No search finds them, no file holds them, no process wrote of them.
    assert _entries(region, account) == []
    files = [
        *(region.material.home / "data").glob("audit*"),
        *(path for path in region.material.tiles.rglob("*") if path.is_file()),
        *(region.material.home / "log").glob("*.log"),
    ]
    assert {"audit.db", "audit-keys.db", "checkpoint", "sharing.log"} <= {f.name for f in files}
    assert [file.name for file in files if account.encode() in file.read_bytes()] == []

    # Every proof holds: what was kept from before, and that of the erasure itself.
    accord(region, "auditor", "audit", "verify", str(kept), *pinned)
    accord(region, "auditor", "audit", "consistent", str(tmp_path / "kept.note"), *pinned)
    proof = tmp_path / "erased.tlog-proof"
    accord(region, "auditor", "audit", "erase", "show", asked, "--out", str(proof))
    verified = accord(region, "auditor", "audit", "verify", str(proof), *pinned)
    assert "audit:person:erase" in verified.stdout
    assert account.encode() not in proof.read_bytes()
    listed = json.loads(accord(region, "auditor", "audit", "erase", "list", "--json").stdout)
    assert [one["state"] for one in listed if one["name"] == asked] == ["ERASURE_STATE_ERASED"]


def _entries(region: Mesh, account: str) -> list[dict[str, str]]:
    listed = accord(region, "auditor", "audit", "list", "--account", account, "--json")
    found: list[dict[str, str]] = json.loads(listed.stdout)
    return found
