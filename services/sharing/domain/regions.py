"""Where data is kept and who answers for it. Facts of the rulebook, each with its dates."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Term:
    """The days on which a fact holds: from `since` through `until`; None: still."""

    since: date = date.min
    until: date | None = None

    def holds(self, day: date) -> bool:
        """Tell whether the fact holds on a day."""
        return self.since <= day and (self.until is None or day <= self.until)

    def meets(self, other: "Term") -> bool:
        """Tell whether both hold on some day."""
        latest = max(self.since, other.since)
        return self.holds(latest) and other.holds(latest)


@dataclass(frozen=True, slots=True)
class Region:
    """A data center, by the country that it stands in."""

    key: str
    labels: Mapping[str, str]  # BCP 47 tag to text
    country: str
    term: Term


@dataclass(frozen=True, slots=True)
class Home:
    """The region of an area's people."""

    area: str
    region: str
    term: Term


@dataclass(frozen=True, slots=True)
class Controller:
    """Who is responsible for a person's data, and whom the person may complain to."""

    name: str
    processor: str  # of some of the data; empty: none
    complaint: str  # national_authority or grievance_officer
    services: frozenset[str]  # empty: all
    people: frozenset[str]  # countries or areas; empty: everyone
    term: Term

    def answers(self, service: str, areas: frozenset[str], day: date) -> bool:
        """Tell whether it answers for a service to people of a jurisdiction on a day."""
        return (
            (not self.services or service in self.services)
            and (not self.people or not self.people.isdisjoint(areas))
            and self.term.holds(day)
        )
