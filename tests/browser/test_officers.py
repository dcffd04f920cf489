"""Two privacy officers: what one writes, the other puts in force."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.browser.visitor import invite

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.mesh import Mesh
    from tests.browser.visitor import Visitor


def test_a_contract_is_written_by_one_and_activated_by_another(
    officers: tuple[Visitor, Visitor],
) -> None:
    author, second = officers
    register(author, "Karel Couriers", "karel", "service_provider.delivery")
    author.open("/officer/contracts/new")
    author.press("Save the draft")
    assert author.page.get_by_role("alert").is_visible()
    fill_terms(author, "Karel Couriers", document=False)
    author.press("Save the draft")
    assert author.heading == "Contract with Karel Couriers"
    contract = author.path
    assert "Draft" in author.text
    assert "nobody can activate it without one" in author.text
    author.press("Hand in for review")
    assert "Waiting for a second officer" in author.text
    assert author.page.get_by_role("button", name="Activate").count() == 0

    second.open(contract)
    second.press("Activate")
    assert second.heading == "The signed document is missing"

    author.open(contract)
    author.follow("Change the terms")
    assert author.page.get_by_label("Delivery of an order").is_checked()
    fill_document(author)
    author.press("Save the draft")
    author.press("Hand in for review")
    second.open(contract)
    assert "Version 2" in second.text
    second.press("Activate")
    assert "The contract is in force." in second.text

    second.follow("Suspend")
    second.page.get_by_label("Why").fill("The yearly examination is late")
    second.press("Suspend")
    assert "The contract is suspended." in second.text
    assert "The yearly examination is late" in second.text
    second.press("Resume")
    assert "The contract is in force." in second.text
    second.follow("Terminate")
    assert "This is final" in second.text
    second.press("Terminate")
    assert second.page.get_by_role("button", name="Activate").count() == 0
    assert second.page.get_by_role("row").count() == 9  # heading, two drafts, six steps


def test_what_is_in_force_can_be_suspended_while_an_amendment_waits(
    officers: tuple[Visitor, Visitor],
) -> None:
    author, second = officers
    register(author, "Boxes Berlin", "boxes", "service_provider.delivery")
    author.open("/officer/contracts/new")
    fill_terms(author, "Boxes Berlin", document=True)
    author.press("Save the draft")
    contract = author.path
    author.press("Hand in for review")
    second.open(contract)
    second.press("Activate")
    author.open(contract)
    author.follow("Change the terms")
    author.press("Save the draft")
    assert "version 1 is in force" in author.text
    author.follow("Suspend")
    author.press("Suspend")
    assert "The contract is suspended." in author.text
    assert "is in force" not in author.text
    assert author.page.get_by_role("link", name="Suspend").count() == 0


def test_the_author_is_told_why_another_must_activate(officers: tuple[Visitor, Visitor]) -> None:
    author, _ = officers
    register(author, "Mailbox Milan", "milan", "service_provider.mailing")
    author.open("/officer/contracts/new")
    fill_terms(author, "Mailbox Milan", document=True)
    author.press("Save the draft")
    contract = author.path
    # A page that offered the step anyway: the form of the draft, sent to where it does not lead.
    author.page.locator("form[action$='/submit']").evaluate(
        "(form) => form.setAttribute('action', form.action.replace('submit', 'activate'))"
    )
    author.press("Hand in for review")
    assert author.heading == "It is past that step"
    author.open(contract)
    author.press("Hand in for review")
    assert "Two people look at every contract" in author.text


def test_a_key_that_is_taken_and_a_field_that_is_missing(
    officers: tuple[Visitor, Visitor],
) -> None:
    author, _ = officers
    register(author, "Analytics Aarhus", "aarhus", "service_provider.data_analytics")
    register(author, "Another Aarhus", "aarhus", "service_provider.data_analytics")
    author.follow("This key is taken")
    assert author.page.evaluate("document.activeElement.id") == "key"
    assert author.page.get_by_label("Name").input_value() == "Another Aarhus"
    author.open("/officer/recipients")
    author.press("Register")
    assert author.page.locator(".wrong").count() == 4


def test_a_person_without_the_role_is_told_so(visitor: Visitor) -> None:
    visitor.sign_in("Anna de Vries")
    for path in ("/officer/recipients", "/officer/contracts", "/audit"):
        visitor.open(path)
        assert visitor.heading == "This page is for others"


def test_an_invitation_is_good_for_one_account(
    open_window: Callable[..., Visitor], region: Mesh
) -> None:
    path = invite(region, "officer", "Whoever comes first")
    first, second = open_window(), open_window()
    first.sign_in("Arjun Nair", start=path)
    second.sign_in("Anna de Vries", start=path)
    assert "you are invited to act as privacy officer" in second.text
    first.press("Accept the role")
    second.press("Accept the role")
    assert second.heading == "The invitation was used"


def test_an_invitation_that_nobody_made_is_unknown(visitor: Visitor) -> None:
    visitor.open("/staff/enrol/" + "x" * 43)
    assert visitor.heading == "We do not know this invitation"


def register(officer: Visitor, name: str, key: str, kind: str) -> None:
    officer.open("/officer/recipients")
    officer.page.get_by_label("Name").fill(name)
    officer.page.get_by_label("Short key").fill(key)
    officer.page.get_by_label("Kind").select_option(kind)
    officer.page.get_by_label("Country of establishment").select_option("DE")
    officer.press("Register")


def fill_terms(officer: Visitor, recipient: str, *, document: bool) -> None:
    page = officer.page
    option = page.locator("#recipient option", has_text=recipient)
    page.locator("#recipient").select_option(option.get_attribute("value"))
    page.get_by_label("Delivery of an order").check()
    page.get_by_text("Contact details", exact=True).click()
    page.get_by_label("All of: Contact details").check()
    page.get_by_label("Whose data").fill("eea")
    page.get_by_label("Where the data may go").fill("DE NL")
    page.get_by_label("First day").fill("2026-01-01")
    page.get_by_label("Last day").fill("2028-12-31")
    page.get_by_label("Passed").check()
    page.get_by_label("Examined on").fill("2026-01-01")
    page.get_by_label("Counts until").fill("2028-12-31")
    if document:
        fill_document(officer)


def fill_document(officer: Visitor) -> None:
    officer.page.get_by_label("SHA-256 of the file").fill("5a" * 32)
    officer.page.get_by_label("Where it is kept").fill("archive/2026/1.pdf")
