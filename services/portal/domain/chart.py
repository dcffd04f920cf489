"""The picture of what was shared: a line for each recipient, a mark for each decision."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.portal.domain.sharing import Decision, Outcome

MOST_LINES = 8
WIDTH = 1000


@dataclass(frozen=True)
class Mark:
    """One decision, `x` in thousandths from the earliest to the latest."""

    x: int
    outcome: Outcome


@dataclass(frozen=True)
class Line:
    """The decisions about one recipient."""

    recipient: str
    marks: Sequence[Mark]


@dataclass(frozen=True)
class Chart:
    """At most MOST_LINES recipients, those asked about most recently; `more` were left out."""

    first: datetime
    last: datetime
    lines: Sequence[Line]
    more: int


def chart(decisions: Sequence[Decision]) -> Chart | None:
    """Draw decisions (newest first); None when there is nothing to see."""
    if not decisions:
        return None
    first = min(decision.at for decision in decisions)
    last = max(decision.at for decision in decisions)
    whole = (last - first).total_seconds()

    def x(decision: Decision) -> int:
        # A single moment stands in the middle rather than at an end of nothing.
        since = (decision.at - first).total_seconds()
        return round(WIDTH * since / whole) if whole else WIDTH // 2

    recipients = list(dict.fromkeys(decision.recipient for decision in decisions))
    lines = [
        Line(
            recipient,
            [Mark(x(each), each.outcome) for each in decisions if each.recipient == recipient],
        )
        for recipient in recipients[:MOST_LINES]
    ]
    return Chart(first, last, lines, max(0, len(recipients) - MOST_LINES))
