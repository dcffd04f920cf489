"""Erasures and holds: one officer asks, the other confirms, and both see what is left."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from accord.audit.v1.read_service_pb2 import EntryFilter, ListEntriesRequest

from tests.browser.assess import assess
from tests.browser.visitor import PHONE, PIETER, Visitor, Window
from tests.mesh.log import logged

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import StorageState

    from sandbox.mesh import Mesh


@pytest.fixture
def account(visitor: Visitor, region: Mesh) -> str:
    """Somebody whose sign-up is in the log."""
    visitor.sign_in("Fatima El Amrani", "Facebook")
    account = visitor.account
    request = ListEntriesRequest(filter=EntryFilter(account=account))
    with ThreadPoolExecutor(1) as apart:  # Playwright's own loop runs in this thread
        apart.submit(logged, region, lambda found: len(found) > 2, request).result()
    return account


def test_a_person_is_erased_by_two_officers_and_not_under_a_hold(
    officers: tuple[Visitor, Visitor],
    open_window: Callable[..., Visitor],
    staff: dict[str, StorageState],
    account: str,
) -> None:
    author, second = officers
    author.open("/officer/holds/new")
    author.press("Place")
    assert author.page.locator(".wrong").count() == 3
    author.page.get_by_label("About the account").fill(account)
    author.page.get_by_label("Reason").select_option("legal_claim")
    author.page.get_by_label("Reference").fill("C-09-2026")
    author.press("Place")
    assert "The hold is placed." in author.text

    author.open("/officer/erasures/new")
    author.press("Ask")
    assert author.page.locator(".wrong").count() == 2
    author.page.get_by_label("About the account").fill(account)
    author.page.get_by_label("Reason").select_option("withdrawal")
    author.press("Ask")
    assert author.heading == "A legal hold keeps this person"
    assert "C-09-2026" in author.text
    author.open("/officer/erasures")
    author.press("Ask to lift C-09-2026")
    assert author.page.get_by_role("button", name="C-09-2026").count() == 0
    second.open("/officer/erasures")
    second.press("Lift C-09-2026")
    assert "Lifted" in second.text

    author.open("/officer/erasures/new")
    author.page.get_by_label("About the account").fill(account)
    author.page.get_by_label("Reason").select_option("withdrawal")
    author.press("Ask")
    assert "somebody else has to confirm it" in author.text
    assert author.page.get_by_role("link", name="Destroy the keys").count() == 0
    assert assess(author.page) == []
    erasure = author.path

    second.open(erasure)
    assert account in second.text
    second.follow("Destroy the keys")
    assert assess(second.page) == []
    second.press("Destroy the keys")
    assert "The keys are destroyed." in second.text
    assert account not in second.text
    assert "What is left until it is complete" in second.text
    assert "of the log" in second.text
    assert assess(second.page) == []
    second.open("/officer/erasures")
    assert account not in second.text
    assert assess(second.page) == []
    look_on_a_phone(open_window(Window(width=PHONE, cookies=staff[PIETER])), erasure)


def look_on_a_phone(phone: Visitor, erasure: str) -> None:
    """The pages on a small screen, in Chinese."""
    phone.open("/officer/erasures")
    phone.follow("繁體中文")
    for path in ("/officer/erasures", erasure, "/officer/erasures/new", "/officer/holds/new"):
        phone.open(path)
        assert assess(phone.page) == []
    phone.open(erasure)
    assert "金鑰已銷毀" in phone.text
