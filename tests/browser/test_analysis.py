"""An officer takes a decision apart, and supposes a change."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from accord.sharing.v1 import decision_pb2 as sharing
from accord_client.clients import Sharing
from accord_client.profile import load_profile

from tests.browser.assess import assess
from tests.browser.test_officers import fill_terms, register
from tests.browser.visitor import DESKTOP, PHONE

if TYPE_CHECKING:
    from sandbox.mesh import Mesh
    from tests.browser.visitor import Visitor


def in_force(author: Visitor, second: Visitor, key: str, name: str) -> str:
    """A contract that lets a delivery company have contact details."""
    register(author, name, key, "service_provider.delivery")
    author.open("/officer/contracts/new")
    fill_terms(author, name, document=True)
    author.press("Save the draft")
    contract = author.path
    author.press("Hand in for review")
    second.open(contract)
    second.press("Activate")
    return contract.rpartition("/")[2]


def judged(visitor: Visitor) -> None:
    for width in (PHONE, DESKTOP):
        visitor.look(width)
        assert assess(visitor.page) == []


def test_a_question_is_taken_apart(visitor: Visitor, officers: tuple[Visitor, Visitor]) -> None:
    officer, second = officers
    in_force(officer, second, "wagons", "Wagons of Wrocław")
    visitor.sign_in("Anna de Vries")
    account = visitor.account

    officer.open("/officer/explore")
    officer.press("Take it apart")
    assert officer.page.locator(".wrong").count() == 4
    page = officer.page
    page.get_by_label("Account").fill(account)
    page.get_by_label("Service").select_option("mi_store")
    page.get_by_label("Recipient").select_option("recipients/wagons")
    page.get_by_label("Purpose").select_option("delivery")
    page.get_by_text("Contact details", exact=True).click()
    page.get_by_label("Address", exact=True).check()
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
    page.get_by_label("Order or request").fill("order-1")
    officer.press("Take it apart")
    assert "Permitted" in page.get_by_role("region", name="The answer").inner_text()
    page.get_by_label("As of (UTC)").fill("2026-01-05T12:00")
    officer.press("Take it apart")
    assert "how it would have been decided on 5 January 2026" in officer.text
    assert "No such account is known" in officer.text
    page.get_by_label("As of (UTC)").fill("2199-01-05T12:00")
    officer.press("Take it apart")
    assert "a time in the past" in officer.text
    page.get_by_label("Account").fill("accounts/in-" + "0" * 26)
    page.get_by_label("As of (UTC)").fill("")
    officer.press("Take it apart")
    assert "Enter an account number" in officer.text


def test_a_change_is_supposed(
    visitor: Visitor, officers: tuple[Visitor, Visitor], region: Mesh
) -> None:
    officer, second = officers
    contract = in_force(officer, second, "buggies", "Buggies of Brno")
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
    row = page.get_by_role("row", name="Buggies of Brno").first
    assert "Permitted" in row.inner_text()
    assert "The contract with the recipient is not in force." in row.inner_text()
    assert decision.name in row.inner_text()
    assert account not in officer.text
    judged(officer)
    page.locator("#change-moved").check()
    page.locator("#recipient").select_option("recipients/buggies")
    page.get_by_label("To which country").select_option("US")
    officer.press("Replay")
    row = page.get_by_role("row", name="Buggies of Brno").first
    assert "does not cover where the data would go" in row.inner_text()


def test_these_pages_are_for_officers(visitor: Visitor) -> None:
    visitor.sign_in("Anna de Vries")
    for path in ("/officer/explore", "/officer/what-if"):
        visitor.open(path)
        assert visitor.heading == "This page is for others"


async def _ask(region: Mesh, account: str) -> sharing.Decision:
    async with Sharing.connect(load_profile(region.material.profile("mi-store"), {})) as client:
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
