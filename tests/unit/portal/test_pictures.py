"""The two pictures: every decision and every entry has its place, in proportion to time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.portal.domain.chart import MOST_LINES, WIDTH, chart
from services.portal.domain.sharing import Decision, Outcome
from services.portal.domain.trace import Entry, Readability, waterfall

START = datetime(2026, 1, 1, tzinfo=UTC)


def _decision(seconds: int, recipient: str, outcome: Outcome) -> Decision:
    return Decision(
        name=f"decisions/nl-{seconds}",
        outcome=outcome,
        at=START + timedelta(seconds=seconds),
        service="mi_store",
        recipient=recipient,
        purpose="delivery",
        categories=("contact.name",),
        destination="DE",
        relation="",
        asker="mi-store",
        hindrances=(),
        grounds=(),
        obligations=(),
        contract="",
        rulebook_digest="",
        trace_id="",
    )


decisions = st.lists(
    st.builds(
        _decision,
        st.integers(0, 10**7),
        st.from_regex(r"recipients/[a-z]{1,2}", fullmatch=True),
        st.sampled_from(Outcome),
    ),
    min_size=1,
    max_size=40,
)


@given(decisions)
def test_a_line_for_each_recipient_and_a_mark_for_each_decision(found: list[Decision]) -> None:
    drawn = chart(found)
    assert drawn is not None
    recipients = {decision.recipient for decision in found}
    assert len(drawn.lines) + drawn.more == len(recipients)
    assert len(drawn.lines) <= MOST_LINES
    for line in drawn.lines:
        own = [decision for decision in found if decision.recipient == line.recipient]
        assert [mark.outcome for mark in line.marks] == [decision.outcome for decision in own]
        assert all(0 <= mark.x <= WIDTH for mark in line.marks)


def test_nothing_is_drawn_of_nothing_and_one_stands_in_the_middle() -> None:
    assert chart([]) is None
    drawn = chart([_decision(5, "recipients/a", Outcome.PERMIT)])
    assert drawn is not None
    assert drawn.lines[0].marks[0].x == WIDTH // 2


def _entry(index: int, milliseconds: int) -> Entry:
    return Entry(
        index=index,
        producer="sharing",
        sequence=index + 1,
        event_id="",
        action="sharing:decision:permit",
        outcome="permit",
        at=START + timedelta(milliseconds=milliseconds),
        trace_id="",
        span_id="",
        readability=Readability.FULL,
        account="",
        actor="",
        resource="",
        fields=(),
    )


@given(st.lists(st.integers(0, 10**6), max_size=30))
def test_entries_stand_in_order_of_time(moments: list[int]) -> None:
    bars = waterfall([_entry(index, at) for index, at in enumerate(moments)])
    assert len(bars) == len(moments)
    assert [bar.entry.at for bar in bars] == sorted(bar.entry.at for bar in bars)
    assert all(0 <= bar.offset <= 1000 and bar.after_ms >= 0 for bar in bars)
    if bars:
        assert (bars[0].offset, bars[0].after_ms) == (0, 0)
