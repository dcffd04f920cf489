"""A person answers what a service asks, holds receipts, restricts, and reads what is new."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING

import grpc
import pytest
from accord.sharing.v1 import consent_service_pb2, subject_pb2, subject_service_pb2
from accord_client import receipt
from accord_client.jws import Keys

from tests.browser.assess import assess
from tests.browser.visitor import DESKTOP, PHONE
from tests.mesh.wire import Wire, identity, method

if TYPE_CHECKING:
    from pathlib import Path

    from google.protobuf.message import Message

    from sandbox.mesh import Mesh
    from tests.browser.visitor import Visitor

# Nobody else signs up as her: what she has agreed to is these tests' own.
FATIMA = "Fatima El Amrani"
EARLIER = "2024-01-01"  # under the notice of 2021


@pytest.fixture
def fatima(visitor: Visitor) -> Visitor:
    visitor.sign_in(FATIMA, "Facebook")
    return visitor


def call(region: Mesh, who: str, name: str, request: Message) -> None:
    with Wire(region, "sharing", identity(region, who)) as wire:
        answer = wire.call(method(name), request.SerializeToString())
    assert answer.code is grpc.StatusCode.OK, answer


def ask(region: Mesh, account: str, purpose: str) -> None:
    """Ask for consent, as the store's backend."""
    request = consent_service_pb2.RequestConsentRequest(
        request_id=str(uuid.uuid4()), account=account
    )
    request.scope.service = "mi_store"
    request.scope.purposes.append(purpose)
    request.scope.categories.append("contact.email")
    request.scope.recipient = "affiliate"
    call(region, "mi-store", "ConsentService.RequestConsent", request)


def known(
    region: Mesh, account: str, *, version: int, born: str = "", since: str = "2026-01-01"
) -> None:
    """Tell sharing of an account: since when it is, or when its person was born."""
    subject = subject_pb2.Subject(
        account=account,
        jurisdiction="NL",
        birth_date=born,
        status=subject_pb2.SUBJECT_STATUS_ACTIVE,
        version=version,
    )
    subject.since_time.FromJsonString(f"{since}T00:00:00Z")
    request = subject_service_pb2.PutSubjectRequest(subject=subject)
    call(region, "account", "SubjectService.PutSubject", request)


def judged(visitor: Visitor) -> dict[int, list[str]]:
    """What is wrong with the page, by the width of the window."""
    found = {}
    for width in (PHONE, DESKTOP):
        visitor.look(width)
        wrong = assess(visitor.page)
        if wrong:
            found[width] = wrong
    return found


def test_a_service_asks_and_the_person_answers_when_they_like(
    fatima: Visitor, region: Mesh
) -> None:
    ask(region, fatima.account, "newsletter")
    fatima.open("/sharing")
    asked = fatima.page.locator("section", has_text="You are asked")
    assert "Mi Store asks." in asked.inner_text()
    fatima.press("Not now")
    assert "We will keep the question here for you." in fatima.text
    assert "Put off" in asked.inner_text()
    assert asked.get_by_role("button", name="Not now").count() == 0
    asked.get_by_role("button", name="Yes, I agree").click()
    assert "You can take it back below at any time" in fatima.text
    fatima.follow("History and receipt")
    assert fatima.heading == "Newsletter"
    assert judged(fatima) == {}
    steps = fatima.page.get_by_role("rowheader").all_inner_texts()
    assert steps == ["Asked", "Put off", "Agreed"]
    fatima.press("Withdraw")
    assert "Withdrawn. It counts from now on" in fatima.text


def test_a_receipt_is_downloaded_and_verifies_with_the_keys_beside_it(
    fatima: Visitor, tmp_path: Path
) -> None:
    account = fatima.account
    fatima.open("/sharing/offers/review")
    fatima.page.get_by_role("checkbox").first.check()
    fatima.press("Yes, I agree")
    fatima.follow("History and receipt")
    with fatima.page.expect_download() as download:
        fatima.follow("Download the receipt")
    name = download.value.suggested_filename
    assert name.startswith("consent-receipt-")
    assert account.partition("/")[2] not in name
    download.value.save_as(tmp_path / name)
    shown = fatima.page.goto(f"{fatima.origin}/receipt-keys.json")
    assert shown is not None
    assert shown.headers["content-type"] == "application/jwk-set+json"
    keys = shown.text()
    assert all("d" not in key for key in json.loads(keys)["keys"])
    read = receipt.verify((tmp_path / name).read_bytes(), Keys(keys))
    assert read.account == account
    assert [step.state for step in read.steps] == ["dpv:ConsentGiven"]
    fatima.open("/sharing")
    fatima.press("Withdraw")


def test_data_is_left_alone_until_the_restriction_is_lifted(fatima: Visitor) -> None:
    fatima.open("/sharing")
    fatima.press("Restrict the use")
    assert "The use of your data is restricted." in fatima.text
    assert fatima.page.get_by_role("button", name="Restrict the use").count() == 0
    fatima.press("Lift the restriction")
    assert "Lifted." in fatima.text
    assert fatima.page.get_by_role("button", name="Restrict the use").count() == 1


def test_what_is_new_is_read_and_accepted_or_left_for_later(fatima: Visitor, region: Mesh) -> None:
    fatima.open("/sharing/notices")
    assert "Nothing is new since what you accepted." in fatima.text
    known(region, fatima.account, version=1_000, born="1990-04-02", since=EARLIER)
    fatima.open("/sharing")
    fatima.follow("See what is new")
    assert fatima.heading == "What is new in our notices"
    assert "In force when your account began: mi.com privacy policy of 22 July 2021." in fatima.text
    new = fatima.page.locator("li.card", has_text="Fraud detection provider")
    assert "Preventing fraud" in new.inner_text()
    assert "mi-store@2025-05-20 §4.1.3" in new.inner_text()
    assert judged(fatima) == {}
    fatima.follow("Not now")
    assert "A notice has changed" in fatima.text
    fatima.open("/sharing/notices")
    fatima.press("I have read and accept it")
    assert "Your acceptance of the notice is recorded." in fatima.text
    assert "A notice has changed" not in fatima.text


def test_a_minor_is_asked_for_a_guardian_and_never_for_marketing(
    fatima: Visitor, region: Mesh
) -> None:
    known(region, fatima.account, version=1_001, born="2012-04-02", since=EARLIER)
    fatima.open("/sharing/offers/review")
    fatima.page.get_by_role("checkbox").first.check()
    fatima.press("Yes, I agree")
    fatima.follow("You are a minor, so a parent or guardian agrees.")
    fatima.page.get_by_label("Name of your parent or guardian").fill("P. Jansen")
    fatima.press("Yes, I agree")
    fatima.follow("History and receipt")
    assert "Your parent or guardian: P. Jansen" in fatima.text
    fatima.open("/sharing/offers/newsletter")
    fatima.page.get_by_role("checkbox").first.check()
    fatima.press("Yes, I agree")
    assert fatima.heading == "Not for minors"
    ask(region, fatima.account, "survey")
    fatima.open("/sharing")
    fatima.page.locator("section", has_text="You are asked").get_by_role(
        "button", name="Yes, I agree"
    ).click()
    assert "so a parent or guardian agrees" in fatima.text
    fatima.press("No, thank you")  # a minor alone may always say no
    assert "We will not do it" in fatima.text
