"""A flow: a kind of recipient, a purpose and categories, as the rules see them on one day.

Whoever it is about, this part of an answer is the same: it is worked out once and looked up then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from weakref import WeakKeyDictionary

from services.sharing.domain.compiled import Cell, Speaking
from services.sharing.domain.question import Ground, Question
from services.sharing.domain.records import ContractState, Terms
from services.sharing.domain.rulebook import Kind, Purpose, Rulebook
from services.sharing.domain.vocabulary import STATISTICS, Basis, Obligation, Reason

# What callers ask for is bounded by these; when there is more, all is worked out anew.
_MOST_FLOWS = 1024
_MOST_VERDICTS = 1024

# Terms by their identity, which the value keeps alive; state; the person's and the data's country;
# the flow's categories, or one of them alone.
VerdictKey = tuple[int, ContractState, str, str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, eq=False)
class Flow:
    """What holds of every question of the flow."""

    purpose: Purpose
    kind: Kind
    speaking: Speaking
    cells: Mapping[str, Cell]  # of the categories that a row covers
    bases: Mapping[str, Basis | None]  # what each category rests on, no relation being named
    resting: Sequence[str]  # categories of rows on consent, the same
    related: frozenset[str]  # areas whose people have another basis when a relation is named
    uncovered: tuple[str, ...]  # categories in no row
    sensitive: tuple[str, ...]
    hidden: tuple[str, ...]  # categories of rows for people who are signed in
    owed: tuple[Obligation, ...]
    grounds: tuple[Ground, ...]  # of a permit that rests on no consent and no relation
    verdicts: dict[VerdictKey, tuple[Terms, Sequence[Reason]]] = field(default_factory=dict)

    def remember(self, key: VerdictKey, terms: Terms, failing: Sequence[Reason]) -> None:
        """Keep why a contract fails; nothing of it tells of a person."""
        if len(self.verdicts) >= _MOST_VERDICTS:
            self.verdicts.clear()
        self.verdicts[key] = (terms, failing)


_Key = tuple[str, str, str, tuple[str, ...], bool, date]
_KNOWN: "WeakKeyDictionary[Rulebook, dict[_Key, Flow]]" = WeakKeyDictionary()


def flow_of(rulebook: Rulebook, question: Question, kind: str, today: date) -> Flow:
    """Return the flow of a question to a kind of recipient."""
    key = (question.service, kind, question.purpose, question.categories, question.personal, today)
    known = _KNOWN.setdefault(rulebook, {})
    flow = known.get(key)
    if flow is None:
        if len(known) >= _MOST_FLOWS:
            known.clear()
        flow = known[key] = _made(rulebook, key)
    return flow


def _made(rulebook: Rulebook, key: _Key) -> Flow:
    service, kind, purpose_key, categories, personal, today = key
    purpose, speaking = rulebook.purposes[purpose_key], rulebook.speaking(service, today)
    # Statistics are about nobody: with a person named no row covers them.
    covering = (
        {} if purpose_key == STATISTICS and personal else speaking.covering(kind, purpose_key)
    )
    cells = {key: covering[key] for key in categories if key in covering}
    sources = {key: cells.get(key) or purpose for key in categories}
    bases = {key: source.basis for key, source in sources.items()}
    return Flow(
        purpose=purpose,
        kind=rulebook.kinds[kind],
        speaking=speaking,
        cells=cells,
        bases=bases,
        resting=resting_on_consent(cells, bases),
        related=frozenset().union(*(each.interest_with_relation for each in sources.values())),
        uncovered=tuple(key for key in categories if key not in cells),
        sensitive=tuple(key for key in categories if rulebook.categories[key].sensitive),
        hidden=tuple(key for key, cell in cells.items() if cell.signed_in),
        owed=tuple(dict.fromkeys(duty for cell in cells.values() for duty in cell.obligations)),
        grounds=_grounds(cells, bases),
    )


def resting_on_consent(
    cells: Mapping[str, Cell], bases: Mapping[str, Basis | None]
) -> tuple[str, ...]:
    """Return the categories of rows that rest on consent."""
    return tuple(key for key in cells if bases[key] is Basis.CONSENT)


def _grounds(cells: Mapping[str, Cell], bases: Mapping[str, Basis | None]) -> tuple[Ground, ...]:
    grounds: dict[tuple[str, Basis], list[str]] = {}
    for category, cell in cells.items():
        grounds.setdefault((cell.citation, bases[category] or cell.basis), []).append(category)
    return tuple(
        Ground(tuple(categories), citation, basis)
        for (citation, basis), categories in grounds.items()
    )
