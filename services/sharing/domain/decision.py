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


class Decided(NamedTuple):
    """A decision, and the bytes of it that are kept; what leaves is the same message."""

    decision: Decision
    body: bytes


@dataclass(frozen=True, slots=True)
class Record:
    """What one call decided, kept whole or not at all, with what the log is told of it."""

    name: str  # of the one decision, or what those of a batch begin with
    asker: str
    decided: Sequence[Decided]
    events: Sequence[Event]
