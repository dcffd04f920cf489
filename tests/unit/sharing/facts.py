"""Facts and questions that are permitted as they stand; each test changes what it is about."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from services.sharing.domain.contracts import by_effect
from services.sharing.domain.engine import decide
from services.sharing.domain.question import Answer, Facts, Question, check_question
from services.sharing.domain.records import (
    Consent,
    ConsentState,
    Contract,
    ContractState,
    DueDiligence,
    Preference,
    PreferenceKind,
    Recipient,
    Scope,
    Subject,
    SubjectStatus,
    Terms,
)
from services.sharing.store.rulebook import load_rulebook

if TYPE_CHECKING:
    from services.sharing.domain.rulebook import Rulebook

NOW = datetime(2025, 9, 1, 12, 0, tzinfo=UTC)
ACCOUNT = "accounts/nl-" + "0" * 26


@cache
def rulebook() -> Rulebook:
    return load_rulebook()


def subject(**change: Any) -> Subject:
    usual = Subject(
        ACCOUNT, "NL", date(1990, 4, 2), SubjectStatus.ACTIVE, datetime(2025, 6, 1, tzinfo=UTC), 1
    )
    return replace(usual, **change)


def recipient(kind: str = "service_provider.delivery", country: str = "DE") -> Recipient:
    return Recipient("recipients/r", "R", kind, country, NOW - timedelta(days=100))


def terms(**change: Any) -> Terms:
    usual = Terms(
        purposes=frozenset(rulebook().purposes),
        categories=frozenset(rulebook().category_scopes),
        origins=frozenset({"*"}),
        destinations=frozenset({"*"}),
        effective=date(2025, 1, 1),
        expires=date(2026, 12, 31),
        safeguards=frozenset({"scc", "in_transfer_terms", "ru_cross_border_permission"}),
        due_diligence=DueDiligence(True, date(2025, 1, 1), date(2026, 1, 1)),
        confidentiality=True,
    )
    return replace(usual, **change)


def contract(
    state: ContractState = ContractState.ACTIVE, name: str = "c", **change: Any
) -> Contract:
    return Contract(f"contracts/{name}", 1, state, terms(**change))


def consent(
    state: ConsentState = ConsentState.GIVEN,
    *,
    service: str = "",
    purposes: tuple[str, ...] = ("direct_marketing",),
    categories: tuple[str, ...] = ("contact.email",),
    to: str = "service_provider.advertising",
    at: datetime = NOW - timedelta(days=10),
    expires: datetime | None = None,
) -> Consent:
    scope = Scope(service, frozenset(purposes), frozenset(categories), to)
    return Consent(f"{ACCOUNT}/consents/{at:%s}", scope, state, at, expires)


def preference(kind: PreferenceKind, value: str, days_ago: int = 1) -> Preference:
    name = f"{ACCOUNT}/preferences/{kind}-{value}"
    return Preference(name, kind, value, NOW - timedelta(days=days_ago))


def question(**change: Any) -> Question:
    usual = Question(
        account=ACCOUNT,
        service="mi_store",
        recipient="recipients/r",
        purpose="delivery",
        categories=("contact.name", "contact.address"),
        destination="DE",
        relation="order-4711",
    )
    return usual._replace(**change)


def facts(kind: str = "service_provider.delivery", **change: Any) -> Facts:
    usual = Facts(recipient(kind), subject(), (contract(),))
    changed = usual._replace(**change)
    return changed._replace(contracts=by_effect(changed.contracts))


def answer(asked: Question, known: Facts, now: datetime = NOW) -> Answer:
    check_question(asked, rulebook())
    return decide(rulebook(), asked, known, now)


def reasons(asked: Question, known: Facts, now: datetime = NOW) -> list[str]:
    return [found.reason.value for found in answer(asked, known, now).findings]
