"""What is remembered of answers: only whoever is alike in all that counts gets the same."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.sharing.domain import flow
from services.sharing.domain.contracts import by_effect
from services.sharing.domain.engine import decide
from services.sharing.domain.question import Answer, Facts, Question
from services.sharing.domain.records import ConsentState, Guest, PreferenceKind, SubjectStatus
from tests.unit.sharing.facts import NOW, consent, contract, facts, preference, question, subject
from tests.unit.sharing.test_properties import RULES, cases
from tests.unit.sharing.test_reasons import ADS, LAW, MARKETING, MI_COM, instrument, marketing

Case = tuple[Question, Facts, datetime]

CONTRACTS = (contract(origins=frozenset({"EEA"}), destinations=frozenset({"EEA"})),)
STOPPED = preference(PreferenceKind.STOP_SHARING_WITH, "recipients/r")
OPTED_OUT = preference(PreferenceKind.OPT_OUT, "direct_marketing")
OBJECTED = PreferenceKind.OBJECT_TO
RESTRICTED = preference(PreferenceKind.RESTRICT, "all")
DELIVERY = (question(), facts(), NOW)
ADVERTISING = (MARKETING, marketing(), NOW)
PAYMENT = (MI_COM, facts("payment_provider"), NOW)
WINNER = question(purpose="winner_publication", categories=("account.id",), de_identified=True)
COMBINED = question(
    service="live_chat",
    purpose="cross_service_combination",
    categories=("account.id",),
    relation="",
    signed_in=True,
)
COMBINING = consent(
    purposes=("cross_service_combination",), categories=("account",), to="affiliate"
)
CHAT = question(
    account="",
    guest=Guest("NL", "s"),
    service="live_chat",
    purpose="chat_response",
    categories=("chat.text",),
    relation="ticket-7",
)

# What is asked and known first, and of it what is different the second time.
DIFFERENT: dict[str, tuple[Case, dict[str, Any]]] = {
    "recipient": (
        (question(recipient="recipients/q"), facts(preferences=(STOPPED,)), NOW),
        {"recipient": "recipients/r"},
    ),
    "purpose": (DELIVERY, {"purpose": "direct_marketing"}),
    "service": (
        (COMBINED, facts("affiliate", consents=(COMBINING,)), NOW),
        {"service": "mi_store"},
    ),
    "categories": (DELIVERY, {"categories": ("device.imei",)}),
    "destination": (DELIVERY, {"destination": "US"}),
    "relation": (DELIVERY, {"relation": ""}),
    "subprocessor": (DELIVERY, {"subprocessor": "other"}),
    "signed in": ((COMBINED, facts("affiliate", consents=(COMBINING,)), NOW), {"signed_in": False}),
    "de-identified": ((WINNER, facts("public"), NOW), {"de_identified": False}),
    "instrument": ((LAW, facts("court", instrument=instrument()), NOW), {"instrument": "i2"}),
    "what it orders": ((LAW, facts("court", instrument=instrument()), NOW), {"held": None}),
    "kind": (DELIVERY, {"kind": ADS}),
    "contracts": (DELIVERY, {"contracts": ()}),
    "day": (DELIVERY, {"now": NOW + timedelta(days=500)}),
    "nobody known": (DELIVERY, {"subject": None}),
    "country": (DELIVERY, {"subject": subject(jurisdiction="IN")}),
    "guest's country": (
        (CHAT, facts("affiliate", subject=None), NOW),
        {"guest": Guest("IN", "s")},
    ),
    "guest": (
        (question(), facts(subject=None), NOW),
        {"account": "", "guest": Guest("NL", "s")},
    ),
    "status": (DELIVERY, {"subject": subject(status=SubjectStatus.FROZEN)}),
    "age unknown": (ADVERTISING, {"subject": subject(birth_date=None)}),
    "minor": (ADVERTISING, {"subject": subject(birth_date=date(2015, 1, 1))}),
    "since": (PAYMENT, {"subject": subject(since=datetime(2024, 1, 1, tzinfo=UTC))}),
    "opt-out": (ADVERTISING, {"preferences": (OPTED_OUT,)}),
    "kind of choice": (
        (MARKETING, marketing(preferences=(replace(OPTED_OUT, kind=OBJECTED),)), NOW),
        {"preferences": (OPTED_OUT,)},
    ),
    "value of a choice": (
        (MARKETING, marketing(preferences=(preference(STOPPED.kind, "public"),)), NOW),
        {"preferences": (STOPPED,)},
    ),
    "choice dated ahead": (
        (question(), facts(preferences=(replace(RESTRICTED, ahead=NOW),)), NOW - timedelta(1)),
        {"now": NOW},
    ),
    "consent": (ADVERTISING, {"consents": ()}),
    "refused": (ADVERTISING, {"consents": (consent(ConsentState.REFUSED),)}),
    "another consent": (ADVERTISING, {"consents": (consent(at=NOW - timedelta(days=3)),)}),
    "consent's end": (ADVERTISING, {"consents": (consent(expires=NOW + timedelta(days=3)),)}),
}


def changed(case: Case, change: dict[str, Any]) -> Case:
    asked, known, now = case
    change = dict(change)
    now = change.pop("now", now)
    if "kind" in change:
        known = known._replace(recipient=replace(known.recipient, kind=change.pop("kind")))
    if "held" in change:
        known = known._replace(instrument=change.pop("held"))
    for field in Facts._fields:
        if field in change and field not in ("recipient", "instrument"):
            known = known._replace(**{field: change.pop(field)})
    return asked._replace(**change), known, now


def anew(case: Case) -> Answer:
    flow._KNOWN.clear()
    return decide(RULES, *case, remember=True)


@pytest.mark.parametrize("name", DIFFERENT)
def test_what_is_different_in_anything_that_counts_gets_its_own_answer(name: str) -> None:
    case, change = DIFFERENT[name]
    asked, known, now = case
    first = (asked, known._replace(contracts=CONTRACTS), now)
    second = changed(first, change)
    alone = anew(second)
    assert anew(first) != alone, "the change counts"
    assert decide(RULES, *second, remember=True) == alone, "though the first is remembered"
    assert decide(RULES, *second, remember=True) == alone
    assert decide(RULES, *first, remember=True) == anew(first)


def test_what_is_only_supposed_drives_out_no_answer() -> None:
    asked, known, now = DELIVERY
    live = known._replace(contracts=CONTRACTS)
    anew((asked, live, now))
    answers = flow.flow_of(RULES, asked, known.recipient.kind, now.date()).answers
    remembered = dict(answers)
    supposed = live._replace(contracts=(contract(),))
    decide(RULES, asked, supposed, now)
    decide(RULES, asked._replace(destination="US"), live, now)
    assert answers == remembered
    assert [contracts for contracts, _ in answers.values()] == [CONTRACTS]


@settings(max_examples=100, deadline=None)
@given(st.lists(cases(), min_size=2, max_size=4), st.booleans())
def test_an_answer_is_the_same_whatever_was_asked_before(several: list[Case], same: bool) -> None:
    (asked, first, _), *_ = several
    kept = by_effect(first.contracts)
    if same:  # one flow, so that they have much in common
        words: dict[str, Any] = {
            "service": asked.service,
            "purpose": asked.purpose,
            "categories": asked.categories,
        }
        several = [
            (
                each._replace(**words, account=asked.account),
                known._replace(recipient=first.recipient),
                now,
            )
            for each, known, now in several
        ]
    several = [(each, known._replace(contracts=kept), now) for each, known, now in several]
    alone = [anew(case) for case in several]
    flow._KNOWN.clear()
    for _ in range(2):
        assert [decide(RULES, *case, remember=True) for case in several] == alone
