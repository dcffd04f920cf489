"""Every reason of the rules, by example: what brings it about, and where it is written."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from services.sharing.domain.question import Facts, Question
from services.sharing.domain.records import (
    Consent,
    ConsentState,
    ContractState,
    DueDiligence,
    Instrument,
    PreferenceKind,
    SubjectStatus,
)
from services.sharing.domain.vocabulary import REASONS, Obligation, Outcome, Reason
from tests.unit.sharing.facts import (
    ACCOUNT,
    NOW,
    answer,
    consent,
    contract,
    facts,
    preference,
    question,
    reasons,
    subject,
)

ADS = "service_provider.advertising"
STORE = "mi-store@2025-05-20"
MARKETING = question(purpose="direct_marketing", categories=("contact.email",), relation="")
FRAUD = question(purpose="fraud_prevention", categories=("account.reliability",), relation="")
HOSTING = question(purpose="data_hosting", categories=("account.id",), relation="")
LAW = question(
    purpose="legal_disclosure", categories=("order.details",), relation="", instrument="i1"
)
ADVICE = question(purpose="professional_advice", categories=("order.details",), relation="")
MI_COM = question(
    service="mi_com", purpose="payment", categories=("payment.total",), relation="order-1"
)


def marketing(*consents: Consent, **change: Any) -> Facts:
    return facts(ADS, consents=consents or (consent(),), **change)


def instrument(**change: Any) -> Instrument:
    usual: dict[str, Any] = {
        "id": "i1",
        "account": ACCOUNT,
        "categories": frozenset({"order"}),
        "on": date(2025, 8, 1),
        "expires": date(2025, 12, 31),
    }
    return Instrument(**usual | change)


@dataclass(frozen=True)
class Example:
    """A question, the facts, and what has to come of them."""

    asked: Question
    known: Facts
    because: list[str]
    cites: str
    now: datetime = field(default=NOW)


EXAMPLES = {
    "sale": Example(
        question(purpose="sale", relation=""),
        facts("affiliate"),
        ["SALE_PROHIBITED", "NOT_IN_NOTICE"],
        f"{STORE} §4",
    ),
    "partners' own marketing": Example(
        question(purpose="partner_marketing", relation=""),
        facts("business_partner"),
        ["PARTNER_MARKETING_PROHIBITED", "NOT_IN_NOTICE"],
        "house §partner-marketing",
    ),
    "marketing to a business partner": Example(
        MARKETING,
        facts("business_partner"),
        ["PARTNER_MARKETING_PROHIBITED", "NOT_IN_NOTICE"],
        "house §partner-marketing",
    ),
    "marketing to a minor": Example(
        MARKETING,
        marketing(subject=subject(birth_date=date(2007, 9, 2))),
        ["MINOR_MARKETING_PROHIBITED"],
        f"{STORE} §12",
    ),
    "bank account to an advertiser": Example(
        question(purpose="direct_marketing", categories=("financial.card",), relation=""),
        marketing(),
        ["SENSITIVE_CATEGORY_PROHIBITED", "NOT_IN_NOTICE"],
        "house §sensitive-categories",
    ),
    "winners by name": Example(
        question(purpose="winner_publication", categories=("account.id",)),
        facts("public"),
        ["IDENTIFIABLE_PUBLICATION"],
        f"{STORE} §4.3",
    ),
    "deleted": Example(
        question(),
        facts(subject=subject(status=SubjectStatus.DELETED)),
        ["ACCOUNT_DELETED"],
        f"{STORE} §7",
    ),
    "frozen": Example(
        question(),
        facts(subject=subject(status=SubjectStatus.FROZEN)),
        ["ACCOUNT_FROZEN"],
        f"{STORE} §8",
    ),
    "restricted": Example(
        question(),
        facts(subject=subject(status=SubjectStatus.RESTRICTED)),
        ["PROCESSING_RESTRICTED"],
        f"{STORE} §9",
    ),
    "unknown account": Example(
        question(), facts(subject=None), ["SUBJECT_UNKNOWN"], "house §subject-unknown"
    ),
    "unknown age": Example(
        MARKETING,
        marketing(subject=subject(birth_date=None)),
        ["AGE_UNKNOWN"],
        f"{STORE} §12",
    ),
    "not in the notice": Example(
        question(categories=("contact.name", "device.imei")),
        facts(),
        ["NOT_IN_NOTICE"],
        f"{STORE} §4",
    ),
    "statistics about a person": Example(
        question(purpose="statistics", categories=("usage.statistics",), relation=""),
        facts("business_partner"),
        ["NOT_IN_NOTICE"],
        f"{STORE} §4",
    ),
    "not signed in": Example(
        question(
            service="live_chat",
            purpose="cross_service_combination",
            categories=("account.id",),
            relation="",
        ),
        facts(
            "affiliate",
            consents=[
                consent(
                    purposes=("cross_service_combination",), categories=("account",), to="affiliate"
                )
            ],
        ),
        ["NOT_SIGNED_IN"],
        "live-chat §1.1",
    ),
    "new in the notice": Example(
        MI_COM,
        facts("payment_provider", subject=subject(since=datetime(2024, 1, 1, tzinfo=UTC))),
        ["RECONSENT_REQUIRED"],
        f"{STORE} §17",
    ),
    "refused": Example(
        MARKETING, marketing(consent(ConsentState.REFUSED)), ["CONSENT_REFUSED"], f"{STORE} §5"
    ),
    "withdrawn": Example(
        MARKETING,
        marketing(consent(ConsentState.WITHDRAWN)),
        ["CONSENT_WITHDRAWN"],
        f"{STORE} §9",
    ),
    "objected": Example(
        FRAUD,
        facts(
            "fraud_partner",
            preferences=[preference(PreferenceKind.OBJECT_TO, "fraud_prevention")],
        ),
        ["OBJECTED"],
        f"{STORE} §9",
    ),
    "opted out of marketing": Example(
        MARKETING,
        marketing(preferences=[preference(PreferenceKind.OPT_OUT, "direct_marketing")]),
        ["MARKETING_OPTED_OUT"],
        f"{STORE} §5",
    ),
    "opted out of personalisation": Example(
        question(purpose="personalised_recommendation", categories=("usage.search",), relation=""),
        marketing(
            consent(purposes=("personalised_recommendation",), categories=("usage",)),
            preferences=[preference(PreferenceKind.OPT_OUT, "personalisation")],
        ),
        ["PERSONALISATION_OPTED_OUT"],
        f"{STORE} §5",
    ),
    "stopped with the kind": Example(
        question(),
        facts(preferences=[preference(PreferenceKind.STOP_SHARING_WITH, "service_provider")]),
        ["SHARING_STOPPED"],
        "house §sharing-stopped",
    ),
    "stopped with the recipient": Example(
        question(),
        facts(preferences=[preference(PreferenceKind.STOP_SHARING_WITH, "recipients/r")]),
        ["SHARING_STOPPED"],
        "house §sharing-stopped",
    ),
    "never asked": Example(MARKETING, facts(ADS), ["CONSENT_MISSING"], f"{STORE} §5"),
    "consent expired": Example(
        MARKETING, marketing(consent(expires=NOW)), ["CONSENT_EXPIRED"], f"{STORE} §5"
    ),
    "consent for another category": Example(
        MARKETING, marketing(consent(categories=("account",))), ["CONSENT_SCOPE"], f"{STORE} §5"
    ),
    "consent to the recipient for another purpose": Example(
        MARKETING, marketing(consent(purposes=("newsletter",))), ["CONSENT_SCOPE"], f"{STORE} §5"
    ),
    "consent for another service": Example(
        MARKETING, marketing(consent(service="mi_com")), ["CONSENT_MISSING"], f"{STORE} §5"
    ),
    "no order named": Example(
        question(relation=""), facts(), ["RELATION_MISSING"], "house §relation"
    ),
    "no instrument": Example(LAW, facts("court"), ["LEGAL_INSTRUMENT_MISSING"], f"{STORE} §4.1.4"),
    "instrument out of its dates": Example(
        LAW,
        facts("court", instrument=instrument(expires=date(2025, 8, 31))),
        ["LEGAL_INSTRUMENT_MISSING"],
        f"{STORE} §4.1.4",
    ),
    "instrument for somebody else": Example(
        LAW,
        facts("court", instrument=instrument(account=ACCOUNT[:-1] + "1")),
        ["LEGAL_INSTRUMENT_MISSING"],
        f"{STORE} §4.1.4",
    ),
    "no contract": Example(
        question(destination="US"), facts(contracts=()), ["CONTRACT_MISSING"], f"{STORE} §4.1.3"
    ),
    "contract suspended": Example(
        question(),
        facts(contracts=[contract(ContractState.SUSPENDED)]),
        ["CONTRACT_NOT_ACTIVE"],
        f"{STORE} §4.1.3",
    ),
    "contract to come": Example(
        question(),
        facts(contracts=[contract(effective=date(2025, 9, 2))]),
        ["CONTRACT_NOT_YET_EFFECTIVE"],
        f"{STORE} §4.1.3",
    ),
    "contract over": Example(
        question(),
        facts(contracts=[contract(expires=date(2025, 8, 31))]),
        ["CONTRACT_EXPIRED"],
        f"{STORE} §4.1.3",
    ),
    "contract for another purpose": Example(
        question(),
        facts(contracts=[contract(purposes=frozenset({"survey"}))]),
        ["CONTRACT_SCOPE_PURPOSE"],
        f"{STORE} §4.1.3",
    ),
    "contract for other data": Example(
        question(),
        facts(contracts=[contract(categories=frozenset({"contact.name"}))]),
        ["CONTRACT_SCOPE_CATEGORY"],
        f"{STORE} §4.1.3",
    ),
    "contract for people elsewhere": Example(
        question(),
        facts(contracts=[contract(origins=frozenset({"UK", "CH"}))]),
        ["CONTRACT_SCOPE_ORIGIN"],
        f"{STORE} §4.1.3",
    ),
    "contract for another destination": Example(
        question(),
        facts(contracts=[contract(destinations=frozenset({"NL"}))]),
        ["CONTRACT_SCOPE_DESTINATION"],
        f"{STORE} §4.1.3",
    ),
    "never examined": Example(
        question(),
        facts(contracts=[contract(due_diligence=None)]),
        ["DUE_DILIGENCE_MISSING"],
        f"{STORE} §6.1",
    ),
    "examination failed": Example(
        question(),
        facts(
            contracts=[
                contract(due_diligence=DueDiligence(False, date(2025, 1, 1), date(2026, 1, 1)))
            ]
        ),
        ["DUE_DILIGENCE_FAILED"],
        f"{STORE} §6.1",
    ),
    "examination over": Example(
        question(),
        facts(
            contracts=[
                contract(due_diligence=DueDiligence(True, date(2024, 1, 1), date(2025, 8, 31)))
            ]
        ),
        ["DUE_DILIGENCE_EXPIRED"],
        f"{STORE} §6.1",
    ),
    "sub-processor not listed": Example(
        question(subprocessor="subco"), facts(), ["SUBPROCESSOR_NOT_LISTED"], f"{STORE} §4.1.3"
    ),
    "advisor not bound": Example(
        ADVICE,
        facts(
            "professional_advisor",
            contracts=[contract(confidentiality=False, due_diligence=None)],
        ),
        ["CONFIDENTIALITY_MISSING"],
        f"{STORE} §4.1.4",
    ),
    "Indian storage abroad": Example(
        HOSTING,
        facts("service_provider.data_hosting", subject=subject(jurisdiction="IN")),
        ["LOCALISATION"],
        f"{STORE} §11",
    ),
    "to the United States unguarded": Example(
        question(destination="US"),
        facts(contracts=[contract(safeguards=frozenset({"uk_idta"}))]),
        ["TRANSFER_SAFEGUARD_MISSING"],
        f"{STORE} §11",
    ),
}


@pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES)
def test_reason(example: Example) -> None:
    got = answer(example.asked, example.known, example.now)
    assert [found.reason.value for found in got.findings] == example.because
    assert example.cites in got.citations
    assert got.outcome is REASONS[Reason(example.because[0])][1]
    assert not got.obligations
    assert not got.grounds


def test_every_reason_has_an_example() -> None:
    shown = {reason for example in EXAMPLES.values() for reason in example.because}
    assert shown == {reason.value for reason in Reason}


def test_a_permit_says_on_what_it_rests() -> None:
    known = facts(contracts=[contract(delete_on_termination=True)])
    got = answer(question(), known)
    assert got.outcome is Outcome.PERMIT
    assert [(ground.citation, ground.basis) for ground in got.grounds] == [
        (f"{STORE} §4.1.3", "contract")
    ]
    assert got.contract == "contracts/c/versions/1"
    assert got.obligations == (Obligation.DELETE_ON_TERMINATION, Obligation.RECORD_DISCLOSURE)


def test_those_that_deny_come_first_and_nothing_is_left_out() -> None:
    known = marketing(
        contracts=(),
        subject=subject(status=SubjectStatus.DELETED, birth_date=None),
        preferences=[preference(PreferenceKind.OPT_OUT, "direct_marketing")],
    )
    asked = question(
        purpose="direct_marketing", categories=("contact.email", "device.imei"), relation=""
    )
    got = answer(asked, known)
    assert [found.reason.value for found in got.findings] == [
        "ACCOUNT_DELETED",
        "NOT_IN_NOTICE",
        "MARKETING_OPTED_OUT",
        "AGE_UNKNOWN",
        "CONTRACT_MISSING",
    ]


def test_permitted_categories_are_those_permitted_alone() -> None:
    first = contract(categories=frozenset({"contact.name"}))
    second = contract(ContractState.SUSPENDED, name="d", effective=date(2025, 2, 1))
    asked = question(categories=("contact.name", "contact.address", "device.imei"))
    got = answer(asked, facts(contracts=[first, second]))
    assert got.contract == "contracts/d/versions/1"  # a tie: the latest effective is reported
    assert got.permitted_categories == ("contact.name",)


def test_the_contract_with_the_fewest_reasons_is_reported() -> None:
    worse = contract(ContractState.SUSPENDED, name="worse", expires=date(2025, 8, 1))
    better = contract(ContractState.SUSPENDED, name="better", effective=date(2024, 1, 1))
    got = answer(question(), facts(contracts=[better, worse]))
    assert got.contract == "contracts/better/versions/1"


def test_the_covering_consent_that_was_recorded_last_decides() -> None:
    given, refused = consent(), consent(ConsentState.REFUSED, at=NOW - timedelta(days=5))
    assert answer(MARKETING, marketing(given, refused)).outcome is Outcome.DENY
    later = consent(at=NOW - timedelta(days=1))
    assert answer(MARKETING, marketing(given, refused, later)).outcome is Outcome.PERMIT
    for ahead in (-20, 1):  # the clock had jumped when it was recorded
        refused = consent(ConsentState.REFUSED, at=NOW + timedelta(days=ahead))
        assert answer(MARKETING, marketing(given, refused)).outcome is Outcome.DENY


def test_freeze_leaves_consent_law_and_storage_at_home() -> None:
    frozen = subject(status=SubjectStatus.FROZEN)
    assert answer(MARKETING, marketing(subject=frozen)).outcome is Outcome.PERMIT
    hosting = facts("service_provider.data_hosting", subject=frozen)
    home = question(
        purpose="data_hosting", categories=("account.id",), relation="", destination="NL"
    )
    assert answer(home, hosting).outcome is Outcome.PERMIT
    assert answer(HOSTING, hosting).outcome is Outcome.DENY
    law = facts("court", subject=frozen, instrument=instrument(), contracts=())
    assert answer(LAW, law).outcome is Outcome.PERMIT


def test_a_minor_comes_of_age_on_the_birthday() -> None:
    born = subject(birth_date=date(2007, 9, 1))
    assert answer(MARKETING, marketing(subject=born)).outcome is Outcome.PERMIT
    eve = NOW - timedelta(days=1)
    assert answer(MARKETING, marketing(subject=born), eve).outcome is Outcome.DENY


def test_dates_count_from_their_first_to_their_last_moment() -> None:
    known = facts(contracts=[contract(effective=date(2025, 9, 1), expires=date(2025, 9, 1))])
    first = datetime(2025, 9, 1, tzinfo=UTC)
    assert answer(question(), known, first).outcome is Outcome.PERMIT
    last = datetime(2025, 9, 1, 23, 59, 59, 999999, tzinfo=UTC)
    assert answer(question(), known, last).outcome is Outcome.PERMIT
    assert answer(question(), known, first + timedelta(days=1)).outcome is Outcome.GAP


@pytest.mark.parametrize(
    ("origin", "destination", "safeguards", "open_"),
    [
        ("NL", "DE", (), True),
        ("NL", "GB", (), True),
        ("NL", "CH", (), True),
        ("GB", "NL", (), True),
        ("CH", "GB", (), True),
        ("NL", "US", (), False),
        ("NL", "US", ("uk_idta",), False),
        ("NL", "US", ("bcr",), True),
        ("GB", "US", ("uk_idta",), True),
        ("CH", "US", ("uk_idta",), False),
        ("CH", "US", ("scc",), True),
        ("IN", "IN", (), True),
        ("IN", "SG", (), False),
        ("IN", "SG", ("scc",), False),
        ("IN", "SG", ("in_transfer_terms",), True),
        ("RU", "NL", ("scc",), False),
        ("RU", "NL", ("ru_cross_border_permission",), True),
        ("HK", "US", (), True),
        ("SG", "NL", (), True),
    ],
)
def test_borders(
    origin: str, destination: str, safeguards: tuple[str, ...], *, open_: bool
) -> None:
    known = facts(
        subject=subject(jurisdiction=origin),
        contracts=[contract(safeguards=frozenset(safeguards))],
    )
    outcome = answer(question(destination=destination), known).outcome
    assert outcome is (Outcome.PERMIT if open_ else Outcome.GAP)


def test_an_objection_touches_legitimate_interest_alone() -> None:
    objection = [preference(PreferenceKind.OBJECT_TO, "survey")]
    survey = question(purpose="survey", categories=("survey.answers",), relation="ticket-1")
    in_eea = facts("affiliate", preferences=objection)
    assert [f.reason for f in answer(survey, in_eea).findings] == [Reason.OBJECTED]
    abroad = facts("affiliate", preferences=objection, subject=subject(jurisdiction="SG"))
    assert [f.reason for f in answer(survey, abroad).findings] == [Reason.CONSENT_MISSING]
    claims = question(purpose="legal_claims", categories=("order.details",), relation="")
    objected = [preference(PreferenceKind.OBJECT_TO, "legal_claims")]
    assert answer(claims, facts("court", preferences=objected)).outcome is Outcome.PERMIT
    advisor = facts("professional_advisor", preferences=objected)
    assert [f.reason for f in answer(claims, advisor).findings] == [Reason.OBJECTED]


def test_statistics_about_nobody_need_a_contract_alone() -> None:
    asked = question(
        account="", purpose="statistics", categories=("usage.statistics",), relation=""
    )
    narrow = contract(origins=frozenset({"US"}), safeguards=frozenset())
    known = facts("business_partner", subject=None, contracts=[narrow])
    assert answer(asked, known).outcome is Outcome.PERMIT
    assert answer(asked, facts("affiliate", subject=None)).outcome is Outcome.DENY


def test_a_supplement_prevails_for_the_same_kind_and_purpose() -> None:
    asked = question(
        service="live_chat",
        purpose="customer_service",
        categories=("contact.name", "order.details"),
    )
    got = answer(asked, facts("affiliate"))
    assert [(f.reason, f.categories) for f in got.findings] == [
        (Reason.NOT_IN_NOTICE, ("order.details",))
    ]
    other = question(service="live_chat")
    assert answer(other, facts()).outcome is Outcome.PERMIT


def test_an_older_version_spoke_before_its_successor() -> None:
    asked = question(
        service="mi_com", purpose="device_status", categories=("device.id",), relation=""
    )
    given = consent(
        purposes=("device_status",),
        categories=("device",),
        to="ecosystem_company",
        at=datetime(2025, 1, 1, tzinfo=UTC),
    )
    known = facts(
        "ecosystem_company",
        consents=[given],
        subject=subject(since=datetime(2023, 1, 1, tzinfo=UTC)),
    )
    before = datetime(2025, 5, 19, 23, 59, tzinfo=UTC)
    old = answer(asked, known, before)
    assert old.outcome is Outcome.PERMIT
    assert old.obligations == (Obligation.ENCRYPT, Obligation.RECORD_DISCLOSURE)
    assert old.citations == {"mi-com@2021-07-22 §3.1.3"}
    after = answer(asked, known, datetime(2025, 5, 20, tzinfo=UTC))
    assert [f.reason for f in after.findings] == [Reason.NOT_IN_NOTICE]


def test_accepting_the_new_notice_is_the_consent_to_what_is_new() -> None:
    known = facts(
        "payment_provider",
        subject=subject(since=datetime(2024, 1, 1, tzinfo=UTC)),
        preferences=[preference(PreferenceKind.ACCEPTED_NOTICE, STORE)],
    )
    assert answer(MI_COM, known).outcome is Outcome.PERMIT


def test_what_is_dated_ahead_counts_from_its_date_on() -> None:
    tomorrow = NOW + timedelta(days=1)
    given = replace(consent(at=tomorrow), ahead=tomorrow)
    out = replace(preference(PreferenceKind.OPT_OUT, "direct_marketing"), ahead=tomorrow)
    agreed = facts(ADS, consents=(given,))
    assert reasons(MARKETING, agreed) == ["CONSENT_MISSING"]
    assert reasons(MARKETING, agreed, tomorrow) == []
    refused = agreed._replace(preferences=(out,))
    assert reasons(MARKETING, refused) == ["CONSENT_MISSING"]
    assert reasons(MARKETING, refused, tomorrow) == ["MARKETING_OPTED_OUT"]
