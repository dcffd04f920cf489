"""The `accord` command against a running region: every command, as the person it is for."""

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from accord_client.cli import cli
from accord_client.cli.session import Exit
from click.testing import CliRunner, Result

from sandbox.browser import Browser
from sandbox.mesh import Mesh
from sandbox.tour import Tour
from services.audit.domain.note import sign_note
from services.audit.store.note_key import NoteKey
from tests.mesh.people import Person
from tests.mesh.records import agree, second_officer

TERMS = [
    *("--purpose", "delivery", "--category", "contact", "--origin", "NL", "--destination", "DE"),
    *("--effective", "2026-01-01", "--expires", "2099-12-31", "--delete-on-termination"),
    *("--due-diligence", "passed", "--due-diligence-on", "2026-01-01"),
    *("--due-diligence-expires", "2099-12-31", "--document-location", "archive/1.pdf"),
]


def accord(region: Mesh, client: str, *words: str, code: int = Exit.OK) -> Result:
    """Run the command under a profile and expect its exit code."""
    given = ["--profile", str(region.material.profile(client)), *words]
    result = CliRunner().invoke(cli, given, env={"ACCORD_PURPOSE": "a test"})
    assert result.exit_code == code, result.output + result.stderr
    return result


def answer(region: Mesh, client: str, *words: str) -> Any:
    """Run the command and read the JSON that it prints."""
    return json.loads(accord(region, client, *words, "--json").stdout)


def test_recipients_are_registered_listed_and_shown(region: Mesh) -> None:
    given = ("--kind", "service_provider.delivery", "--jurisdiction", "DE", "--name", "Post [AG]")
    made = answer(region, "officer", "recipients", "create", "post", *given)
    assert made["name"] == "recipients/post"
    assert answer(region, "auditor", "recipients", "show", "recipients/post") == made
    assert made in answer(region, "officer", "recipients", "list")
    assert "Post [AG]" in accord(region, "officer", "recipients", "list").stdout
    again = accord(region, "officer", "recipients", "create", "post", *given, code=Exit.BAD_INPUT)
    assert "ALREADY_EXISTS" in again.stderr


def test_a_contract_goes_its_way_with_a_second_person(region: Mesh, tmp_path: Path) -> None:
    given = ("--kind", "service_provider.delivery", "--jurisdiction", "DE", "--name", "Bode")
    answer(region, "officer", "recipients", "create", "bode", *given)
    document = tmp_path / "signed.pdf"
    document.write_bytes(b"signed")
    terms = (*TERMS, "--document", str(document))
    made = answer(region, "officer", "contracts", "create", "recipients/bode", *terms)
    name = made["name"]
    assert made["state"] == "CONTRACT_STATE_DRAFT"
    answer(region, "officer", "contracts", "submit", name, "1")
    alone = accord(region, "officer", "contracts", "activate", name, "1", code=Exit.NOT_ALLOWED)
    assert "FOUR_EYES" in alone.stderr

    olga = second_officer(region)
    as_olga = ["--profile", str(region.material.profile("officer"))]
    as_olga += ["--certificate-file", str(olga.certificate_file), "--key-file", str(olga.key_file)]
    result = CliRunner().invoke(cli, [*as_olga, "contracts", "activate", name, "1"])
    assert result.exit_code == Exit.OK, result.stderr
    assert "active" in result.output

    answer(region, "officer", "contracts", "suspend", name, "--note", "under examination")
    ended = answer(region, "officer", "contracts", "terminate", name)
    assert ended["state"] == "CONTRACT_STATE_TERMINATED"
    shown = answer(region, "auditor", "contracts", "show", name)
    assert [event["state"].removeprefix("CONTRACT_STATE_") for event in shown["history"]] == [
        "DRAFT", "UNDER_REVIEW", "ACTIVE", "SUSPENDED", "TERMINATED",
    ]  # fmt: skip
    text = accord(region, "auditor", "contracts", "show", name).stdout
    assert "passed, 2026-01-01 to 2099-12-31" in text
    assert name in accord(region, "auditor", "contracts", "list").stdout


def test_check_says_by_its_exit_code_whether_to_share(region: Mesh, arjun: Person) -> None:
    recipient = agree(region, "koerier", "service_provider.delivery", "delivery", "contact")
    words = ("check", arjun.account, "mi_store", recipient, "delivery", "contact.phone")
    permit = accord(region, "mi-store", *words, "--relation", "order-1")
    assert "PERMIT" in permit.stdout
    assert "mi-store@2025-05-20 §4.1.3" in permit.stdout
    gap = accord(region, "mi-store", *words, code=Exit.REFUSED)
    assert "RELATION_MISSING" in gap.stdout
    wrong = accord(region, "mi-store", *words[:-1], "contact.fax", code=Exit.BAD_INPUT)
    assert "INVALID_FIELD" in wrong.stderr
    accord(region, "live-chat", *words, code=Exit.NOT_ALLOWED)
    accord(region, "officer", *words, code=Exit.NOT_ALLOWED)


def test_an_auditor_lists_shows_proves_and_anyone_verifies(
    region: Mesh, tour: Tour, tmp_path: Path
) -> None:
    words = ("audit", "list", "--account", tour.account, "--action", "sharing:decision:permit")
    (entry, *_) = answer(region, "auditor", *words)
    shown = answer(region, "auditor", "audit", "show", entry["event_id"])
    assert shown == answer(region, "auditor", "audit", "show", entry["index"])
    assert shown["account"] == tour.account
    assert entry["event_id"] in accord(region, "auditor", "audit", "show", entry["index"]).stdout
    assert tour.account in accord(region, "auditor", *words).stdout
    newest = answer(region, "auditor", "audit", "list", "--newest", "--limit", "3")
    assert len(newest) == 3
    assert int(newest[0]["index"]) > int(newest[2]["index"])

    proof = tmp_path / "permit.tlog-proof"
    accord(region, "auditor", "audit", "prove", entry["event_id"], "--out", str(proof))
    key = str(region.material.log_key)
    verified = json.loads(
        CliRunner().invoke(cli, ["audit", "verify", str(proof), "--key", key, "--json"]).stdout
    )
    assert verified["index"] == int(entry["index"])
    assert verified["shown"]["@account"] == tour.account
    assert "recipients/dhl" in verified["shown"]["@recipients"]
    assert len(verified["shown"]) == verified["commitments"]


def test_an_auditor_who_kept_a_checkpoint_holds_the_log_to_it(
    region: Mesh, tour: Tour, tmp_path: Path
) -> None:
    assert tour.told
    kept, key = tmp_path / "kept.checkpoint", ("--key", str(region.material.log_key))
    accord(region, "auditor", "audit", "checkpoint", *key, "--out", str(kept))
    words = ("audit", "consistent", str(kept), *key)
    assert "CONSISTENT" in accord(region, "auditor", *words).stdout
    proved = answer(region, "auditor", *words, "--out", str(kept))
    assert 0 < proved["from_size"] <= proved["to_size"]
    assert kept.read_text().splitlines()[1] == str(proved["to_size"])

    origin, size, _ = kept.read_text().splitlines()[:3]
    signer = NoteKey.load(region.material.key("log.key"), origin)
    kept.write_text(sign_note(f"{origin}\n{size}\n{b64encode(bytes(32)).decode()}\n", [signer]))
    forked = accord(region, "auditor", *words, code=Exit.REFUSED)
    assert "NOT VERIFIED (consistency)" in forked.stderr
    assert f"{origin}\n" in forked.stderr  # the other checkpoint, which is evidence


def test_nobody_but_auditors_reads_the_log(region: Mesh) -> None:
    for client in ("mi-store", "officer", "operator"):
        refused = accord(region, client, "audit", "list", code=Exit.NOT_ALLOWED)
        assert "CALLER_NOT_ALLOWED" in refused.stderr
    missing = accord(region, "auditor", "audit", "show", "999999999", code=Exit.BAD_INPUT)
    assert "NOT_FOUND" in missing.stderr


@pytest.fixture(scope="module")
def twan(region: Mesh) -> Browser:
    """A browser in which nobody is signed in yet."""
    return Browser(region.portal, region.material.web_root)


def test_a_proof_taken_from_the_portal_verifies_with_the_command(
    region: Mesh, tour: Tour, twan: Browser, tmp_path: Path
) -> None:
    assert tour.told
    invited = answer(region, "operator", "staff", "add", "auditor", "Twan")
    page = twan.submit(twan.open(invited["link"]).form("/sign-in/facebook"))
    page = twan.submit(page.form(), person="twan")
    page = twan.submit(page.form("/sign-up"), country="NL", notice="yes")
    twan.submit(page.form("/" + invited["link"].rsplit("/", 1)[-1]))
    twan.submit(twan.open("/audit/purpose").form("/audit/purpose"), purpose="a test")
    file = tmp_path / "entry-0.tlog-proof"
    file.write_bytes(twan.download("/audit/entries/0/proof"))
    result = CliRunner().invoke(
        cli, ["audit", "verify", str(file), "--key", str(region.material.log_key)]
    )
    assert result.exit_code == Exit.OK, result.stderr
    assert "VERIFIED" in result.output
