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

TWAN = "Twan Jansen"


@pytest.fixture
def twan(visitor: Visitor) -> Visitor:
    visitor.sign_in(TWAN, "Facebook")
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


def begin_earlier(region: Mesh, account: str, *, version: int, born: str) -> None:
    """Let the account have begun under the notice of 2021."""
    subject = subject_pb2.Subject(
        account=account,
        jurisdiction="NL",
        birth_date=born,
        status=subject_pb2.SUBJECT_STATUS_ACTIVE,
        version=version,
    )
    subject.since_time.FromJsonString("2024-01-01T00:00:00Z")
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


def test_a_service_asks_and_the_person_answers_when_they_like(twan: Visitor, region: Mesh) -> None:
    ask(region, twan.account, "newsletter")
    twan.open("/sharing")
    asked = twan.page.locator("section", has_text="You are asked")
    assert "Mi Store asks." in asked.inner_text()
    twan.press("Not now")
    assert "We will keep the question here for you." in twan.text
    assert "Put off" in asked.inner_text()
    assert asked.get_by_role("button", name="Not now").count() == 0
    asked.get_by_role("button", name="Yes, I agree").click()
    assert "You can take it back below at any time" in twan.text
    twan.follow("History and receipt")
    assert twan.heading == "Newsletter"
    assert judged(twan) == {}
    steps = twan.page.get_by_role("rowheader").all_inner_texts()
    assert steps == ["Asked", "Put off", "Agreed"]
    twan.press("Withdraw")
    assert "Withdrawn. It counts from now on" in twan.text


def test_a_receipt_is_downloaded_and_verifies_with_the_keys_beside_it(
    twan: Visitor, tmp_path: Path
) -> None:
    account = twan.account
    twan.open("/sharing/offers/review")
    twan.page.get_by_role("checkbox").first.check()
    twan.press("Yes, I agree")
    twan.follow("History and receipt")
    with twan.page.expect_download() as download:
        twan.follow("Download the receipt")
    name = download.value.suggested_filename
    assert name.startswith("consent-receipt-")
    assert account.partition("/")[2] not in name
    download.value.save_as(tmp_path / name)
    shown = twan.page.goto(f"{twan.origin}/receipt-keys.json")
    assert shown is not None
    assert shown.headers["content-type"] == "application/jwk-set+json"
    keys = shown.text()
    assert all("d" not in key for key in json.loads(keys)["keys"])
    read = receipt.verify((tmp_path / name).read_bytes(), Keys(keys))
    assert read.account == account
    assert [step.state for step in read.steps] == ["dpv:ConsentGiven"]
    twan.open("/sharing")
    twan.press("Withdraw")


def test_data_is_left_alone_until_the_restriction_is_lifted(twan: Visitor) -> None:
    twan.open("/sharing")
    twan.press("Restrict the use")
    assert "The use of your data is restricted." in twan.text
    assert twan.page.get_by_role("button", name="Restrict the use").count() == 0
    twan.press("Lift the restriction")
    assert "Lifted." in twan.text
    assert twan.page.get_by_role("button", name="Restrict the use").count() == 1


def test_what_is_new_is_read_and_accepted_or_left_for_later(twan: Visitor, region: Mesh) -> None:
    twan.open("/sharing/notices")
    assert "Nothing is new since what you accepted." in twan.text
    begin_earlier(region, twan.account, version=1_000, born="1990-04-02")
    twan.open("/sharing")
    twan.follow("See what is new")
    assert twan.heading == "What is new in our notices"
    assert "In force when your account began: mi.com privacy policy of 22 July 2021." in twan.text
    new = twan.page.locator("li.card", has_text="Fraud detection provider")
    assert "Preventing fraud" in new.inner_text()
    assert "mi-store@2025-05-20 §4.1.3" in new.inner_text()
    assert judged(twan) == {}
    twan.follow("Not now")
    assert "A notice has changed" in twan.text
    twan.open("/sharing/notices")
    twan.press("I have read and accept it")
    assert "Your acceptance of the notice is recorded." in twan.text
    assert "A notice has changed" not in twan.text


def test_a_minor_is_asked_for_a_guardian_and_never_for_marketing(
    twan: Visitor, region: Mesh
) -> None:
    begin_earlier(region, twan.account, version=1_001, born="2012-04-02")
    twan.open("/sharing/offers/review")
    twan.page.get_by_role("checkbox").first.check()
    twan.press("Yes, I agree")
    twan.follow("You are a minor, so a parent or guardian agrees.")
    twan.page.get_by_label("Name of your parent or guardian").fill("P. Jansen")
    twan.press("Yes, I agree")
    twan.follow("History and receipt")
    assert "Your parent or guardian: P. Jansen" in twan.text
    twan.open("/sharing/offers/newsletter")
    twan.page.get_by_role("checkbox").first.check()
    twan.press("Yes, I agree")
    assert twan.heading == "Not for minors"
    ask(region, twan.account, "survey")
    twan.open("/sharing")
    twan.page.locator("section", has_text="You are asked").get_by_role(
        "button", name="Yes, I agree"
    ).click()
    assert "so a parent or guardian agrees" in twan.text
    twan.press("No, thank you")  # a minor alone may always say no
    assert "We will not do it" in twan.text
