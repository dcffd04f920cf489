"""A person agrees, takes it back, and reads what was answered in their name."""

from __future__ import annotations

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from accord.sharing.v1 import decision_pb2 as sharing
from accord_client.clients import Sharing
from accord_client.profile import load_profile

from tests.browser.test_officers import register

if TYPE_CHECKING:
    from sandbox.mesh import Mesh
    from tests.browser.visitor import Visitor

ANNA = "Anna de Vries"


@pytest.fixture
def anna(visitor: Visitor) -> Visitor:
    visitor.sign_in(ANNA)
    return visitor


def test_consent_is_given_narrowly_and_withdrawn_with_one_click(anna: Visitor) -> None:
    anna.open("/sharing")
    anna.follow("Look at it Advertising that fits you")
    boxes = anna.page.get_by_role("checkbox")
    assert boxes.count() == 6
    assert not any(box.is_checked() for box in boxes.all())  # nothing is agreed to by default
    anna.press("Yes, I agree")
    assert "Choose at least one kind of data" in anna.text
    boxes.nth(1).check()
    anna.press("Yes, I agree")
    assert "You can take it back below at any time" in anna.text
    card = anna.page.locator("section", has_text="You agreed to").locator("li.card")
    assert card.count() == 1
    assert card.locator(".chips li").count() == 1
    anna.press("Withdraw")
    assert "Withdrawn. It counts from now on" in anna.text
    assert "You have not agreed to anything" in anna.text
    anna.page.get_by_text("Earlier answers").click()
    assert anna.page.get_by_role("cell", name="Withdrawn").first.is_visible()


def test_a_form_that_is_sent_twice_counts_once(anna: Visitor) -> None:
    anna.open("/sharing/offers/review")
    anna.page.get_by_role("checkbox").first.check()
    anna.page.get_by_role("button", name="Yes, I agree").dblclick()
    anna.page.wait_for_url(re.compile(r"/sharing(?!/offers)"))
    anna.open("/sharing")
    cards = anna.page.locator("section", has_text="You agreed to").locator("li.card")
    assert cards.count() == 1
    anna.press("Withdraw")


def test_a_last_day_that_nothing_follows_is_a_wrong_date(anna: Visitor) -> None:
    anna.open("/sharing/offers/review")
    anna.page.get_by_role("checkbox").first.check()
    anna.page.get_by_label("Until").fill("9999-12-31")
    anna.press("Yes, I agree")
    anna.follow("Enter a last day that is still to come")
    assert anna.page.evaluate("document.activeElement.id") == "expires"


def test_the_notice_in_force_is_accepted_with_the_account_or_by_a_button(anna: Visitor) -> None:
    anna.open("/sharing")
    notices = anna.page.locator("section", has_text="Notices").last
    assert "privacy policy of 20 May 2025" in notices.inner_text()
    assert "Accepted" in notices.inner_text()
    assert notices.get_by_role("button").count() == 0
    # An account older than the notice is shown a button. This one is not: another form of the page
    # is sent to where that button leads.
    anna.page.locator("form[action='/sharing/opt-outs/personalisation']").evaluate(
        "(form) => { form.setAttribute('action', '/sharing/notices');"
        " form.innerHTML += '<input type=hidden name=notice value=mi-store@2025-05-20>'; }"
    )
    anna.press("Opt out Personalisation")
    assert "Your acceptance of the notice is recorded." in anna.text


def test_saying_no_is_as_easy_and_is_kept(anna: Visitor) -> None:
    anna.open("/sharing/offers/posting")
    anna.press("No, thank you")
    assert "We will not do it" in anna.text


def test_choices_stand_until_they_are_lifted(anna: Visitor) -> None:
    anna.open("/sharing")
    anna.press("Opt out Marketing")
    assert "You have opted out." in anna.text
    anna.press("Lift this Marketing")
    assert "Lifted." in anna.text

    anna.page.get_by_label("With whom").select_option("affiliate")
    anna.press("Stop sharing")
    assert "Nothing is shared with them any more." in anna.text
    anna.press("Allow again")
    assert "Lifted." in anna.text

    uses = anna.page.get_by_label("Which use")
    assert uses.locator("option[value='legal_claims']").count() == 0
    uses.select_option("service_analytics")
    anna.press("Object")
    assert "Your objection is recorded." in anna.text
    anna.press("Lift the objection")
    assert "Lifted." in anna.text


def test_what_was_asked_is_shown_with_its_reason_and_clause(
    anna: Visitor, officers: tuple[Visitor, Visitor], region: Mesh
) -> None:
    register(officers[0], "Bank of Breda", "bank", "payment_provider")
    account = anna.account
    with ThreadPoolExecutor(1) as apart:  # Playwright's own loop runs in this thread
        decision = apart.submit(asyncio.run, _ask(region, account)).result()
    assert decision.outcome == sharing.OUTCOME_PERMIT
    anna.open("/shared")
    assert anna.page.get_by_role("img").is_visible()
    row = anna.page.get_by_role("row").nth(1)
    assert "Permitted" in row.inner_text()
    anna.page.locator(f"a[href='/shared/{decision.name.removeprefix('decisions/')}']").click()
    assert anna.heading == "Bank of Breda was permitted: Taking your payment"
    assert "mi-store@2025-05-20 §3.1.1" in anna.text
    assert "order-4711" in anna.text
    anna.open("/shared?outcome=deny")
    assert "Nobody has asked" in anna.text


async def _ask(region: Mesh, account: str) -> sharing.Decision:
    """Ask, as the store's backend, for a payment: its recipient needs no contract."""
    async with Sharing.connect(load_profile(region.material.profile("mi-store"), {})) as client:
        return await client.check(
            sharing.Question(
                account=account,
                service="mi_store",
                recipient="recipients/bank",
                purpose="payment",
                categories=["payment.request", "payment.total"],
                relation="order-4711",
            )
        )
