"""What an auditor takes away from a running region, and what anybody makes of it elsewhere."""

import json
from pathlib import Path
from typing import Any

import pytest
from accord_client.cli import cli
from accord_client.cli.session import Exit
from click.testing import CliRunner, Result

from sandbox.mesh import Mesh
from sandbox.tour import Tour

PURPOSE = ("--purpose", "a test of evidence")


def accord(region: Mesh, client: str, *words: str, code: int = Exit.OK) -> Result:
    """Run the command under a profile and expect its exit code."""
    given = ["--profile", str(region.material.profile(client)), *words]
    result = CliRunner().invoke(cli, given)
    assert result.exit_code == code, result.output + result.stderr
    return result


def offline(*words: str, code: int = Exit.OK) -> Any:
    """Run the command as somebody who knows nothing of the region; read the JSON it prints."""
    result = CliRunner().invoke(cli, [*words, "--json"], env={})
    assert result.exit_code == code, result.output + result.stderr
    return json.loads(result.stdout)


@pytest.fixture
def key(region: Mesh) -> str:
    return str(region.material.log_key)


def test_one_file_holds_everything_about_a_person_and_is_verified_without_the_log(
    region: Mesh, tour: Tour, tmp_path: Path, key: str
) -> None:
    file = tmp_path / "person.bundle"
    words = ("audit", "export", "--account", tour.account, *PURPOSE, "--out", str(file))
    said = accord(region, "auditor", *words).stdout
    assert f"accord audit verify {file}" in said
    assert file.stat().st_mode & 0o777 == 0o600
    verified = offline("audit", "verify", str(file), "--key", key)
    listed = accord(
        region, "auditor", "audit", "list", "--account", tour.account, *PURPOSE, "--json"
    )
    entries = json.loads(listed.stdout)
    assert verified["entries"] >= 3
    taken = {json.loads(line)["index"] for line in file.read_text().splitlines()[1:-1]}
    assert taken <= {int(entry["index"]) for entry in entries}  # which the export itself has joined
    assert len(taken) == verified["entries"]
    assert verified["values_shown"] > 0
    assert verified["claimed"]["asked"] == {"account": tour.account}

    data = file.read_bytes()
    file.write_bytes(data.replace(b"recipients/dhl", b"recipients/dhx", 1))
    refused = CliRunner().invoke(cli, ["audit", "verify", str(file), "--key", key])
    assert refused.exit_code == Exit.REFUSED
    assert "NOT VERIFIED (opening): line" in refused.stderr


def test_an_export_may_leave_out_what_is_nobodys_business(
    region: Mesh, tour: Tour, tmp_path: Path, key: str
) -> None:
    file = tmp_path / "some.bundle"
    words = ("audit", "export", "--account", tour.account, "--only", "purpose", *PURPOSE)
    accord(region, "auditor", *words, "--out", str(file))
    lines = [json.loads(line) for line in file.read_text().splitlines()[1:-1]]
    assert {name for line in lines for _, _, name, _, _ in line["openings"]} <= {"purpose"}
    assert tour.account not in "".join(file.read_text().splitlines()[1:])
    assert offline("audit", "verify", str(file), "--key", key)["verified"]


def test_an_export_is_on_record_with_its_purpose(
    region: Mesh, tour: Tour, tmp_path: Path, key: str
) -> None:
    file = tmp_path / "trace.bundle"
    words = ("audit", "export", "--action", "account:link:", "--purpose", "request 4711")
    accord(region, "auditor", *words, "--out", str(file))
    assert offline("audit", "verify", str(file), "--key", key)["entries"] >= 1
    assert tour.told


def test_nobody_but_auditors_exports_and_nothing_is_left_of_an_attempt(
    region: Mesh, tmp_path: Path
) -> None:
    file = tmp_path / "stolen.bundle"
    words = ("audit", "export", "--all", *PURPOSE, "--out", str(file))
    for client in ("mi-store", "officer", "operator"):
        accord(region, client, *words, code=Exit.NOT_ALLOWED)
    assert list(tmp_path.iterdir()) == []


def test_the_published_log_is_whole_as_files_and_over_https(
    region: Mesh, tour: Tour, key: str
) -> None:
    assert tour.told
    files = offline("audit", "fsck", str(region.material.tiles), "--key", key)
    assert files["whole"]
    assert files["entries"] == files["covered"] > 0
    words = ("audit", "fsck", region.tiles, "--key", key, "--json")
    fetched = json.loads(accord(region, "auditor", *words).stdout)
    assert fetched["whole"]
    assert fetched["entries"] >= files["entries"]
    assert fetched["checkpoints"] == 1
    accord(region, "officer", *words, code=Exit.NOT_ALLOWED)


def test_a_monitor_checks_the_log_with_a_token_and_no_certificate(
    region: Mesh, tour: Tour, key: str, tmp_path: Path
) -> None:
    assert tour.told
    bundle = str(region.material.trust_bundle)
    given = ("--region", region.material.region, "--trust-bundle-file", bundle)
    words = ("audit", "fsck", region.tiles, "--key", key, "--json", "--token-file")
    token = region.material.key("monitor.token")
    result = CliRunner().invoke(cli, [*given, *words, str(token)])
    assert result.exit_code == Exit.OK, result.output + result.stderr
    assert json.loads(result.stdout)["whole"]
    other = tmp_path / "other.token"
    other.write_text("0" * 43)
    result = CliRunner().invoke(cli, [*given, *words, str(other)])
    assert result.exit_code == Exit.NOT_ALLOWED
    assert "401" in json.loads(result.stderr)["error"]
