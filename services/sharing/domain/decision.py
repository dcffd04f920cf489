"""A decision as it stands on the record."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from runtime.event import Event
from services.sharing.domain.question import Answer, Question


class Decision(NamedTuple):
    """A question and its answer, with what is needed to check it later. Immutable."""

    name: str
    question: Question
    answer: Answer
    time: datetime
    rulebook_digest: str
    trace_id: str
    asker: str
    token: str  # how new the facts were


def said(question: Question, answer: Answer) -> str:
    """Say in one line what was asked and answered, for the log; the line names nobody.

    With semicolons between: the outcome; each reason; the version of the contract; each clause;
    service, purpose, recipient, destination and categories, with blanks between.
    """
    asked = (
        f"{question.service} {question.purpose} {question.recipient} {question.destination}"
        f" {','.join(question.categories)}"
    )
    reasons = [found.reason for found in answer.findings]
    clauses = sorted(answer.citations)
    return "; ".join((answer.outcome, *reasons, answer.contract, *clauses, asked))


class Decided(NamedTuple):
    """A decision, the bytes of it that are kept, and what the log is told of it among others.

    What leaves is the same message.
    """

    decision: Decision
    body: bytes
    line: str  # as `said` says it


@dataclass(frozen=True, slots=True)
class Record:
    """What one call decided, kept whole or not at all, with what the log is told of it."""

    name: str  # of the one decision, or what those of a batch begin with
    asker: str
    decided: Sequence[Decided]
    events: Sequence[Event]
