"""The bytes of a decision: whatever pieces they are made of, they are read as one message."""

from __future__ import annotations

from datetime import datetime

from accord.sharing.v1 import decision_pb2
from hypothesis import given, settings
from hypothesis import strategies as st

from services.sharing.api import encoding
from services.sharing.api.codec import ProtoDecisions
from services.sharing.domain.decision import Decision, said
from services.sharing.domain.question import Facts, Question
from services.sharing.domain.records import Guest
from tests.unit.sharing.facts import answer
from tests.unit.sharing.test_properties import cases

CODEC = ProtoDecisions()


@settings(max_examples=200, deadline=None)
@given(cases(), st.none() | st.sampled_from(["a", "b"]), st.sampled_from(["", "instruments/i1"]))
def test_the_bytes_of_a_decision_are_its_message(
    case: tuple[Question, Facts, datetime], session: str | None, instrument: str
) -> None:
    asked, known, now = case
    answered = answer(asked, known, now)  # before it is somebody else's question
    asked = asked._replace(instrument=instrument)
    if session:
        asked = asked._replace(account="", guest=Guest("NL", session))
    for name in ("decisions/nl-a", "decisions/nl-b"):  # the second finds what is remembered
        decision = Decision(name, asked, answered, now, "d", "0" * 32, "mi-store", f"nl-{name}")
        _, body, line = CODEC.encode(decision)
        assert line == said(asked, answered)
        message = decision_pb2.Decision.FromString(body)
        assert message == encoding.decision(decision)
        assert CODEC.decode(body) == _kept(decision)


def _kept(decision: Decision) -> Decision:
    """Return what is kept of a decision: not when a consent ends that it rests on."""
    grounds = tuple(ground._replace(ends=None) for ground in decision.answer.grounds)
    return decision._replace(answer=decision.answer._replace(grounds=grounds))
