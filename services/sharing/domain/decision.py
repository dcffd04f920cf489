"""A decision as it stands on the record."""

from dataclasses import dataclass
from datetime import datetime

from services.sharing.domain.question import Answer, Question


@dataclass(frozen=True, slots=True)
class Decision:
    """A question and its answer, with what is needed to check it later. Immutable."""

    name: str
    question: Question
    answer: Answer
    time: datetime
    rulebook_digest: str
    trace_id: str
    asker: str
    token: str  # how new the facts were
