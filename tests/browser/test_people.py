"""An officer sees whose data a recipient has, and ends a consent in its person's place."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from accord.sharing.v1 import decision_pb2 as sharing

from runtime.ids import new_account
from tests.browser.assess import assess
from tests.browser.test_consents import known
from tests.browser.visitor import DESKTOP, PHONE, PIETER, Visitor, Window
from tests.mesh.records import agree, check

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Locator, StorageState

    from sandbox.mesh import Mesh

KEY = "kiosks"
PEOPLE = f"/officer/recipients/{KEY}/people"
A_PAGE = 20
COLUMNS = 5


@pytest.fixture(scope="module")
def recipient(region: Mesh) -> str:
    """Somebody who advertises under a contract."""
    with ThreadPoolExecutor(1) as apart:  # Playwright's own loop runs in this thread
        kind = "service_provider.advertising"
        return apart.submit(agree, region, KEY, kind, "direct_marketing", "contact").result()


def agrees(visitor: Visitor) -> None:
    """Say yes to advertising by e-mail."""
    visitor.open("/sharing/offers/advertising")
    visitor.page.locator("[value='contact.email']").check()
    visitor.press("Yes, I agree")


def permitted(region: Mesh, account: str, recipient: str) -> None:
    question = sharing.Question(
        account=account,
        service="mi_store",
        recipient=recipient,
        purpose="direct_marketing",
        categories=["contact.email"],
    )
    with ThreadPoolExecutor(1) as apart:
        decision = apart.submit(check, region, question).result()
    assert decision.outcome == sharing.OUTCOME_PERMIT


def told_of(officer: Visitor, account: str) -> Locator:
    """What is told of one person."""
    return officer.page.get_by_role("rowgroup", name=account)


def judged(visitor: Visitor) -> None:
    for width in (PHONE, DESKTOP):
        visitor.look(width)
        assert assess(visitor.page) == []


def test_a_consent_is_revoked_in_a_second_step_with_a_reason(
    visitor: Visitor, officers: tuple[Visitor, Visitor], region: Mesh, recipient: str
) -> None:
    visitor.sign_in("Anna de Vries")
    account = visitor.account
    known(region, account, version=1_000, born="1990-04-02")
    agrees(visitor)
    permitted(region, account, recipient)

    officer = officers[0]
    officer.open("/officer/recipients")
    officer.follow(f"Whose data {KEY}")
    assert officer.path == PEOPLE
    officer.follow("It has data")
    told = told_of(officer, account)
    assert "Was permitted" in told.inner_text()
    assert "Consent:" in told.inner_text()  # whether it counts was not asked
    officer.follow("All")
    possible = told.get_by_role("row", name="Possible now").inner_text()
    assert "mi.com privacy policy of 20 May 2025 §4.1.3" in possible
    assert "At the latest until" in possible
    assert officer.page.get_by_role("columnheader").count() == COLUMNS  # one head for everybody
    assert "Consent that counts now" in told.inner_text()
    judged(officer)

    told.get_by_role("button", name="Revoke").click()
    assert officer.heading == "Revoke this consent?"
    assert account in officer.text
    assert account.partition("/")[2] not in officer.page.url
    judged(officer)
    officer.press("Revoke the consent")
    assert "Say why, in at most 400 characters" in officer.text
    officer.page.get_by_label("Why it is revoked").fill("no longer decides alone")
    officer.press("Revoke the consent")
    assert "The consent is revoked." in officer.text
    assert "Possible now" not in told.inner_text()
    told.get_by_role("button", name="Was no consent").click()
    officer.page.get_by_label("Who found so, and why").fill("too late")
    officer.press("Record that it was none")
    assert "This consent has ended already" in officer.text

    visitor.open("/sharing")
    visitor.page.get_by_text("Earlier answers").click()
    assert visitor.page.get_by_role("cell", name="Revoked").first.is_visible()


def test_a_consent_is_found_to_be_none_once(
    visitor: Visitor, officers: tuple[Visitor, Visitor], region: Mesh, recipient: str
) -> None:
    assert recipient
    visitor.sign_in("Anna de Vries")
    account = visitor.account
    known(region, account, version=1_001, born="1990-04-02")
    agrees(visitor)
    officer = officers[0]
    officer.open(f"{PEOPLE}?show=may")
    told = told_of(officer, account)
    told.get_by_role("button", name="Was no consent").click()
    officer.page.get_by_label("Who found so, and why").fill("ticked by somebody else")
    # The same form, sent from two windows: the second is answered like the first.
    form = officer.page.locator("form[action$='/invalidate/confirm']")
    form.evaluate("(form) => form.setAttribute('target', '_blank')")
    with officer.page.expect_popup() as window:
        officer.press("Record that it was none")
    window.value.wait_for_url(f"{officer.origin}{PEOPLE}?done=consent_invalidate")
    form.evaluate("(form) => form.removeAttribute('target')")
    officer.press("Record that it was none")
    assert "It is recorded that the consent was none." in officer.text
    assert "Possible now" not in told.inner_text()
    visitor.open("/sharing")
    visitor.page.get_by_text("Earlier answers").click()
    assert visitor.page.get_by_role("cell", name="Found invalid").first.is_visible()


def test_people_come_a_page_at_a_time_and_no_account_is_in_an_address(
    open_window: Callable[..., Visitor],
    staff: dict[str, StorageState],
    region: Mesh,
) -> None:
    with ThreadPoolExecutor(1) as apart:
        kind = "service_provider.delivery"
        apart.submit(agree, region, "trolleys", kind, "delivery", "contact").result()
    people = "/officer/recipients/trolleys/people"
    for _ in range(A_PAGE):
        known(region, new_account("nl"), version=1)
    officer = open_window(Window(width=PHONE, cookies=staff[PIETER]))
    officer.open(people)
    first = officer.page.locator("tbody th").all_inner_texts()
    assert len(first) == A_PAGE
    officer.press("More people")
    assert not {*first} & {*officer.page.locator("tbody th").all_inner_texts()}
    assert officer.page.url == officer.origin + people
    assert assess(officer.page) == []
    officer.follow("繁體中文")
    assert "trolleys持有或可取得誰的資料" in officer.text
    assert assess(officer.page) == []
    officer.press("更多人")
    officer.follow("回到第一頁")
    assert officer.path == people
    assert _ways_on(officer, f"{people}?show=has") == {"/officer/contracts"}
    officer.open("/officer/recipients/nobody/people")
    assert officer.page.locator("h1").inner_text() == "找不到這一項"


def _ways_on(officer: Visitor, path: str) -> set[str]:
    """Where the words of a list with nobody in it lead."""
    officer.open(path)
    return {each.get_attribute("href") or "" for each in officer.page.locator(".empty a").all()}


def test_the_page_is_for_officers(visitor: Visitor) -> None:
    visitor.sign_in("Anna de Vries")
    visitor.open(PEOPLE)
    assert visitor.heading == "This page is for others"
