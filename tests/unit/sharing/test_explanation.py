"""An explanation tells what `decide` tells, gate by gate, and its hints are true."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import event, given, settings

from services.sharing.domain.explanation import Explanation, GateState, explain
from services.sharing.domain.hints import Hint, Party, Remedy, Term
from services.sharing.domain.records import (
    Consent,
    ConsentState,
    Contract,
    ContractState,
    DueDiligence,
    Instrument,
    Preference,
    PreferenceKind,
    SubjectStatus,
    Terms,
)
from services.sharing.domain.vocabulary import Outcome, Reason
from tests.unit.sharing import test_properties
from tests.unit.sharing.facts import (
    ACCOUNT,
    NOW,
    answer,
    consent,
    contract,
    facts,
    preference,
    question,
    recipient,
    rulebook,
    subject,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from services.sharing.domain.question import Facts, Finding, Question

MARKETING = question(purpose="direct_marketing", categories=("contact.email",))
ADS = facts("service_provider.advertising", consents=(consent(),))
HELPLESS = {Remedy.NONE, Remedy.CHANGE_NOTICE, Remedy.NAME_ACCOUNT, Remedy.WAIT}


def explained(asked: Question, known: Facts, now: datetime = NOW) -> Explanation:
    return explain(rulebook(), asked, known, now, historical=False)


def found(explanation: Explanation) -> list[tuple[Finding, tuple[Hint, ...]]]:
    return [each for gate in explanation.gates for each in gate.found]


@given(test_properties.cases())
@settings(max_examples=150)
def test_it_holds_exactly_what_the_decision_says(
    case: tuple[Question, Facts, datetime],
) -> None:
    asked, known, now = case
    decided = answer(asked, known, now)
    explanation = explained(asked, known, now)
    assert explanation.answer == decided
    assert [gate.number for gate in explanation.gates] == [1, 2, 3, 4, 5, 6, 7, 8]
    told = [finding for finding, _ in found(explanation)]
    assert sorted(told, key=repr) == sorted(decided.findings, key=repr)
    for gate in explanation.gates:
        assert (gate.state is GateState.FAILED) == bool(gate.found)
        assert all(finding.gate == gate.number for finding, _ in gate.found)
    passed = explanation.gates[-1].state is GateState.PASSED
    assert passed == (decided.outcome is Outcome.PERMIT)


@given(test_properties.cases())
@settings(max_examples=300)
def test_who_follows_the_hints_is_rid_of_the_reason(
    case: tuple[Question, Facts, datetime],
) -> None:
    asked, known, now = case
    for finding, hints in found(explained(asked, known, now)):
        assert hints, finding.reason
        if any(hint.remedy in HELPLESS for hint in hints):
            continue
        event(finding.reason)
        better, facts = asked, known
        for hint in hints:
            better, facts = follow(better, facts, hint, now)
        left = answer(better, facts, now).findings
        for other in left:
            assert other.reason is not finding.reason, (finding, hints)


def follow(asked: Question, known: Facts, hint: Hint, now: datetime) -> tuple[Question, Facts]:
    """Do what a hint says, and nothing else."""
    if hint.remedy in ASK:
        asked = asked._replace(**ASK[hint.remedy](asked, hint))
    if hint.remedy in RECORD:
        known = known._replace(**RECORD[hint.remedy](known, hint, now))
    elif hint.remedy not in ASK:
        known = known._replace(contracts=_better(known, hint, now))
    return asked, known


ASK: dict[Remedy, Callable[[Question, Hint], dict[str, Any]]] = {
    Remedy.LEAVE_OUT: lambda asked, hint: {
        "categories": tuple(key for key in asked.categories if key not in hint.categories)
    },
    Remedy.DE_IDENTIFY: lambda *_: {"de_identified": True},
    Remedy.SIGN_IN: lambda *_: {"signed_in": True},
    Remedy.NAME_RELATION: lambda *_: {"relation": "order-1"},
    Remedy.NAME_NOBODY: lambda *_: {"account": ""},
    Remedy.NAME_INSTRUMENT: lambda *_: {"instrument": "i2"},
    Remedy.STORE_AT_HOME: lambda _, hint: {"destination": hint.values[0]},
}


def _instrument(known: Facts, hint: Hint, now: datetime) -> dict[str, Any]:
    assert known.instrument is None or hint.resource in {"", known.instrument.id}
    today = now.date()
    return {"instrument": Instrument("i2", ACCOUNT, frozenset(hint.categories), today, today)}


def _subject(**change: Any) -> Callable[[Facts, Hint, datetime], dict[str, Any]]:
    def changed(known: Facts, hint: Hint, _: datetime) -> dict[str, Any]:
        assert known.subject
        assert hint.resource == known.subject.account
        return {"subject": replace(known.subject, **change)}

    return changed


def _choice_lifted(known: Facts, hint: Hint, _: datetime) -> dict[str, Any]:
    kept = [each for each in known.preferences if each.name != hint.resource]
    assert len(kept) < len(known.preferences)
    return {"preferences": kept}


def _notice_accepted(known: Facts, hint: Hint, now: datetime) -> dict[str, Any]:
    accepted = Preference("new", PreferenceKind.ACCEPTED_NOTICE, hint.values[0], now)
    return {"preferences": [*known.preferences, accepted]}


def _consent_given(known: Facts, hint: Hint, now: datetime) -> dict[str, Any]:
    assert hint.consent
    given = Consent("new", hint.consent, ConsentState.GIVEN, now)
    return {"consents": [*known.consents, given]}


RECORD: dict[Remedy, Callable[[Facts, Hint, datetime], dict[str, Any]]] = {
    Remedy.NAME_INSTRUMENT: _instrument,
    Remedy.NAME_NOBODY: lambda *_: {"subject": None},
    Remedy.UNFREEZE: _subject(status=SubjectStatus.ACTIVE),
    Remedy.LIFT_RESTRICTION: _subject(status=SubjectStatus.ACTIVE),
    Remedy.RECORD_BIRTH_DATE: _subject(birth_date=date(1990, 1, 1)),
    Remedy.LIFT_CHOICE: _choice_lifted,
    Remedy.ACCEPT_NOTICE: _notice_accepted,
    Remedy.GIVE_CONSENT: _consent_given,
}


def _better(known: Facts, hint: Hint, now: datetime) -> list[Contract]:
    """Record a contract, or change the one that the hint names; a new one has no version name."""
    nothing: frozenset[str] = frozenset()
    day = now.date()
    if hint.remedy is Remedy.RECORD_CONTRACT:
        assert not known.contracts
        assert hint.resource == known.recipient.name
        blank = Terms(nothing, nothing, nothing, nothing, effective=day, expires=day)
        return [Contract("contracts/new", 1, ContractState.ACTIVE, blank)]
    return [
        changed(each, hint, day) if hint.resource in {"", each.version_name} else each
        for each in known.contracts
    ]


def changed(was: Contract, hint: Hint, day: date) -> Contract:
    terms = was.terms
    match hint.remedy, hint.term:
        case Remedy.ACTIVATE_CONTRACT, _:
            return replace(was, state=ContractState.ACTIVE)
        case Remedy.RENEW_CONTRACT, _:
            assert hint.day == terms.expires
            terms = replace(terms, expires=day)
        case Remedy.EXAMINE_RECIPIENT, _:
            terms = replace(terms, due_diligence=DueDiligence(passed=True, on=day, expires=day))
        case Remedy.AMEND_CONTRACT, Term.CATEGORIES:
            terms = replace(terms, categories=terms.categories | set(hint.categories))
        case Remedy.AMEND_CONTRACT, Term.CONFIDENTIALITY:
            terms = replace(terms, confidentiality=True)
        case Remedy.AMEND_CONTRACT, Term.PURPOSES | Term.SUBPROCESSORS as term:
            terms = replace(terms, **{term: getattr(terms, term) | set(hint.values)})
        case Remedy.AMEND_CONTRACT, Term() as term:  # one of the values is enough
            terms = replace(terms, **{term: getattr(terms, term) | {hint.values[-1]}})
        case other:
            raise AssertionError(other)
    return replace(was, terms=terms)


def test_one_missing_record_is_one_hint_with_what_it_has_to_say() -> None:
    (finding, hints), *others = found(explained(MARKETING, ADS._replace(consents=())))
    assert not others
    assert finding.reason is Reason.CONSENT_MISSING
    (hint,) = hints
    assert (hint.remedy, hint.party, hint.resource) == (Remedy.GIVE_CONSENT, Party.PERSON, "")
    assert hint.consent == consent(service="mi_store", to="recipients/r").scope


def test_a_consent_that_stands_in_the_way_is_named() -> None:
    refused = consent(ConsentState.REFUSED)
    (_, (hint,)), *_ = found(explained(MARKETING, ADS._replace(consents=(refused,))))
    assert hint.resource == refused.name


@pytest.mark.parametrize(
    ("kind", "value", "asked", "known"),
    [
        (PreferenceKind.OPT_OUT, "direct_marketing", MARKETING, ADS),
        (PreferenceKind.STOP_SHARING_WITH, "service_provider", question(), facts()),
        (PreferenceKind.RESTRICT, "all", question(), facts()),
    ],
)
def test_the_choice_to_lift_is_named(
    kind: PreferenceKind, value: str, asked: Question, known: Facts
) -> None:
    standing = preference(kind, value)
    (_, (hint,)), *others = found(explained(asked, known._replace(preferences=(standing,))))
    assert not others
    assert (hint.remedy, hint.resource) == (Remedy.LIFT_CHOICE, standing.name)


def test_a_new_contract_is_described_whole() -> None:
    advisor = question(purpose="professional_advice", categories=("order.details",))._replace(
        destination="US",
        subprocessor="subco",
    )
    known = facts(recipient=recipient("professional_advisor", "US"), contracts=())
    (finding, hints), *others = found(explained(advisor, known))
    assert not others
    assert finding.reason is Reason.CONTRACT_MISSING
    assert hints[0].remedy is Remedy.RECORD_CONTRACT
    assert sorted(hint.term or "" for hint in hints[1:]) == [
        Term.CATEGORIES,
        Term.CONFIDENTIALITY,
        Term.DESTINATIONS,
        Term.ORIGINS,
        Term.PURPOSES,
        Term.SAFEGUARDS,
        Term.SUBPROCESSORS,
    ]


def test_what_no_record_helps_says_so() -> None:
    sold = question(purpose="sale", categories=("contact.name",))
    hints = [hint for _, each in found(explained(sold, facts())) for hint in each]
    assert {(hint.remedy, hint.party) for hint in hints} >= {(Remedy.NONE, Party.NOBODY)}


def test_the_day_is_told_on_which_a_contract_begins_or_ended() -> None:
    begins = NOW.date() + timedelta(days=9)
    early = facts()._replace(contracts=(contract(effective=begins),))
    (_, (hint,)), *_ = found(explained(question(), early))
    assert (hint.remedy, hint.party, hint.day) == (Remedy.WAIT, Party.NOBODY, begins)


def test_gates_that_do_not_judge_a_question_say_so() -> None:
    nobody = question(purpose="statistics", categories=("usage.statistics",))._replace(
        account="", relation=""
    )
    known = facts("service_provider.data_analytics")._replace(subject=None)
    states = [gate.state.value for gate in explained(nobody, known).gates]
    absent, passed = "not_applicable", "passed"
    assert states == [passed, absent, passed, absent, absent, passed, absent, passed]

    by_law = question(purpose="legal_disclosure", categories=("contact.name",))._replace(
        instrument="i1"
    )
    ordered = Instrument("i1", ACCOUNT, frozenset({"contact"}), NOW.date(), NOW.date())
    known = facts("court")._replace(contracts=(), instrument=ordered, subject=subject())
    states = [gate.state.value for gate in explained(by_law, known).gates]
    assert states == [passed, passed, passed, absent, passed, absent, absent, passed]
