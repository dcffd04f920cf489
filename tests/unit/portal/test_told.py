"""What a person is told: every event that audit may show has words, and looks fold into one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from runtime.event_names import beginning, text_of
from services.audit.domain.own import PERSON
from services.portal.api.catalog import load_catalogs
from services.portal.domain.language import LANGUAGES
from services.portal.domain.told import tell
from services.portal.domain.trace import Entry, Readability, Section

ANNA = "accounts/nl-anna"


def _entry(index: int, action: str, actor: str = ANNA, resource: str = "") -> Entry:
    return Entry(
        index=index,
        producer="audit",
        sequence=1,
        event_id="",
        action=action,
        outcome="ok",
        at=datetime(2026, 1, 1, tzinfo=UTC),
        trace_id="",
        span_id="",
        readability=Readability.FULL,
        account=ANNA,
        actor=actor,
        resource=resource,
        fields=[],
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_event_that_people_are_shown_has_words(language: str) -> None:
    words = load_catalogs()[language]
    actions = {text_of(number) for number in beginning("")}
    shown = {action for action in actions if action.startswith(tuple(PERSON))}
    told = {key.removeprefix("event.") for key in words.messages if key.startswith("event.")}
    assert shown - told == set()
    assert told - actions == set()


def test_looks_at_the_own_record_that_follow_each_other_are_one() -> None:
    entries = [
        _entry(6, "audit:log:read"),
        _entry(5, "audit:proof:read"),
        _entry(4, "audit:log:read", actor=""),
        _entry(3, "account:session:begin"),
        _entry(2, "audit:log:read"),
    ]
    told = tell(entries)
    assert [(each.entry.index, each.times, each.own_look) for each in told] == [
        (6, 2, True),
        (4, 1, False),
        (3, 1, False),
        (2, 1, True),
    ]


def test_a_decision_is_named_by_its_key() -> None:
    (told,) = tell([_entry(1, "sharing:decision:deny", resource="decisions/nl-1")])
    assert told.decision == "nl-1"
    line = (("decision", "decisions/nl-1-3: PERMIT; contracts/a/versions/1; mi_store delivery"),)
    batch = replace(_entry(1, "sharing:decision:batch"), sections=[Section(ANNA, line)])
    (told,) = tell([batch])
    assert told.decision == "nl-1-3"
    (told,) = tell([_entry(1, "account:link:add", resource=f"{ANNA}/links/x")])
    assert told.decision == ""
