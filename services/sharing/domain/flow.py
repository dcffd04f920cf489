"""A flow: a kind of recipient, a purpose and categories, as the rules see them on one day.

Whoever it is about, this part of an answer is the same: it is worked out once and looked up then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from weakref import WeakKeyDictionary

from services.sharing.domain.compiled import Cell, Speaking
from services.sharing.domain.question import Answer, Ground, Question
from services.sharing.domain.records import Contract
from services.sharing.domain.rulebook import Kind, Purpose, Rulebook
from services.sharing.domain.vocabulary import STATISTICS, Basis, Obligation

# What callers ask for is bounded by these; when there is more, all is worked out anew.
_MOST_FLOWS = 1024
_MOST_ANSWERS = 8192  # about 1 kB each


class Answers(dict[tuple[object, ...], tuple[Sequence[Contract], Answer]]):
    """Answers by what they depend on, each with the contracts that it was found from.

    These are known by their identity: others, however alike, have an answer of their own. Nothing
    of it tells of a person.
    """

    def remember(self, key: tuple[object, ...], contracts: Sequence[Contract], got: Answer) -> None:
        """Keep an answer."""
        if len(self) >= _MOST_ANSWERS:
            self.clear()
        self[key] = (contracts, got)


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
    answers: Answers  # of all flows of the rulebook


_Key = tuple[str, str, str, tuple[str, ...], bool, date]
_KNOWN: "WeakKeyDictionary[Rulebook, tuple[dict[_Key, Flow], Answers]]" = WeakKeyDictionary()


def flow_of(rulebook: Rulebook, question: Question, kind: str, today: date) -> Flow:
    """Return the flow of a question to a kind of recipient."""
    key = (question.service, kind, question.purpose, question.categories, question.personal, today)
    known, answers = _KNOWN.get(rulebook) or _KNOWN.setdefault(rulebook, ({}, Answers()))
    flow = known.get(key)
    if flow is None:
        if len(known) >= _MOST_FLOWS:
            known.clear()
        flow = known[key] = _made(rulebook, key, answers)
    return flow


def _made(rulebook: Rulebook, key: _Key, answers: Answers) -> Flow:
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
        answers=answers,
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
