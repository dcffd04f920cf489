"""What holds for every question and every set of facts."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TypeVar

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from services.sharing.domain.contracts import by_effect
from services.sharing.domain.question import Facts, Question
from services.sharing.domain.records import (
    RESTRICTION,
    Consent,
    ConsentState,
    Contract,
    ContractState,
    DueDiligence,
    Instrument,
    Preference,
    PreferenceKind,
    Scope,
    Subject,
    SubjectStatus,
    Terms,
)
from services.sharing.domain.vocabulary import Outcome
from tests.unit.sharing import reading
from tests.unit.sharing.facts import ACCOUNT, NOW, answer, recipient, rulebook

U = TypeVar("U")
V = TypeVar("V")

RULES = rulebook()
COUNTRIES = st.sampled_from(["NL", "DE", "NO", "GB", "CH", "IN", "RU", "SG", "HK", "US"])
AREAS = st.sampled_from(["NL", "DE", "EEA", "UK", "CH", "IN", "RU", "SG", "US", "*"])
KINDS = st.sampled_from(sorted(RULES.kinds))
KIND_SCOPES = st.sampled_from([*sorted(RULES.kind_scopes), "recipients/r"])
PURPOSES = st.sampled_from(sorted(RULES.purposes))
CATEGORIES = st.sampled_from(sorted(RULES.categories))
SCOPES = st.sampled_from(sorted(RULES.category_scopes))
MOMENTS = st.integers(-900, 30).map(lambda days: NOW + timedelta(days=days))
DAYS = st.integers(-900, 500).map(lambda days: date(2025, 9, 1) + timedelta(days=days))


def mostly(usual: U, other: st.SearchStrategy[V]) -> st.SearchStrategy[U | V]:
    """Draw the usual nine times of ten, so that permits are met as well."""
    return st.integers(0, 9).flatmap(lambda n: other if n == 9 else st.just(usual))


@st.composite
def cells(draw: st.DrawFn) -> tuple[str, str, str, tuple[str, ...]]:
    """A service with a row of a notice that speaks for it, so that permits are met often."""
    service = draw(st.sampled_from(sorted(RULES.services)))
    notice = draw(st.sampled_from([n for line in RULES.services[service].lineages for n in line]))
    kind, purpose = draw(st.sampled_from(sorted(RULES.cells[notice])))
    known = sorted(RULES.cells[notice][kind, purpose])
    assume(known)
    categories = draw(st.lists(st.sampled_from(known), min_size=1, max_size=3, unique=True))
    if draw(st.integers(0, 9)) == 9:
        categories = list(dict.fromkeys([*categories, draw(CATEGORIES)]))
    return service, kind, purpose, tuple(categories)


@st.composite
def questions(draw: st.DrawFn) -> tuple[Question, str]:
    if draw(st.integers(0, 9)) < 9:
        service, kind, purpose, categories = draw(cells())
    else:
        service = draw(st.sampled_from(sorted(RULES.services)))
        kind, purpose = draw(KINDS), draw(PURPOSES)
        categories = tuple(draw(st.lists(CATEGORIES, min_size=1, max_size=4, unique=True)))
    about_nobody = purpose == "statistics" and categories == ("usage.statistics",)
    asked = Question(
        account="" if about_nobody and draw(st.booleans()) else ACCOUNT,
        service=service,
        recipient="recipients/r",
        purpose=purpose,
        categories=categories,
        destination=draw(COUNTRIES),
        relation=str(draw(mostly("order-1", st.just("")))),
        subprocessor=str(draw(mostly("", st.just("subco")))),
        instrument=str(draw(mostly("i1", st.just("")))),
        signed_in=bool(draw(mostly(True, st.just(False)))),
        de_identified=bool(draw(mostly(True, st.just(False)))),
    )
    return asked, kind


@st.composite
def contracts(draw: st.DrawFn, asked: Question) -> Contract:
    terms = Terms(
        purposes=frozenset({draw(mostly(asked.purpose, PURPOSES))}),
        categories=frozenset(
            draw(
                mostly(
                    {category.split(".")[0] for category in asked.categories},
                    st.sets(SCOPES, max_size=4),
                )
            )
        ),
        origins=frozenset({draw(mostly("*", AREAS))}),
        destinations=frozenset({draw(mostly("*", AREAS))}),
        effective=draw(mostly(date(2023, 1, 1), DAYS)),
        expires=draw(mostly(date(2027, 1, 1), DAYS)),
        safeguards=frozenset(
            draw(
                mostly(
                    {"scc", "in_transfer_terms", "ru_cross_border_permission"},
                    st.sets(st.sampled_from(sorted(RULES.safeguards)), max_size=3),
                )
            )
        ),
        due_diligence=draw(
            mostly(
                DueDiligence(passed=True, on=date(2023, 1, 1), expires=date(2027, 1, 1)),
                st.none() | st.builds(DueDiligence, st.booleans(), DAYS, DAYS),
            )
        ),
        subprocessors=frozenset(draw(st.sets(st.just("subco")))),
        confidentiality=bool(draw(mostly(True, st.just(False)))),
    )
    state = draw(mostly(ContractState.ACTIVE, st.sampled_from(ContractState)))
    return Contract(f"contracts/{draw(st.integers(0, 99))}", 1, state, terms)


@st.composite
def consents(draw: st.DrawFn, asked: Question, kind: str) -> Consent:
    scope = Scope(
        service=str(draw(mostly("", st.sampled_from(["mi_store", "mi_com", "live_chat"])))),
        purposes=frozenset({draw(mostly(asked.purpose, PURPOSES))}),
        categories=frozenset(
            draw(
                mostly(
                    {category.split(".")[0] for category in asked.categories},
                    st.sets(SCOPES, min_size=1, max_size=3),
                )
            )
        ),
        recipient=str(draw(mostly(kind, KIND_SCOPES))),
    )
    state = draw(mostly(ConsentState.GIVEN, st.sampled_from(ConsentState)))
    at = draw(mostly(NOW - timedelta(days=800), MOMENTS))
    name = f"{ACCOUNT}/consents/{draw(st.integers(0, 9999))}"
    expires = draw(mostly(None, MOMENTS))
    withdrawn = draw(st.none() | MOMENTS)
    return Consent(name, scope, state, at, expires, withdrawn)


@st.composite
def preferences(draw: st.DrawFn, asked: Question) -> Preference:
    kind, value = draw(
        st.one_of(
            st.tuples(
                st.just(PreferenceKind.OPT_OUT),
                st.sampled_from(["direct_marketing", "personalisation"]),
            ),
            st.tuples(st.just(PreferenceKind.OBJECT_TO), st.just(asked.purpose) | PURPOSES),
            st.tuples(st.just(PreferenceKind.STOP_SHARING_WITH), KIND_SCOPES),
            st.tuples(
                st.just(PreferenceKind.ACCEPTED_NOTICE), st.sampled_from(sorted(RULES.notices))
            ),
            st.tuples(st.just(PreferenceKind.RESTRICT), st.just(RESTRICTION)),
        )
    )
    return Preference(
        f"{ACCOUNT}/preferences/{draw(st.integers(0, 9999))}", kind, value, draw(MOMENTS)
    )


@st.composite
def cases(draw: st.DrawFn) -> tuple[Question, Facts, datetime]:
    asked, kind = draw(questions())
    subject = None
    if asked.account and draw(st.integers(0, 9)):
        subject = Subject(
            ACCOUNT,
            draw(COUNTRIES),
            draw(mostly(date(1990, 1, 1), st.none() | DAYS)),
            draw(mostly(SubjectStatus.ACTIVE, st.sampled_from(SubjectStatus))),
            draw(MOMENTS),
            1,
        )
    ordered = frozenset(category.split(".")[0] for category in asked.categories)
    instrument = Instrument(
        "i1",
        ACCOUNT,
        draw(mostly(ordered, st.frozensets(SCOPES, max_size=4))),
        draw(mostly(date(2023, 1, 1), DAYS)),
        draw(mostly(date(2027, 1, 1), DAYS)),
    )
    known = Facts(
        recipient=recipient(kind, draw(COUNTRIES)),
        subject=subject,
        contracts=draw(st.lists(contracts(asked), min_size=1, max_size=3) | st.just([])),
        consents=draw(st.lists(consents(asked, kind), min_size=1, max_size=3) | st.just([])),
        preferences=draw(mostly([], st.lists(preferences(asked), min_size=1, max_size=2))),
        instrument=draw(mostly(instrument, st.none())),
    )
    days = draw(mostly(0, st.integers(-800, 400)))
    return asked, known, datetime(2025, 9, 1, 12, tzinfo=UTC) + timedelta(days=days)


@settings(max_examples=200, deadline=None)
@given(cases())
def test_the_engine_agrees_with_a_second_reading(case: tuple[Question, Facts, datetime]) -> None:
    asked, known, now = case  # the reading takes contracts as they were recorded
    got = answer(asked, known._replace(contracts=by_effect(known.contracts)), now)
    assert {found.reason for found in got.findings} == reading.reasons(asked, known, now)
    assert got.outcome is reading.outcome(asked, known, now)
    alone = [
        category
        for category in asked.categories
        if reading.outcome(asked._replace(categories=(category,)), known, now) is Outcome.PERMIT
    ]
    assert list(got.permitted_categories) == alone


@settings(max_examples=80, deadline=None)
@given(cases())
def test_deny_beats_gap_beats_permit(case: tuple[Question, Facts, datetime]) -> None:
    got = answer(*case)
    classes = [found.outcome for found in got.findings]
    assert classes == sorted(classes)  # those that deny first: "DENY" < "GAP"
    assert got.outcome is (classes[0] if classes else Outcome.PERMIT)
    gates = [(found.outcome, found.gate) for found in got.findings]
    assert gates == sorted(gates)
    assert all(found.citations for found in got.findings)


@settings(max_examples=100, deadline=None)
@given(questions(), COUNTRIES)
def test_default_deny(asked: tuple[Question, str], country: str) -> None:
    """With nothing on record but the recipient, no personal data goes anywhere."""
    question, kind = asked
    got = answer(question, Facts(recipient(kind, country)))
    assert got.outcome is not Outcome.PERMIT


@settings(max_examples=80, deadline=None)
@given(cases(), st.data())
def test_invariant_9_adding_an_objection_never_turns_a_denial_into_a_permit(
    case: tuple[Question, Facts, datetime], data: st.DataObject
) -> None:
    asked, known, now = case
    before = answer(asked, known, now).outcome
    chosen = data.draw(preferences(asked))
    assume(chosen.kind is not PreferenceKind.ACCEPTED_NOTICE)
    after = answer(asked, known._replace(preferences=[*known.preferences, chosen]), now).outcome
    order = [Outcome.PERMIT, Outcome.GAP, Outcome.DENY]
    assert order.index(after) >= order.index(before)


# Most questions drawn at random are refused: the few that are permitted are what counts here.
@settings(
    max_examples=80,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.filter_too_much],
)
@given(cases(), st.data())
def test_invariant_9_narrowing_categories_never_loses_a_permit(
    case: tuple[Question, Facts, datetime], data: st.DataObject
) -> None:
    asked, known, now = case
    got = answer(asked, known, now)
    assume(got.outcome is Outcome.PERMIT)
    fewer = data.draw(
        st.lists(st.sampled_from(asked.categories), min_size=1, max_size=5, unique=True)
    )
    assert answer(asked._replace(categories=tuple(fewer)), known, now).outcome is Outcome.PERMIT
