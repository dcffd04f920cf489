"""What becomes of replayed questions, and what is said of a draft of the rules."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.portal.domain.analysis import Flaw, Flow, Replayed, Simulation, Turn, read_flaw
from services.portal.domain.sharing import Outcome


def replayed(outcome: Outcome | None) -> Replayed:
    return Replayed(outcome, (), (), (), ())


@pytest.mark.parametrize(
    ("before", "after", "turn"),
    [
        (Outcome.PERMIT, Outcome.DENY, Turn.DENY),
        (Outcome.GAP, Outcome.PERMIT, Turn.PERMIT),
        (Outcome.DENY, Outcome.GAP, Turn.GAP),
        (Outcome.DENY, Outcome.DENY, Turn.OTHERWISE),
        (Outcome.PERMIT, None, Turn.UNKNOWN),
    ],
)
def test_what_becomes_of_a_question(before: Outcome, after: Outcome | None, turn: Turn) -> None:
    flow = Flow(
        "decisions/nl-1",
        "mi_store",
        "recipients/a",
        "delivery",
        (),
        *map(replayed, (before, after)),
    )
    assert flow.turn is turn


@given(
    st.integers(0, 5000),
    st.dictionaries(
        st.sampled_from([turn for turn in Turn if turn is not Turn.SAME]), st.integers(1, 900)
    ),
)
def test_the_summary_counts_each_question_once(same: int, turned: dict[Turn, int]) -> None:
    found = Simulation(same + sum(turned.values()), turned, (), "")
    summary = {turn: (number, share) for turn, number, share in found.summary}
    assert {turn: number for turn, (number, _) in summary.items() if number} == {
        **({Turn.SAME: same} if same else {}),
        **turned,
    }
    assert {Turn.SAME, Turn.PERMIT, Turn.DENY, Turn.GAP} <= summary.keys()
    assert all(bool(share) == bool(number) and share <= 1000 for number, share in summary.values())


@pytest.mark.parametrize(
    ("text", "flaw"),
    [
        ("notices/a@2.yaml:12: unknown x: y", Flaw("notices/a@2.yaml", 12, "unknown x: y")),
        ("kinds.yaml:0: is missing", Flaw("kinds.yaml", 0, "is missing")),
        (":0: a service: nowhere written", Flaw("", 0, "a service: nowhere written")),
        ("at most 64 files", Flaw("", 0, "at most 64 files")),
    ],
)
def test_a_problem_is_read_as_compilers_say_it(text: str, flaw: Flaw) -> None:
    assert read_flaw(text) == flaw
