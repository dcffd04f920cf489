"""Of what a recipient has, which consents an officer may end."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from services.portal.domain.reach import Holding, Prospect, Reached
from services.portal.domain.sharing import Basis, Ground, Recipient
from services.portal.domain.subjects import Relied, Subject, Wanted, may_end

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
ACCOUNT = "accounts/nl-" + "0" * 26
FIRST, SECOND = (f"{ACCOUNT}/consents/{key}" for key in ("a1", "b2"))


def ground(consent: str) -> Ground:
    basis = Basis.CONSENT if consent else Basis.CONTRACT
    return Ground(("contact.email",), "mi-store@2025-05-20 §4.1.3", basis, consent)


def holding(purpose: str, consent: str) -> Holding:
    return Holding(
        purpose, ("contact.email",), False, NOON, NOON, "decisions/nl-1", [ground(consent)]
    )


def prospect(purpose: str, consent: str) -> Prospect:
    return Prospect(purpose, "mi_store", [ground(consent)], None, False, False, False)


def test_each_consent_is_told_once_with_what_rests_on_it_and_whether_it_counts() -> None:
    subject = Subject(
        ACCOUNT,
        Reached(
            Recipient("recipients/a", "A", "affiliate", "DE", NOON),
            [holding("survey", SECOND), holding("newsletter", FIRST), holding("delivery", "")],
            [prospect("newsletter", SECOND), prospect("survey", SECOND)],
        ),
        Wanted.ALL,
    )
    assert subject.consents == [
        Relied(SECOND, ["newsletter", "survey"], counts=True),
        Relied(FIRST, ["newsletter"], counts=False),
    ]
    assert [use.purpose for use in subject.uses] == [
        "survey", "newsletter", "delivery", "newsletter", "survey",
    ]  # fmt: skip


def test_what_was_not_asked_calls_no_consent_past() -> None:
    recipient = Recipient("recipients/a", "A", "affiliate", "DE", NOON)
    reached = Reached(recipient, [holding("survey", FIRST)], [])
    for wanted, counts in ((Wanted.HAS, None), (Wanted.ALL, False)):
        assert Subject(ACCOUNT, reached, wanted).consents == [Relied(FIRST, ["survey"], counts)]


@pytest.mark.parametrize(
    "name",
    ["", "guests/1/consents/2", ACCOUNT, f"{FIRST}/x", f"x{FIRST}", "accounts/../consents/1"],
)
def test_an_officer_ends_the_consents_of_accounts_alone(name: str) -> None:
    assert may_end(FIRST)
    assert not may_end(name)
