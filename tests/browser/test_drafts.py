"""An officer tries a draft of the rules, and a draft of terms, before anybody puts it in force."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from accord.sharing.v1 import decision_pb2 as sharing
from playwright.sync_api import FilePayload

from tests.browser.assess import assess
from tests.browser.test_analysis import in_force
from tests.browser.visitor import DESKTOP, PHONE
from tests.house.repository import ROOT
from tests.mesh.records import check

if TYPE_CHECKING:
    from sandbox.mesh import Mesh
    from tests.browser.visitor import Visitor

NOTICE = "mi-store@2025-05-20.yaml"
TEXT = (ROOT / "services/sharing/rulebook/notices" / NOTICE).read_text(encoding="utf-8")
DELIVERED = "purposes: [delivery, order_fulfilment]\n    categories: [contact, order.details, "


@pytest.fixture
def officer(officers: tuple[Visitor, Visitor]) -> Visitor:
    """The window of one officer."""
    return officers[0]


def asked(visitor: Visitor, region: Mesh, recipient: str) -> str:
    """Ask for a delivery that is permitted; return the decision."""
    question = sharing.Question(
        account=visitor.account,
        service="mi_store",
        recipient=f"recipients/{recipient}",
        purpose="delivery",
        categories=["contact.address"],
        relation="order-4711",
    )
    with ThreadPoolExecutor(1) as apart:  # Playwright's own loop runs in this thread
        decision = apart.submit(check, region, question).result()
    assert decision.outcome == sharing.OUTCOME_PERMIT
    return decision.name


def choose(officer: Visitor, field: str, name: str, text: str) -> None:
    """Choose a file with this text."""
    file = FilePayload(name=name, mimeType="application/yaml", buffer=text.encode())
    officer.page.locator(f"#{field}").set_input_files([file])


def judged(visitor: Visitor) -> None:
    for width in (PHONE, DESKTOP):
        visitor.look(width)
        assert assess(visitor.page) == []


def test_a_draft_of_the_rules_is_tried(visitor: Visitor, officer: Visitor, region: Mesh) -> None:
    in_force(region, "sledges")
    visitor.sign_in("Anna de Vries")
    decision = asked(visitor, region, "sledges")
    page = officer.page
    officer.open("/officer/what-if")
    page.locator("#change-rules").check()
    assert not page.locator("#country").is_visible()  # what another change needs
    officer.press("Replay")
    assert "Choose at least one file of the rules or one notice" in officer.text

    narrower = TEXT.replace(DELIVERED, DELIVERED.replace("contact, ", ""))
    assert narrower != TEXT
    choose(officer, "notices", NOTICE, narrower)
    officer.press("Replay")
    row = page.get_by_role("row", name=decision)
    now, then = row.get_by_role("cell").all()[-2:]
    assert "Permitted" in now.inner_text()
    assert "mi-store@2025-05-20 §4.1.3" in now.inner_text()
    assert "Refused" in then.inner_text()
    assert "mi-store@2025-05-20 §4" in then.inner_text()
    assert "The privacy notice does not allow it" in then.inner_text()
    refused = page.get_by_role("row", name="Become refused").get_by_role("cell").inner_text()
    picture = page.get_by_role("img", name="How many questions of those replayed")
    assert f"Become refused: {refused}." in (picture.locator("desc").text_content() or "")
    assert int(refused) >= 1
    box = picture.bounding_box()
    assert box
    assert box["x"] + box["width"] <= DESKTOP
    judged(officer)

    # The same file as all there is: the rest of the rules is missing.
    choose(officer, "notices", NOTICE, narrower)
    page.get_by_label("These files are the whole rulebook").check()
    officer.press("Replay")
    assert "is missing" in officer.text


def test_what_is_wrong_in_a_draft_is_told_by_file_and_line(officer: Visitor) -> None:
    page = officer.page
    officer.open("/officer/what-if")
    page.locator("#change-rules").check()
    choose(officer, "notices", NOTICE, TEXT.replace("basis: contract", "basis: whim", 1))
    officer.press("Replay")
    line = str(TEXT.splitlines().index("    basis: contract") + 1)
    row = page.get_by_role("row", name=f"notices/{NOTICE}")
    assert row.get_by_role("cell").first.inner_text() == line
    assert "whim" in row.inner_text()
    assert "Put right what is wrong in the draft" in officer.text
    assert "Put each of these right in its file" in officer.text
    judged(officer)
    choose(officer, "rules", "kinds.yaml", "kinds: [")
    choose(officer, "notices", "a b\u202e.txt", "x")
    officer.press("Replay")
    assert page.get_by_role("row", name="kinds.yaml").count() == 1
    choose(officer, "rules", "kinds.yaml", "#" * 520 * 1024)
    officer.press("Replay")
    assert "at most 512 KiB together" in officer.text
    choose(officer, "rules", "kinds.yaml", "#" * 2_000_000)
    officer.press("Replay")
    assert officer.heading == "That was too much at once"


def test_a_draft_of_terms_is_tried(visitor: Visitor, officer: Visitor, region: Mesh) -> None:
    contract = in_force(region, "barrows")
    visitor.sign_in("Anna de Vries")
    decision = asked(visitor, region, "barrows")
    page = officer.page
    officer.open(f"/officer/contracts/{contract}/amend")
    page.get_by_label("Delivery of an order").uncheck()
    page.get_by_label("Handling of an order").check()
    officer.press("Save the draft")
    officer.open("/officer/what-if")
    page.locator("#change-terms").check()
    officer.press("Replay")
    assert "Choose a draft" in officer.text
    page.get_by_label("Which draft").select_option(f"contracts/{contract}")
    officer.press("Replay")
    then = page.get_by_role("row", name=decision).get_by_role("cell").last
    assert "does not cover this purpose" in then.inner_text()
    judged(officer)
