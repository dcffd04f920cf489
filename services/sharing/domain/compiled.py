"""The rules as a decision looks things up in them; the rulebook compiles them once."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from services.sharing.domain.regions import Term
from services.sharing.domain.vocabulary import Basis, Obligation


@dataclass(frozen=True, slots=True)
class Cell:
    """What a notice says about one category towards one kind for one purpose."""

    citation: str
    basis: Basis
    interest_with_relation: tuple[str, ...]
    objectable: bool
    signed_in: bool
    obligations: tuple[Obligation, ...]


Cells = Mapping[str, Cell]  # by leaf category
_NO_CELLS: Cells = {}


@dataclass(frozen=True, slots=True)
class Speaking:
    """The notices that speak for a service on a day, merged."""

    cells: Mapping[tuple[str, str], Cells]  # by (kind, purpose)
    topics: Mapping[str, tuple[str, ...]]  # topic of a rule to citations
    versions: tuple[str, ...]  # of the notice that has earlier versions, up to the speaking one
    notices: tuple[str, ...]  # those that speak, the prevailing one first

    def covering(self, kind: str, purpose: str) -> Cells:
        """Return what the notices let a kind have for a purpose."""
        return self.cells.get((kind, purpose), _NO_CELLS)


@dataclass(frozen=True, slots=True)
class Place:
    """What the law of a jurisdiction says about data of its people."""

    country: str
    areas: frozenset[str]  # keys that a contract's origins may name for it
    homes: tuple[tuple[Term, str], ...]  # country of the data center
    safeguards: frozenset[str]
    localised: bool
    adult_age: int
    adequate: Mapping[str, tuple[Term, ...]]  # by country

    def home(self, day: date) -> str:
        """Return the country where the data of its people is kept on a day; empty: unknown."""
        return next((country for term, country in self.homes if term.holds(day)), "")
