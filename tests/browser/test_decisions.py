"""Officers and auditors look at one decision on record, for a purpose that its person can read."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from accord.sharing.v1 import decision_pb2 as sharing

from tests.browser.assess import assess
from tests.browser.visitor import DESKTOP, PHONE, PIETER, Visitor, Window
from tests.mesh.records import agree, check

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import StorageState

    from sandbox.mesh import Mesh

KEY = "punts"
PATIENCE_S = 60


@pytest.fixture(scope="module")
def recipient(region: Mesh) -> str:
    """Somebody who delivers under a contract."""
    with ThreadPoolExecutor(1) as apart:  # Playwright's own loop runs in this thread
        kind = "service_provider.delivery"
        return apart.submit(agree, region, KEY, kind, "delivery", "contact").result()


def decided(region: Mesh, recipient: str, account: str, category: str) -> sharing.Decision:
    question = sharing.Question(
        account=account,
        service="mi_store",
        recipient=recipient,
        purpose="delivery",
        categories=[category],
        relation="order-4711",
    )
    with ThreadPoolExecutor(1) as apart:
        return apart.submit(check, region, question).result()


def judged(visitor: Visitor) -> None:
    for width in (PHONE, DESKTOP):
        visitor.look(width)
        assert assess(visitor.page) == []


def test_an_officer_reads_a_decision_for_a_purpose_that_the_person_reads_too(
    visitor: Visitor,
    open_window: Callable[..., Visitor],
    staff: dict[str, StorageState],
    region: Mesh,
    recipient: str,
) -> None:
    visitor.sign_in("Arjun Nair")  # no order lies on him, which would hide who reads about him
    account = visitor.account
    decision = decided(region, recipient, account, "contact.address")
    assert decision.outcome == sharing.OUTCOME_PERMIT

    officer = open_window(Window(cookies=staff[PIETER]))
    officer.open(f"/officer/recipients/{KEY}/people?show=has")
    told = officer.page.get_by_role("rowgroup", name=account)
    told.get_by_role("link", name="The decision").click()
    assert officer.heading == "Why do you read the records?"
    officer.page.get_by_label("Purpose").fill("complaint 4712")
    officer.press("Go on")
    assert officer.path == f"/{decision.name}"  # where the officer was going
    assert officer.heading == f"{KEY} was permitted: Delivery of an order"
    for said in (
        "You read for this purpose complaint 4712",
        account,
        "order-4711",
        "Needed for what the person ordered or asked for",
        "mi-store@2025-05-20 §4.1.3",
        "Record what was really sent",
        decision.rulebook_digest,
        decision.token,
        decision.trace_id,
        "UTC",
    ):
        assert said in officer.text
    assert not officer.page.get_by_role(
        "link", name=decision.trace_id
    ).count()  # auditors follow it
    assert account not in officer.page.url
    judged(officer)
    officer.press("Take it apart as of then")
    assert officer.heading == "Explain a decision"
    assert officer.page.get_by_role("region", name="The answer").get_by_text("Permitted").count()
    assert account in officer.page.locator("#account").input_value()
    officer.page.go_back()
    officer.page.get_by_role("link", name=decision.contract).click()
    assert officer.heading == f"Contract with {KEY}"

    patience = time.monotonic() + PATIENCE_S
    while "complaint 4712" not in visitor.text and time.monotonic() < patience:
        visitor.open("/record")
    looked = visitor.page.locator("ol.steps > li").filter(has_text="complaint 4712").first
    assert "Staff read an answer on record about you" in looked.inner_text()
    assert "Purpose stated" in looked.inner_text()
    looked.get_by_role("link", name="Read the whole answer").click()
    assert visitor.path == f"/shared/{decision.name.partition('/')[2]}"
    visitor.open(f"/{decision.name}")
    assert visitor.heading == "This page is for others"


def test_an_auditor_comes_from_a_trace_to_the_decision_and_back(
    visitor: Visitor, auditor: Visitor, region: Mesh, recipient: str
) -> None:
    visitor.sign_in("Arjun Nair")
    decision = decided(region, recipient, visitor.account, "location")
    assert decision.outcome != sharing.OUTCOME_PERMIT
    link = auditor.page.get_by_role("link", name=decision.name)
    patience = time.monotonic() + PATIENCE_S
    while not link.count() and time.monotonic() < patience:
        auditor.open(f"/audit/traces/{decision.trace_id}")
    link.first.click()
    assert auditor.path == f"/{decision.name}"
    for said in ("3. The notice", "The privacy notice does not allow it.", "NOT_IN_NOTICE"):
        assert said in auditor.text
    assert not auditor.page.get_by_role("link", name="contracts/").count()  # officers keep them
    judged(auditor)
    auditor.follow("繁體中文")
    assert "詢問的內容" in auditor.text
    judged(auditor)
    auditor.follow("English")
    auditor.follow(decision.trace_id)
    assert auditor.heading == "One request"
    auditor.page.locator("ol.steps h3 a").first.click()
    assert auditor.heading.startswith("Entry ")
    link.first.click()
    assert auditor.path == f"/{decision.name}"


def test_a_decision_is_opened_by_its_number(
    open_window: Callable[..., Visitor], staff: dict[str, StorageState]
) -> None:
    officer = open_window(Window(cookies=staff[PIETER]))
    officer.state_purpose("complaint 1")
    for typed, heading in (
        (" decisions/nl-" + "0" * 26, "Nothing here by that name"),
        ("no/such", "There is no such page"),
    ):
        officer.open("/officer/explore")
        officer.page.get_by_role("textbox", name="Decision").fill(typed)
        officer.press("Open it")
        assert officer.heading == heading
