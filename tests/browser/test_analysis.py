"""An officer takes a decision apart, and supposes a change."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from accord.sharing.v1 import decision_pb2 as sharing
from accord_client.clients import Sharing

from tests.browser.assess import assess
from tests.browser.visitor import DESKTOP, PHONE
from tests.mesh.records import agree, profile

if TYPE_CHECKING:
    from sandbox.mesh import Mesh
    from tests.browser.visitor import Visitor


def in_force(region: Mesh, key: str) -> str:
    """A contract that lets a delivery company have contact details; its key."""
    with ThreadPoolExecutor(1) as apart:  # Playwright's own loop runs in this thread
        kind = "service_provider.delivery"
        apart.submit(agree, region, key, kind, "delivery", "contact").result()
        return apart.submit(asyncio.run, _contract_with(region, f"recipients/{key}")).result()


@pytest.fixture
def officer(officers: tuple[Visitor, Visitor]) -> Visitor:
    """The window of one officer."""
    return officers[0]


def judged(visitor: Visitor) -> None:
    for width in (PHONE, DESKTOP):
        visitor.look(width)
        assert assess(visitor.page) == []


def test_a_question_is_taken_apart(visitor: Visitor, officer: Visitor, region: Mesh) -> None:
    in_force(region, "wagons")
    visitor.sign_in("Anna de Vries")
    account = visitor.account

    officer.open("/officer/explore")
    officer.press("Take it apart")
    assert officer.page.locator(".wrong").count() == 4
    page = officer.page
    page.locator("#account").fill(account)
    page.locator("#service").select_option("mi_store")
    page.locator("#recipient").select_option("recipients/wagons")
    page.locator("#purpose").select_option("delivery")
    page.get_by_text("Contact details", exact=True).click()
    page.locator("[value='contact.address']").check()
    officer.press("Take it apart")
    gates = page.locator(".gates > li")
    assert gates.count() == 8
    assert "Stands in the way" in gates.nth(4).inner_text()
    assert "Name the order, ticket or entry" in gates.nth(4).inner_text()
    assert "(the app that asks can)" in gates.nth(4).inner_text()
    assert "house §relation" in gates.nth(4).inner_text()
    assert "Passed" in gates.nth(5).inner_text()
    assert account not in page.url
    judged(officer)

    # The form is as it was: one thing more, and it would be permitted.
    page.get_by_text("More about the question").click()
    page.locator("#relation").fill("order-1")
    officer.press("Take it apart")
    assert "Permitted" in page.get_by_role("region", name="The answer").inner_text()
    assert "mi-store@2025-05-20 §4.1.3" in gates.nth(4).inner_text()
    page.locator("#as_of").fill("2026-01-05T12:00")
    officer.press("Take it apart")
    assert "how it would have been decided on 5 January 2026" in officer.text
    assert "No such account is known" in officer.text
    page.locator("#as_of").fill("2199-01-05T12:00")
    officer.press("Take it apart")
    assert "a time in the past" in officer.text
    page.locator("#account").fill("accounts/in-" + "0" * 26)
    page.locator("#as_of").fill("")
    officer.press("Take it apart")
    assert "Enter an account number" in officer.text


def test_the_question_may_be_about_a_guest(officer: Visitor, region: Mesh) -> None:
    in_force(region, "rickshaws")
    page = officer.page
    officer.open("/officer/explore")
    page.locator("#service").select_option("mi_store")
    page.locator("#recipient").select_option("recipients/rickshaws")
    page.locator("#purpose").select_option("delivery")
    page.get_by_text("Contact details", exact=True).click()
    page.locator("[value='contact.address']").check()
    page.get_by_text("More about the question").click()
    page.locator("#relation").fill("order-1")
    page.get_by_text("A visitor without an account").click()
    page.locator("#guest_jurisdiction").select_option("NL")
    officer.press("Take it apart")
    assert "Enter the session's id" in officer.text
    page.locator("#guest_session").fill("chat-1")
    officer.press("Take it apart")
    assert "Permitted" in page.get_by_role("region", name="The answer").inner_text()
    page.locator("#guest_jurisdiction").select_option("IN")
    officer.press("Take it apart")
    assert "Choose a country that is at home here" in officer.text
    judged(officer)
    officer.open("/language/zh-Hant?from=/officer/explore")
    assert "沒有帳戶的訪客" in officer.text


def test_a_change_is_supposed(visitor: Visitor, officer: Visitor, region: Mesh) -> None:
    contract = in_force(region, "buggies")
    visitor.sign_in("Anna de Vries")
    account = visitor.account
    page = officer.page
    with ThreadPoolExecutor(1) as apart:  # Playwright's own loop runs in this thread
        decision = apart.submit(asyncio.run, _ask(region, account)).result()
    assert decision.outcome == sharing.OUTCOME_PERMIT
    officer.open("/officer/what-if")
    officer.press("Replay")
    assert "Choose what would be otherwise" in officer.text
    page.locator("#change-contract").check()
    page.get_by_label("Which contract").select_option(f"contracts/{contract}")
    officer.press("Replay")
    row = page.get_by_role("row", name="buggies").first
    assert "Permitted" in row.inner_text()
    assert "The contract with the recipient is not in force." in row.inner_text()
    assert decision.name in row.inner_text()
    assert account not in officer.text
    judged(officer)
    page.locator("#change-moved").check()
    page.locator("#recipient").select_option("recipients/buggies")
    page.get_by_label("To which country").select_option("US")
    officer.press("Replay")
    row = page.get_by_role("row", name="buggies").first
    assert "does not cover where the data would go" in row.inner_text()


def test_these_pages_are_for_officers(visitor: Visitor) -> None:
    visitor.sign_in("Anna de Vries")
    for path in ("/officer/explore", "/officer/what-if"):
        visitor.open(path)
        assert visitor.heading == "This page is for others"


async def _ask(region: Mesh, account: str) -> sharing.Decision:
    async with Sharing.connect(profile(region, "mi-store")) as client:
        return await client.check(
            sharing.Question(
                account=account,
                service="mi_store",
                recipient="recipients/buggies",
                purpose="delivery",
                categories=["contact.address"],
                relation="order-4711",
            )
        )


async def _contract_with(region: Mesh, recipient: str) -> str:
    async with Sharing.connect(profile(region, "officer")) as client:
        (contract,) = [each async for each in client.contracts(recipient)]
    return contract.name.rpartition("/")[2]
