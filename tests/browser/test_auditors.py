"""An auditor follows a request through the services and takes its proof away."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from accord_client.checkpoint import ProofFile
from accord_client.note import parse_keys
from accord_client.verify import verify_proof

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.mesh import Mesh
    from tests.browser.visitor import Visitor


def test_a_trace_is_followed_to_a_proof_that_holds_elsewhere(
    auditor: Visitor, region: Mesh, tmp_path: Path
) -> None:
    own = auditor.account
    auditor.open("/audit")
    assert "nothing here is verified" in auditor.text
    auditor.page.get_by_text("Search", exact=True).click()
    auditor.page.locator("#account").fill(own)
    auditor.page.get_by_label("Action").fill("account:")
    _until_logged(auditor, "account:account:register")
    assert own not in auditor.page.url
    auditor.page.get_by_role("row", name="account:account:register").get_by_role(
        "link"
    ).last.click()
    assert auditor.heading == "One request"
    assert auditor.page.get_by_role("img").is_visible()
    assert "nothing here is verified" in auditor.text
    services = auditor.page.get_by_role("row").all_inner_texts()
    assert any("sharing" in row for row in services)

    auditor.page.get_by_role("row", name="account:account:register").get_by_role("link").click()
    assert "Verified" in auditor.text
    assert own in auditor.text
    with auditor.page.expect_download() as expected:
        auditor.follow("Download the proof")
    proof = tmp_path / "proof"
    expected.value.save_as(proof)
    verified = verify_proof(
        ProofFile.parse(proof.read_bytes()), parse_keys(region.material.log_key.read_text())
    )
    assert verified.entry.action == "account:account:register"
    assert ("@account", own) in verified.shown


def test_a_search_that_cannot_be_read_says_where(auditor: Visitor) -> None:
    auditor.open("/audit")
    auditor.page.get_by_text("Search", exact=True).click()
    auditor.page.get_by_label("Trace").fill("not a trace")
    auditor.press("Find")
    auditor.follow("A trace has 32")
    assert auditor.page.evaluate("document.activeElement.id") == "trace_id"
    auditor.page.get_by_label("Trace").fill("")
    auditor.page.get_by_label("Until").fill("9999-12-31")
    auditor.press("Find")
    auditor.follow("Enter a last day")
    assert auditor.page.evaluate("document.activeElement.id") == "end"


def test_what_is_not_in_the_log_is_said_plainly(auditor: Visitor) -> None:
    auditor.open("/audit/traces/" + "ab" * 16)
    assert "New entries take a moment" in auditor.text
    auditor.open("/audit/entries/99999999")
    assert auditor.heading == "Nothing here by that name"
    auditor.open("/audit/entries/999999999999999999999999")
    assert auditor.heading == "There is no such page"
    auditor.open("/audit/traces/xyz")
    assert auditor.heading == "There is no such page"


def _until_logged(auditor: Visitor, action: str) -> None:
    """Search until the entry is covered by a checkpoint, which takes a second or two."""
    found = auditor.page.get_by_text(re.compile(f"^{action}$"))
    for _ in range(60):
        auditor.press("Find")
        if found.count():
            return
    pytest.fail(f"{action} is not in the log")
