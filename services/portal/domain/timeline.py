"""Contracts drawn over time: how long each runs, what it rests on, and where today is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from services.portal.domain.sharing import Contract, ContractState

MOST_ROWS = 12
WIDTH = 1000
_BACK = timedelta(days=2 * 365)
_AHEAD = timedelta(days=4 * 365)
_MARGIN = timedelta(days=30)


@dataclass(frozen=True)
class Bar:
    """A span, `x` and `width` in thousandths; `kind` is the catalog's and the style's key."""

    kind: str
    x: int
    width: int
    first: date
    last: date
    safeguard: str = ""


@dataclass(frozen=True)
class Row:
    """One contract and its bars, the term first."""

    contract: Contract
    bars: Sequence[Bar]


@dataclass(frozen=True)
class Timeline:
    """At most MOST_ROWS contracts, the earliest end first; `more` were left out."""

    first: date
    last: date
    today: int
    years: Sequence[tuple[int, int]]  # where each begins, and which it is
    rows: Sequence[Row]
    more: int


def timeline(contracts: Sequence[Contract], today: date) -> Timeline | None:
    """Draw what is not terminated; None when there is nothing."""
    running = [each for each in contracts if each.state is not ContractState.TERMINATED]
    if not running:
        return None
    running.sort(key=lambda each: each.terms.expires)
    spans = {each.name: _spans(each) for each in running[:MOST_ROWS]}
    drawn = [span for found in spans.values() for span in found]
    first = max(min(today, *(start for _, start, _, _ in drawn)), today - _BACK) - _MARGIN
    last = min(max(today, *(end for _, _, end, _ in drawn)), today + _AHEAD) + _MARGIN

    def x(day: date) -> int:
        within = min(max(day, first), last)
        return round(WIDTH * (within - first) / (last - first))

    def bar(kind: str, start: date, end: date, safeguard: str) -> Bar:
        # A last day counts whole; a span outside of the picture leaves a trace at its edge.
        at, until = x(start), x(end + timedelta(days=1) if end < date.max else end)
        width = max(until - at, 4)
        return Bar(kind, min(at, WIDTH - width), width, start, end, safeguard)

    rows = [Row(each, [bar(*span) for span in spans[each.name]]) for each in running[:MOST_ROWS]]
    years = [(x(date(year, 1, 1)), year) for year in range(first.year + 1, last.year + 1)]
    return Timeline(first, last, x(today), years, rows, max(0, len(running) - MOST_ROWS))


def _spans(contract: Contract) -> list[tuple[str, date, date, str]]:
    terms = contract.terms
    spans = [("term", terms.effective, terms.expires, "")]
    if terms.due_diligence:
        found = terms.due_diligence
        spans.append(("due_diligence", found.on, found.expires, ""))
    spans.extend(
        ("safeguard", terms.effective, detail.expires, detail.safeguard)
        for detail in terms.safeguard_details
        if detail.expires
    )
    return spans
