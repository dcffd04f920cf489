"""A safeguard with an end of its own counts through that day, and closes the border after it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

from services.sharing.domain.records import SafeguardDetail
from tests.unit.sharing.facts import contract, facts, question, reasons, subject

LAST = date(2025, 9, 10)


def test_an_expired_permission_opens_no_border() -> None:
    ended = SafeguardDetail("ru_cross_border_permission", reference="RKN 77-1", expires=LAST)
    terms = contract(
        safeguards=frozenset({"ru_cross_border_permission"}), safeguard_details=(ended,)
    )
    known = facts()._replace(subject=subject(jurisdiction="RU"), contracts=(terms,))
    midnight = datetime.combine(LAST + timedelta(days=1), time.min, UTC)
    assert reasons(question(), known, midnight - timedelta(microseconds=1)) == []
    assert reasons(question(), known, midnight) == ["TRANSFER_SAFEGUARD_MISSING"]


def test_another_safeguard_stands_in_its_place() -> None:
    ended = SafeguardDetail("bcr", expires=LAST)
    open_ended = SafeguardDetail("scc")
    terms = contract(
        safeguards=frozenset({"bcr", "scc"}),
        destinations=frozenset({"US"}),
        safeguard_details=(ended, open_ended),
    )
    known = facts()._replace(contracts=(terms,))
    later = datetime(2025, 12, 1, tzinfo=UTC)
    assert reasons(question(destination="US"), known, later) == []
    alone = replace(terms, terms=replace(terms.terms, safeguards=frozenset({"bcr"})))
    assert reasons(question(destination="US"), known._replace(contracts=(alone,)), later) == [
        "TRANSFER_SAFEGUARD_MISSING"
    ]
