"""The two pictures: every decision and every entry has its place, in proportion to time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.portal.domain.chart import MOST_LINES, WIDTH, chart
from services.portal.domain.sharing import Decision, Outcome
from services.portal.domain.trace import Entry, Origin, Proof, Readability, waterfall

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


def _proof(
    index: int,
    milliseconds: int,
    service: str = "sharing",
    *,
    span_id: str = "",
    actor: str = "",
    app: str = "",
) -> Proof:
    entry = Entry(
        index=index,
        producer=service,
        sequence=index + 1,
        event_id="",
        action="sharing:decision:permit",
        outcome="permit",
        at=START + timedelta(milliseconds=milliseconds),
        trace_id="",
        readability=Readability.FULL,
        account="",
        resource="",
        fields=[("app", app)],
        span_id=span_id,
        actor=actor,
    )
    return Proof(entry, 1, b"", b"", (), "", b"")


@given(st.lists(st.tuples(st.integers(0, 10**6), st.sampled_from(["account", "sharing", "audit"]))))
def test_every_entry_stands_once_in_its_lane_in_order_of_time(
    written: list[tuple[int, str]],
) -> None:
    proofs = [_proof(index, at, service) for index, (at, service) in enumerate(written)]
    drawn = waterfall(proofs)
    if drawn is None:
        assert not written
        return
    assert [mark.after_ms for mark in drawn.marks] == sorted(mark.after_ms for mark in drawn.marks)
    assert (drawn.marks[0].x, drawn.marks[0].after_ms) == (0, 0)
    assert all(0 <= mark.x <= WIDTH for mark in drawn.marks)
    in_lanes = [mark for lane in drawn.lanes for mark in lane.marks]
    assert sorted(mark.proof.entry.index for mark in in_lanes) == list(range(len(written)))
    for lane in drawn.lanes:
        assert {mark.proof.entry.producer for mark in lane.marks} == {lane.service}
        ends = [mark.x for mark in lane.marks]
        assert (lane.x, lane.x + lane.width) == (min(ends), max(ends))


def test_entries_of_one_call_stand_together() -> None:
    spans = ["a", "b", "a"]
    drawn = waterfall([_proof(n, n, span_id=span) for n, span in enumerate(spans)])
    assert drawn is not None
    assert [mark.proof.entry.index for mark in drawn.lanes[0].marks] == [0, 2, 1]
    assert [mark.proof.entry.index for mark in drawn.marks] == [0, 1, 2]


@pytest.mark.parametrize(
    ("app", "actor", "origin", "name"),
    [
        ("svc/portal", "accounts/nl-0123456789abcdefghjkmnpqrs", Origin.PORTAL, ""),
        ("app/mi-store", "spiffe://nl.accord.internal/app/mi-store", Origin.APP, "mi-store"),
        ("", "spiffe://nl.accord.internal/staff/officer/ana", Origin.STAFF, ""),
        ("svc/account", "accounts/nl-0123456789abcdefghjkmnpqrs", Origin.UNKNOWN, ""),
        ("", "", Origin.UNKNOWN, ""),
    ],
)
def test_where_a_request_began_is_told_by_who_called(
    app: str, actor: str, origin: Origin, name: str
) -> None:
    drawn = waterfall([_proof(0, 0), _proof(1, 1, actor=actor, app=app)])
    assert drawn is not None
    assert (drawn.origin, drawn.app) == (origin, name)
