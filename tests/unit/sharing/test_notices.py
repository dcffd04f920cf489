"""What is new in a notice is what the decision asks a new consent for, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime

from services.sharing.domain.notices import notice_changes
from services.sharing.domain.records import Preference, PreferenceKind
from tests.unit.sharing.facts import NOW, facts, preference, question, reasons, rulebook, subject

EARLY = subject(since=datetime(2024, 1, 1, tzinfo=UTC))
OLD, NEW = "mi-com@2021-07-22", "mi-store@2025-05-20"


def changes(*accepted: Preference) -> list[tuple[str, str, bool]]:
    found = notice_changes(rulebook(), EARLY, accepted, NOW.date())
    return [(each.notice, each.accepted, each.by_choice) for each in found]


def test_who_began_under_the_earlier_version_is_told_what_is_new() -> None:
    assert changes() == [(NEW, OLD, False)]
    old = preference(PreferenceKind.ACCEPTED_NOTICE, OLD)
    new = preference(PreferenceKind.ACCEPTED_NOTICE, NEW)
    assert changes(old) == [(NEW, OLD, True)]
    assert changes(old, new) == []
    assert changes(new, preference(PreferenceKind.ACCEPTED_NOTICE, "live-chat")) == []


def test_who_began_under_the_newer_version_is_told_nothing() -> None:
    assert notice_changes(rulebook(), subject(), (), NOW.date()) == []


def test_nothing_was_new_before_the_newer_version() -> None:
    assert notice_changes(rulebook(), EARLY, (), datetime(2025, 5, 19, tzinfo=UTC).date()) == []


def test_what_is_told_is_where_the_decision_asks_for_it() -> None:
    (change,) = notice_changes(rulebook(), EARLY, (), NOW.date())
    assert change.services == ("mi_com",)
    told = {
        (each.kind, each.purpose, category)
        for each in change.additions
        for category in each.categories
    }
    assert told
    asked = set()
    for kind in rulebook().kinds:
        for purpose in rulebook().purposes:
            known = facts(kind, subject=EARLY)
            about = question(
                service="mi_com", purpose=purpose, categories=tuple(rulebook().categories)
            )
            if "RECONSENT_REQUIRED" in reasons(about, known):
                asked |= _asked(kind, purpose)
    assert told == asked


def _asked(kind: str, purpose: str) -> set[tuple[str, str, str]]:
    """The categories of which the decision says so, one by one."""
    known = facts(kind, subject=EARLY)
    return {
        (kind, purpose, category)
        for category in rulebook().categories
        if "RECONSENT_REQUIRED"
        in reasons(question(service="mi_com", purpose=purpose, categories=(category,)), known)
    }
