"""An auditor follows a request through the services and takes its proof away."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import pytest
from accord_client.checkpoint import ProofFile
from accord_client.note import parse_keys
from accord_client.verify import verify_proof

from tests.browser.visitor import DMITRI, Visitor, Window

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import StorageState

    from sandbox.mesh import Mesh


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
    assert "came through the portal" in auditor.text
    picture = auditor.page.get_by_role("img")
    lanes = picture.locator(".lane-word").all_text_contents()
    assert lanes == ["portal", "account", "sharing"]
    marks = picture.locator("text.data").all_text_contents()
    steps = auditor.page.locator("ol.steps > li")
    assert steps.count() == len(marks) >= 3
    for step in steps.all():
        assert "Proof verified" in step.inner_text()
        assert "In the signed log" in step.inner_text()
        assert "UTC" in step.inner_text()

    step = steps.filter(has_text="account:account:register")
    step.get_by_role("link").click()
    assert "Verified" in auditor.text
    assert own in auditor.text
    with auditor.page.expect_download() as expected:
        auditor.follow("Download the proof")
    proof = tmp_path / "proof"
    expected.value.save_as(proof)
    verified = verify_proof(
        ProofFile.parse(proof.read_bytes()), parse_keys(region.material.log_key.read_text())
    )
    assert verified.action == "account:account:register"
    assert ("@account", own) in verified.shown


def test_who_does_not_say_why_reads_nothing(
    open_window: Callable[..., Visitor], staff: dict[str, StorageState]
) -> None:
    signed_in = staff[DMITRI]
    session = [each for each in signed_in["cookies"] if each["name"] != "__Host-purpose"]
    forgetful = open_window(Window(cookies={**signed_in, "cookies": session}))
    for path in ("/audit", "/audit/traces/" + "ab" * 16, "/audit/entries/0"):
        forgetful.open(path)
        assert forgetful.path == "/audit/purpose"
    forgetful.press("Go on")
    forgetful.follow("Say on one line")
    assert forgetful.page.evaluate("document.activeElement.id") == "purpose"
    forgetful.page.get_by_label("Purpose").fill("incident 12 <b>")
    forgetful.press("Go on")
    assert forgetful.path == "/audit/entries/0"  # where the auditor was going
    assert "You read for this purpose incident 12 <b>" in forgetful.text
    # Another session's cookie says nothing: it is sealed for the one in which it was stated.
    other = open_window(Window(cookies=_moved(forgetful.cookies, "__Host-session", "x" * 43)))
    other.open("/audit")
    assert other.path == "/sign-in"


def test_a_purpose_is_read_by_the_person_who_was_looked_up_and_nothing_else_of_it(
    auditor: Visitor, visitor: Visitor
) -> None:
    visitor.sign_in("Arjun Nair")  # no order lies on him, which would hide who reads about him
    own = visitor.account
    auditor.state_purpose("complaint 4711")
    auditor.page.get_by_text("Search", exact=True).click()
    auditor.page.locator("#account").fill(own)
    auditor.press("Find")
    patience = time.monotonic() + 60
    while "complaint 4711" not in visitor.text and time.monotonic() < patience:
        visitor.open("/record")
    looked = visitor.page.locator("ol.steps > li").filter(has_text="complaint 4711").first
    assert "An auditor read the record about you" in looked.inner_text()
    assert auditor.account not in visitor.page.content()
    looked.get_by_role("link", name="See the proof").click()
    assert "Verified" in visitor.text
    index = visitor.path.rpartition("/")[2]
    with visitor.page.expect_download() as expected:
        visitor.follow("Download the proof")
    assert expected.value.suggested_filename == f"entry-{index}.tlog-proof"
    # Nobody else finds what is the person's, an auditor neither but by reading the log.
    visitor.open("/record")
    signed_in = visitor.page.locator("ol.steps > li").filter(has_text="You signed in")
    while not signed_in.count():  # his looks above are on his record too
        visitor.press("Older")
    signed_in.get_by_role("link", name="See the proof").first.click()
    auditor.open(visitor.path)
    assert auditor.heading == "Nothing here by that name"


def test_a_whole_request_is_one_call_to_audit(auditor: Visitor) -> None:
    auditor.open("/audit")
    trace = auditor.page.locator("a[href^='/audit/traces/']").last.get_attribute("href")
    answer = auditor.page.goto(f"{auditor.origin}{trace}")
    assert answer is not None
    looking = answer.headers["accord-reference"]
    for _ in range(60):
        auditor.open(f"/audit/traces/{looking}")
        if auditor.page.locator("ol.steps").count():
            break
    # Each call that reads leaves an entry of its own in the trace of whoever reads.
    (step,) = auditor.page.locator("ol.steps > li").all_inner_texts()
    assert "audit:proof:read" in step


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


def _moved(cookies: StorageState, name: str, value: str) -> StorageState:
    """Return a window's cookies with another value of one."""
    changed = [
        each | {"value": value} if each["name"] == name else each for each in cookies["cookies"]
    ]
    return {**cookies, "cookies": changed}


def _until_logged(auditor: Visitor, action: str) -> None:
    """Search until the entry is covered by a checkpoint, which takes a second or two."""
    found = auditor.page.get_by_text(re.compile(f"^{action}$"))
    for _ in range(60):
        auditor.press("Find")
        if found.count():
            return
    pytest.fail(f"{action} is not in the log")
