"""The picture of contracts over time: what is drawn stands where its dates say."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.portal.domain.sharing import (
    Contract,
    ContractState,
    DueDiligence,
    SafeguardDetail,
    Terms,
)
from services.portal.domain.timeline import MOST_ROWS, WIDTH, timeline

TODAY = date(2026, 6, 1)


def contract(name: str = "c", state: ContractState = ContractState.ACTIVE, **said: Any) -> Contract:
    usual: dict[str, Any] = {
        "purposes": (),
        "categories": (),
        "origins": (),
        "destinations": (),
        "safeguards": (),
        "due_diligence": None,
        "effective": date(2026, 1, 1),
        "expires": date(2027, 12, 31),
        "subprocessors": (),
        "confidentiality": False,
        "delete_on_termination": False,
        "document": None,
    }
    since = datetime(2026, 1, 1, tzinfo=UTC)
    terms = Terms(**usual | said)
    return Contract(f"contracts/{name}", "recipients/r", 1, state, terms, 1, "a", since)


def test_nothing_is_drawn_of_what_is_over() -> None:
    assert timeline([], TODAY) is None
    assert timeline([contract(state=ContractState.TERMINATED)], TODAY) is None


def test_a_contract_has_a_bar_for_each_thing_that_ends() -> None:
    drawn = timeline(
        [
            contract(
                due_diligence=DueDiligence(passed=True, on=date(2026, 1, 1), expires=TODAY),
                safeguard_details=(
                    SafeguardDetail("scc", 2, "", "", None),
                    SafeguardDetail("bcr", 0, "", "", date(2026, 9, 1)),
                ),
            )
        ],
        TODAY,
    )
    assert drawn is not None
    (row,) = drawn.rows
    assert [(bar.kind, bar.safeguard) for bar in row.bars] == [
        ("term", ""),
        ("due_diligence", ""),
        ("safeguard", "bcr"),
    ]
    term, examined, safeguard = row.bars
    assert examined.x == term.x == safeguard.x
    # It counts through today: its end is at the end of today.
    assert drawn.today <= examined.x + examined.width <= drawn.today + 2
    assert examined.width < safeguard.width < term.width
    assert [year for _, year in drawn.years] == [2026, 2027, 2028]


def test_the_earliest_end_comes_first_and_the_rest_is_counted() -> None:
    many = [contract(f"c{n}", expires=TODAY + timedelta(days=n)) for n in range(20, 0, -1)]
    drawn = timeline(many, TODAY)
    assert drawn is not None
    names = [row.contract.key for row in drawn.rows]
    assert names == [f"c{n}" for n in range(1, MOST_ROWS + 1)]
    assert drawn.more == 20 - MOST_ROWS


spans = st.tuples(st.dates(), st.dates()).map(sorted)


@given(st.lists(spans, min_size=1, max_size=5), st.dates(date(1900, 1, 1), date(2900, 1, 1)))
def test_every_bar_is_inside_of_the_picture(found: list[list[date]], today: date) -> None:
    drawn = timeline([contract(effective=first, expires=last) for first, last in found], today)
    assert drawn is not None
    assert 0 <= drawn.today <= WIDTH
    for row in drawn.rows:
        for bar in row.bars:
            assert bar.width > 0
            assert 0 <= bar.x <= WIDTH - bar.width
