"""Questions that are none, and questions without an account."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.fault import Fault
from services.sharing.domain.question import check_question
from services.sharing.domain.records import ConsentState, Guest
from services.sharing.domain.vocabulary import Outcome
from tests.unit.sharing.facts import answer, consent, facts, question, reasons, rulebook

GUEST = Guest("NL", "session-1")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"service": "mi_shop"}, "service"),
        ({"purpose": "pleasure"}, "purpose"),
        ({"categories": ()}, "categories"),
        ({"categories": ("contact",)}, "categories"),
        ({"categories": ("contact.name", "contact.name")}, "categories"),
        ({"categories": ("contact.fax",)}, "categories"),
        ({"destination": "UK"}, "destination"),
        ({"account": ""}, "account"),
        ({"account": "", "purpose": "statistics"}, "account"),
        (
            {
                "account": "",
                "purpose": "statistics",
                "categories": ("usage.statistics", "device.info"),
            },
            "account",
        ),
        ({"guest": GUEST}, "guest"),
        ({"guest": GUEST, "account": "", "service": "mi_tv_remote"}, "guest"),
        ({"guest": Guest("ZZ", "s"), "account": ""}, "guest.jurisdiction"),
    ],
)
def test_what_the_rulebook_does_not_know_is_no_question(change: dict[str, Any], field: str) -> None:
    with pytest.raises(Fault) as refused:
        check_question(question(**change), rulebook())
    assert refused.value.reason == "INVALID_FIELD"
    assert refused.value.metadata == {"field": f"question.{field}"}


def test_a_guest_may_chat() -> None:
    asked = question(
        account="",
        guest=GUEST,
        service="live_chat",
        purpose="chat_response",
        categories=("chat.text", "chat.attachment"),
        relation="ticket-7",
    )
    known = facts("service_provider.llm", subject=None)
    got = answer(asked, known)
    assert got.outcome is Outcome.PERMIT
    assert got.citations == {"live-chat §1.3"}


def test_the_age_of_a_guest_is_unknown_and_their_consent_counts() -> None:
    asked = question(
        account="",
        guest=GUEST,
        purpose="newsletter",
        categories=("contact.email",),
        relation="",
    )
    advertiser = "service_provider.advertising"
    given = consent(purposes=("newsletter",))
    assert reasons(asked, facts(advertiser, subject=None)) == ["AGE_UNKNOWN", "CONSENT_MISSING"]
    known = facts(advertiser, subject=None, consents=[given])
    assert reasons(asked, known) == ["AGE_UNKNOWN"]
    refused = consent(ConsentState.REFUSED, purposes=("newsletter",))
    known = facts(advertiser, subject=None, consents=[refused])
    assert reasons(asked, known) == ["CONSENT_REFUSED", "AGE_UNKNOWN"]
