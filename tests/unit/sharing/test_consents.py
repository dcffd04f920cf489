"""What may happen to a consent, how it stands then, and who may say so."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from accord.sharing.v1 import consent_pb2

from runtime.fault import Fault
from services.sharing.domain.consent_steps import ConsentStep, check_age, check_indication, follow
from services.sharing.domain.consents import standing
from services.sharing.domain.records import (
    VALID_CONSENTS,
    Consent,
    ConsentState,
    Indication,
    IndicationMethod,
    Indicator,
    Scope,
)
from tests.unit.sharing.facts import NOW, consent, facts, question, reasons, rulebook, subject

S = ConsentState
STEP = ConsentStep
DAY = timedelta(days=1)
# What each state says to a question that it covers, beside nothing.
SAYS = {
    S.UNKNOWN: ["CONSENT_MISSING"],
    S.REQUESTED: ["CONSENT_MISSING"],
    S.DEFERRED: ["CONSENT_MISSING"],
    S.REFUSED: ["CONSENT_REFUSED"],
    S.GIVEN: [],
    S.RENEWED: [],
    S.EXPIRED: ["CONSENT_EXPIRED"],
    S.WITHDRAWN: ["CONSENT_WITHDRAWN"],
    S.REVOKED: ["CONSENT_WITHDRAWN"],
    S.INVALIDATED: ["CONSENT_MISSING"],
}
ASKED = question(purpose="direct_marketing", categories=("contact.email",))


def asked_with(*consents: Consent) -> list[str]:
    known = facts("service_provider.advertising", consents=consents)
    return reasons(ASKED._replace(relation=""), known)


@pytest.mark.parametrize("state", ConsentState)
def test_every_state_is_on_the_wire_and_says_one_thing(state: ConsentState) -> None:
    assert consent_pb2.ConsentState.Value(f"CONSENT_STATE_{state.name}")
    assert asked_with(consent(state)) == SAYS[state]
    assert (not SAYS[state]) == (state in VALID_CONSENTS)


def test_the_states_are_the_ten_of_dpv() -> None:
    assert len(ConsentState) == 10
    assert len(consent_pb2.ConsentState.values()) == 11


@pytest.mark.parametrize("state", [S.UNKNOWN, S.REQUESTED, S.DEFERRED, S.INVALIDATED])
def test_what_says_nothing_lets_the_earlier_answer_stand(state: ConsentState) -> None:
    assert asked_with(consent(), consent(state)) == []
    assert asked_with(consent(S.REFUSED), consent(state)) == ["CONSENT_REFUSED"]


def test_expiry_is_looked_at_before_what_ended_it_later() -> None:
    over = consent(expires=NOW - 2 * DAY)
    late = replace(over, state=S.WITHDRAWN, withdrawn=NOW - DAY)
    early = replace(over, state=S.WITHDRAWN, withdrawn=NOW - 3 * DAY)
    assert asked_with(late) == ["CONSENT_EXPIRED"]
    assert asked_with(early) == ["CONSENT_WITHDRAWN"]
    assert late.state_at(NOW) is S.EXPIRED
    assert early.state_at(NOW) is S.WITHDRAWN


def test_a_consent_ends_at_its_very_moment() -> None:
    ends = consent(expires=NOW)
    assert ends.state_at(NOW - timedelta(microseconds=1)) is S.GIVEN
    assert ends.state_at(NOW) is S.EXPIRED


@pytest.mark.parametrize(
    ("state", "step", "after"),
    [
        (S.REQUESTED, STEP.GIVE, S.GIVEN),
        (S.DEFERRED, STEP.GIVE, S.GIVEN),
        (S.GIVEN, STEP.GIVE, S.RENEWED),
        (S.EXPIRED, STEP.GIVE, S.RENEWED),
        (S.REQUESTED, STEP.REFUSE, S.REFUSED),
        (S.REQUESTED, STEP.DEFER, S.DEFERRED),
        (S.RENEWED, STEP.WITHDRAW, S.WITHDRAWN),
        (S.EXPIRED, STEP.WITHDRAW, S.EXPIRED),
        (S.WITHDRAWN, STEP.WITHDRAW, S.WITHDRAWN),
        (S.GIVEN, STEP.REVOKE, S.REVOKED),
        (S.WITHDRAWN, STEP.REVOKE, S.WITHDRAWN),
        (S.EXPIRED, STEP.INVALIDATE, S.INVALIDATED),
    ],
)
def test_steps_lead_where_they_say(
    state: ConsentState, step: ConsentStep, after: ConsentState
) -> None:
    assert follow(state, step) is after


@pytest.mark.parametrize(
    ("state", "step"),
    [
        (S.WITHDRAWN, STEP.GIVE),
        (S.REFUSED, STEP.GIVE),
        (S.GIVEN, STEP.REFUSE),
        (S.GIVEN, STEP.DEFER),
        (S.REQUESTED, STEP.WITHDRAW),
        (S.REFUSED, STEP.WITHDRAW),
        (S.REQUESTED, STEP.REVOKE),
        # Else an earlier yes would come back when a withdrawn one is found to be none.
        (S.WITHDRAWN, STEP.INVALIDATE),
    ],
)
def test_steps_that_make_no_sense_are_refused(state: ConsentState, step: ConsentStep) -> None:
    with pytest.raises(Fault) as refused:
        follow(state, step)
    assert refused.value.reason == "WRONG_STATE"
    assert refused.value.metadata == {"state": state.value}


def test_no_step_turns_an_ended_consent_valid_again() -> None:
    ended = {S.REFUSED, S.WITHDRAWN, S.REVOKED, S.INVALIDATED}
    for state in ended:
        for step in ConsentStep:
            with suppress(Fault):
                assert follow(state, step) not in VALID_CONSENTS


def test_a_renewal_is_an_answer_of_its_own_and_a_withdrawal_is_not() -> None:
    first, second = consent(), replace(consent(S.REFUSED), name="second")
    renewed = replace(first, state=S.RENEWED)
    withdrawn = replace(first, state=S.WITHDRAWN, withdrawn=NOW)
    assert standing([first, second, renewed]) == [second, renewed]
    assert standing([first, second, withdrawn]) == [withdrawn, second]
    assert asked_with(*standing([first, second, renewed])) == []
    assert asked_with(*standing([first, second])) == ["CONSENT_REFUSED"]


MINOR = subject(birth_date=date(2010, 5, 5))
TODAY = datetime(2025, 9, 1, tzinfo=UTC).date()
REVIEWS = Scope("", frozenset({"review_display"}), frozenset({"content.review"}), "public")


def refusal(by: Indicator, scope: Scope = REVIEWS, *, minor: bool = True) -> tuple[str, str]:
    person = MINOR if minor else subject()
    with pytest.raises(Fault) as refused:
        check_age(person, scope, by, rulebook(), TODAY)
    return refused.value.reason, next(iter(refused.value.metadata.values()))


def test_a_minor_needs_a_guardian_and_nobody_else_does() -> None:
    assert refusal(Indicator.PERSON) == ("GUARDIAN_REQUIRED", "18")
    assert refusal(Indicator.REPRESENTATIVE) == ("GUARDIAN_REQUIRED", "18")
    assert refusal(Indicator.GUARDIAN, minor=False) == ("INVALID_FIELD", "indication.indicator")
    check_age(MINOR, REVIEWS, Indicator.GUARDIAN, rulebook(), TODAY)
    check_age(subject(), REVIEWS, Indicator.PERSON, rulebook(), TODAY)
    check_age(subject(birth_date=None), REVIEWS, Indicator.PERSON, rulebook(), TODAY)
    check_age(subject(birth_date=date(2007, 9, 1)), REVIEWS, Indicator.PERSON, rulebook(), TODAY)


def test_nobody_consents_to_marketing_for_a_minor() -> None:
    scope = replace(REVIEWS, purposes=frozenset({"newsletter", "review_display"}))
    assert refusal(Indicator.GUARDIAN, scope) == ("NOT_FOR_MINORS", "newsletter")


@pytest.mark.parametrize(
    "said",
    [
        Indication(by=Indicator.GUARDIAN),
        Indication(by=Indicator.REPRESENTATIVE),
        Indication(name="Somebody"),
        Indication(IndicationMethod.GUARDIAN_FORM, Indicator.REPRESENTATIVE, "Somebody"),
        Indication(IndicationMethod.GUARDIAN_FORM),
    ],
)
def test_what_nobody_can_have_said_so_is_refused(said: Indication) -> None:
    with pytest.raises(Fault) as refused:
        check_indication(said)
    assert refused.value.reason == "INVALID_FIELD"
