"""Beside contracts: legal instruments by two officers, what ends, and notices to recipients."""

from __future__ import annotations

import asyncio
import re
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from accord.sharing.v1 import (
    decision_pb2,
    decision_service_pb2,
    decision_service_pb2_grpc,
    disclosure_service_pb2,
    disclosure_service_pb2_grpc,
)
from accord_client.channel import open_channel

from tests.browser.assess import assess
from tests.browser.test_officers import fill_terms, register
from tests.browser.visitor import DESKTOP, PHONE, PIETER, Visitor, Window
from tests.mesh.records import agree, profile

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import StorageState

    from sandbox.mesh import Mesh


def fill_paper(officer: Visitor, account: str, secret_until: str = "") -> None:
    """Fill in the form of a court's order about somebody's orders."""
    page = officer.page
    today = datetime.now(UTC).date()
    page.get_by_label("Kind").select_option("court_order")
    page.get_by_label("Country of the authority").select_option("NL")
    page.get_by_label("Authority", exact=True).fill("Rechtbank Amsterdam")
    page.get_by_label("Reference").fill("AMS 26/1")
    page.get_by_label("About the account").fill(account)
    page.locator("summary", has_text="Orders").first.click()
    page.locator("input[name=categories][value=order]").check()
    page.get_by_label("First day").fill(str(today))
    page.get_by_label("Last day").fill(str(today + timedelta(days=20)))
    page.get_by_label("The person may not be told until").fill(secret_until)
    page.get_by_label("SHA-256 of the file").fill("5a" * 32)
    page.get_by_label("Where it is kept").fill("archive/law/1.pdf")


def test_an_order_is_recorded_by_one_and_put_in_force_by_another(
    officers: tuple[Visitor, Visitor], open_window: Callable[..., Visitor]
) -> None:
    author, second = officers
    person = open_window()
    person.sign_in("Anna de Vries")
    account = person.account
    author.open("/officer/instruments/new")
    author.press("Record")
    assert author.page.get_by_role("alert").is_visible()
    assert author.page.locator(".wrong").count() == 9
    fill_paper(author, account)
    author.press("Record")
    assert author.heading == "Court order"
    assert "somebody else has to read the paper" in author.text
    assert author.page.get_by_role("button", name="Put in force").count() == 0
    instrument = author.path
    person.open("/shared")
    assert "Orders about you" not in person.text

    second.open(instrument)
    second.press("Put in force")
    assert "The instrument is in force." in second.text
    person.open("/shared")
    assert "Orders about you" in person.text
    assert "Rechtbank Amsterdam, Netherlands" in person.text
    assert assess(person.page) == []

    second.open("/officer/expiries?days=30")
    assert "A legal instrument" in second.text
    author.open("/officer/instruments/new")
    fill_paper(author, account, str(datetime.now(UTC).date() + timedelta(days=5)))
    author.page.get_by_label("Reference").fill("AMS 26/2")
    author.press("Record")
    assert "It forbids telling the person." in author.text
    second.open(author.path)
    second.press("Put in force")
    person.open("/shared")
    assert "AMS 26/2" not in person.text

    second.open(instrument)
    second.follow("Revoke")
    second.page.get_by_label("Why").fill("Quashed on appeal")
    second.press("Revoke")
    assert "Quashed on appeal" in second.text
    person.open("/shared")
    assert "Revoked on" in person.text
    assert "Quashed" not in person.text


def test_what_stands_behind_a_contract_is_kept_when_its_terms_change(
    officers: tuple[Visitor, Visitor],
) -> None:
    author, second = officers
    register(author, "Timeline Turin", "turin", "service_provider.delivery")
    author.open("/officer/contracts/new")
    fill_terms(author, "Timeline Turin", document=True)
    page = author.page
    page.locator("input[name=safeguards][value=scc]").check()
    details = page.locator("details", has=page.locator("#scc_reference"))
    details.locator("summary").click()
    page.locator("#scc_module").select_option("2")
    page.locator("#scc_reference").fill("2021/914")
    page.locator("#scc_expires").fill("2027-06-30")
    page.get_by_label("Sub-processors").fill("Fleet\nVans")
    page.get_by_label("Who works for whom").fill("Fleet | de | drives\nVans | PL | repairs | Fleet")
    page.get_by_label("Further obligations").fill("Tells of a breach within 24 hours.")
    author.press("Save the draft")
    for shown in (
        "Module 2, controller to processor 2021/914",
        "Vans, Poland · repairs · for Fleet",
        "Tells of a breach within 24 hours.",
    ):
        assert shown in author.text
    contract = author.path
    author.press("Hand in for review")
    second.open(contract)
    second.press("Activate")
    second.follow("Suspend")
    second.press("Suspend")
    author.open(contract)
    author.follow("Change the terms")
    author.press("Save the draft")
    assert "version 1 is suspended and can be resumed" in author.text
    assert "Vans, Poland · repairs · for Fleet" in author.text
    assert author.page.get_by_role("button", name="Resume").count() == 0  # wrote version 1
    second.open(contract)
    second.press("Resume")
    assert "version 1 is in force" in second.text
    second.open("/officer/contracts")
    picture = second.page.get_by_role("img", name="Contracts over time")
    assert picture.locator("rect.term").count() >= 1
    assert "Timeline Turin, Contract: 1 January 2026" in (
        picture.locator("desc").text_content() or ""
    )


def test_a_recipient_that_was_not_told_is_seen_to(
    officers: tuple[Visitor, Visitor], open_window: Callable[..., Visitor], region: Mesh
) -> None:
    officer, _ = officers
    person = open_window()
    person.sign_in("Arjun Nair")
    account = person.account
    with ThreadPoolExecutor(1) as beside:  # the browser's loop runs in this thread
        agreed = ("couriers", "service_provider.delivery", "delivery", "contact")
        recipient = beside.submit(agree, region, *agreed).result()
        beside.submit(disclose, region, account, recipient).result()
    officer.open("/officer/recipients")
    officer.page.locator("a[href$='/couriers/endpoint']").click()
    officer.page.get_by_label("Address").fill("https://10.0.0.1/")
    officer.press("Save")
    officer.follow("Enter a public address")
    officer.page.get_by_label("Address").fill("")
    officer.press("Save")
    assert "The address is saved." in officer.text

    person.open("/sharing")
    stop_sharing(person)
    officer.open("/officer/revocations")
    officer.follow("couriers")
    assert officer.heading == "Notice to couriers"
    assert "The person stopped the sharing" in officer.text
    officer.press("Send anew")
    assert "The notice is sent anew." in officer.text
    officer.press("Note the acknowledgement")
    officer.follow("Enter how it was acknowledged")
    officer.page.get_by_label("How it was acknowledged").fill("letter")
    officer.press("Note the acknowledgement")
    assert "The acknowledgement is noted." in officer.text
    assert officer.page.get_by_role("button", name="Send anew").count() == 0
    officer.open("/officer/revocations?show=overdue")
    assert "No such notice." in officer.text


def test_these_pages_are_fit_to_be_read(
    open_window: Callable[..., Visitor], staff: dict[str, StorageState]
) -> None:
    wrong = {}
    for language, dark in (("en", False), ("zh-Hant", True)):
        visitor = open_window(Window(dark=dark, cookies=staff[PIETER]))
        visitor.open(f"/language/{language}?from=/nowhere")
        visitor.open("/officer/instruments")
        one = visitor.page.locator("tbody a").first.get_attribute("href") or ""
        visitor.open("/officer/revocations")
        notice = visitor.page.locator("tbody a").first.get_attribute("href") or ""
        for path in (
            "/officer/contracts",
            "/officer/expiries?days=365",
            "/officer/instruments",
            "/officer/instruments/new",
            one,
            f"{one}/revoke" if "court" in one else "/officer/instruments/new",
            "/officer/revocations",
            notice,
            "/officer/recipients/couriers/endpoint",
        ):
            visitor.open(path)
            for width in (PHONE, DESKTOP):
                visitor.look(width)
                found = assess(visitor.page)
                if found:
                    wrong[f"{path} at {width} in {language}"] = found
    assert wrong == {}


def stop_sharing(person: Visitor) -> None:
    """Stop sharing with the couriers, on the page where choices are made."""
    option = person.page.locator("#stop-recipient option", has_text=re.compile("couriers"))
    person.page.locator("#stop-recipient").select_option(option.get_attribute("value"))
    person.press("Stop sharing")


def disclose(region: Mesh, account: str, recipient: str) -> None:
    """Ask as the store, and say that it was sent."""

    async def act() -> None:
        services = (
            decision_service_pb2.DESCRIPTOR.services_by_name["DecisionService"],
            disclosure_service_pb2.DESCRIPTOR.services_by_name["DisclosureService"],
        )
        async with open_channel(profile(region, "mi-store"), "sharing", services) as channel:
            question = decision_pb2.Question(
                account=account,
                service="mi_store",
                recipient=recipient,
                purpose="delivery",
                categories=["contact.name"],
                relation="order-1",
            )
            answer = await decision_service_pb2_grpc.DecisionServiceStub(channel).Check(
                decision_service_pb2.CheckRequest(question=question), timeout=10
            )
            assert answer.decision.outcome == decision_pb2.OUTCOME_PERMIT, answer
            await disclosure_service_pb2_grpc.DisclosureServiceStub(channel).RecordDisclosure(
                disclosure_service_pb2.RecordDisclosureRequest(
                    request_id=str(uuid.uuid4()),
                    decision=answer.decision.name,
                    categories=["contact.name"],
                ),
                timeout=10,
            )

    asyncio.run(act())
