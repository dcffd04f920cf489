"""The rules as data, compiled: what each notice lets whom have, and which law guards a border.

`services/sharing/store/rulebook` reads the YAML and makes the source types of this module;
`Rulebook` compiles them once, so that a decision only looks things up.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import combinations

from services.sharing.domain.compiled import Cell, Cells, Place, Speaking
from services.sharing.domain.concepts import Concepts
from services.sharing.domain.records import ConsentState, Indicator
from services.sharing.domain.regions import Controller, Home, Region, Term
from services.sharing.domain.vocabulary import TOPICS, Basis, Obligation, prefixes

Labels = Mapping[str, str]  # BCP 47 tag to text

# Where a rule about borders or age is the same for all.
EVERYWHERE = "*"


class RulebookError(Exception):
    """The rulebook contradicts itself; the process must not start."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of recipient and what it owes before anything is shared with it."""

    key: str
    labels: Labels
    contract: bool
    due_diligence: bool
    confidentiality: bool
    sensitive_prohibited: bool
    obligations: tuple[Obligation, ...]


@dataclass(frozen=True, slots=True)
class Purpose:
    """A purpose, the basis it rests on unless a row says otherwise, and what it needs."""

    key: str
    labels: Labels
    basis: Basis | None
    needs: tuple[str, ...]  # leaves or prefixes; empty: in no "what it needs" row
    prohibited: str  # topic of the rule that forbids it outright, or empty
    marketing: bool
    opt_out: str  # the opt-out that stops it, or empty
    relation: bool  # on basis contract the caller names what binds the person to it
    interest_with_relation: tuple[str, ...]  # areas where a relation makes it legitimate interest
    obligations: tuple[Obligation, ...]

    @property
    def objectable(self) -> bool:
        """Tell whether the purpose can rest on legitimate interest, so that one may object."""
        return self.basis is Basis.LEGITIMATE_INTEREST or bool(self.interest_with_relation)


@dataclass(frozen=True, slots=True)
class Category:
    """A leaf category of data."""

    key: str
    labels: Labels
    sensitive: bool
    personal: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a notice, as written. Empty tuples of purposes or categories mean any."""

    clause: str
    recipients: tuple[str, ...]  # kinds or kind prefixes
    purposes: tuple[str, ...]
    categories: tuple[str, ...] | None  # leaves or prefixes; None: what the purpose needs
    sensitive: bool  # whether "any" includes sensitive categories
    basis: Basis | None  # None: the purpose's own
    objectable: bool
    signed_in: bool
    obligations: tuple[Obligation, ...]


@dataclass(frozen=True, slots=True)
class Notice:
    """A version of a notice. Undated ones are always in force."""

    id: str
    labels: Labels
    effective: date | None
    topics: Mapping[str, str]  # topic of a rule to the clause that states it
    counts_as: Mapping[str, str]  # a kind that the notice does not name, to the one it falls under
    rows: tuple[Row, ...]
    inbound: tuple[Row, ...] = ()  # what only comes in; the recipients of these are who sends


@dataclass(frozen=True, slots=True)
class Service:
    """What data is shared for, and the notices that speak for it, the prevailing one first.

    Of each lineage (versions of one notice, oldest first) the latest in force speaks.
    """

    key: str
    labels: Labels
    lineages: tuple[tuple[str, ...], ...]
    guests: bool


@dataclass(frozen=True, slots=True)
class Area:
    """People of some jurisdictions: which safeguards let their data cross the border."""

    key: str
    countries: frozenset[str]
    safeguards: frozenset[str]  # empty: none needed beyond the named destination
    localised: bool  # the storage of record never leaves
    adult_age: int


@dataclass(frozen=True, slots=True)
class Adequacy:
    """A recognised level of protection between areas."""

    origins: str
    destinations: str
    term: Term


class Rulebook:
    """All rules, checked and compiled. Immutable after construction."""

    def __init__(
        self,
        *,
        digest: str,
        kinds: Iterable[Kind],
        purposes: Iterable[Purpose],
        categories: Iterable[Category],
        services: Iterable[Service],
        notices: Iterable[Notice],
        areas: Iterable[Area],
        countries: Iterable[str],
        adequacy: Sequence[Adequacy],
        regions: Iterable[Region],
        homes: Sequence[Home],
        controllers: Iterable[Controller],
        safeguards: Mapping[str, Labels],
        house: Mapping[str, tuple[str, ...]],
        reasons: Mapping[str, Labels],
        concepts: Concepts,
    ) -> None:
        self.digest = digest
        self.kinds = {kind.key: kind for kind in kinds}
        self.purposes = {purpose.key: purpose for purpose in purposes}
        self.categories = {category.key: category for category in categories}
        self.services = {service.key: service for service in services}
        self.notices = {notice.id: notice for notice in notices}
        self.regions = {region.key: region for region in regions}
        self.controllers = tuple(controllers)
        self.safeguards = dict(safeguards)
        self.reasons = dict(reasons)
        self.concepts = concepts
        self.category_keys = {key: prefixes(key) for key in self.categories}
        self.category_scopes = frozenset().union(*self.category_keys.values())
        self.kind_keys = {key: prefixes(key) for key in self.kinds}
        self.kind_scopes = frozenset().union(*self.kind_keys.values())
        self._areas = {area.key: area for area in areas}
        self._homes = tuple(homes)
        self._house = dict(house)
        countries = frozenset(countries)
        self._check_keys()
        self._check_homes(countries)
        self.cells = {notice.id: self._compile(notice) for notice in self.notices.values()}
        self._speaking = {
            service.key: self._timeline(service) for service in self.services.values()
        }
        self._check_topics()
        self.places = {country: self._place(country, adequacy) for country in countries}
        self.area_countries = {
            area.key: area.countries for area in self._areas.values() if area.countries
        }

    def speaking(self, service: str, today: date) -> Speaking:
        """Return the notices that speak for a service on a day."""
        timeline = self._speaking[service]
        for since, speaking in timeline:
            if since <= today:
                return speaking
        raise AssertionError("a timeline begins at the first day there is")

    def in_force(self, versions: Sequence[str], day: date) -> str:
        """Return the version of a notice in force on a day; the oldest when it was before all."""
        for notice_id in reversed(versions):
            effective = self.notices[notice_id].effective
            if effective is None or effective <= day:
                return notice_id
        return versions[0]

    def controller(self, service: str, country: str, day: date) -> Controller:
        """Return who answers for a service to people of a country on a day."""
        areas = self.places[country].areas
        return next(found for found in self.controllers if found.answers(service, areas, day))

    def _compile(self, notice: Notice) -> dict[tuple[str, str], dict[str, Cell]]:
        """Let the first row that reaches a category decide it."""
        cells: dict[tuple[str, str], dict[str, Cell]] = {}
        for row in notice.rows:
            for kind, purpose, categories in self.reach(notice, row):
                here = cells.setdefault((kind.key, purpose.key), {})
                cell = _cell(notice, row, kind, purpose)
                for category in categories:
                    here.setdefault(category, cell)
        return cells

    def reach(self, notice: Notice, row: Row) -> Iterator[tuple[Kind, Purpose, list[str]]]:
        """Yield which categories a row lets a kind have for a purpose, earlier rows aside."""
        for kind in self.kinds.values():
            named = self.kind_keys[kind.key] | prefixes(notice.counts_as.get(kind.key, ""))
            if named.isdisjoint(row.recipients):
                continue
            for purpose in self._purposes_of(row):
                yield kind, purpose, self._categories_of(row, purpose)

    def _purposes_of(self, row: Row) -> list[Purpose]:
        if row.purposes:
            return [self.purposes[key] for key in row.purposes]
        # "Any that the person asks for": what the law orders and what is about nobody is not
        # theirs to ask for.
        others = {Basis.LEGAL_OBLIGATION, Basis.NOT_PERSONAL}
        return [purpose for purpose in self.purposes.values() if purpose.basis not in others]

    def _categories_of(self, row: Row, purpose: Purpose) -> list[str]:
        wanted = purpose.needs if row.categories is None else row.categories
        anything = row.categories == ()
        return [
            category.key
            for category in self.categories.values()
            if (anything or not self.category_keys[category.key].isdisjoint(wanted))
            and (row.sensitive or not category.sensitive)
        ]

    def _timeline(self, service: Service) -> list[tuple[date, Speaking]]:
        days = {date.min}
        for lineage in service.lineages:
            for notice_id in lineage:
                effective = self.notices[notice_id].effective
                days.add(effective or date.min)
        return [(day, self._speak(service, day)) for day in sorted(days, reverse=True)]

    def _speak(self, service: Service, day: date) -> Speaking:
        cells: dict[tuple[str, str], Cells] = {}
        versions: tuple[str, ...] = ()
        in_force: list[Notice] = []
        for lineage in service.lineages:
            known = [
                notice_id
                for notice_id in lineage
                if (effective := self.notices[notice_id].effective) is None or effective <= day
            ]
            if known:
                in_force.append(self.notices[known[-1]])
            if len(known) > 1:
                versions = tuple(known)
        # The prevailing notice comes last: its rows replace those of the same kind and purpose.
        for notice in reversed(in_force):
            cells.update(self.cells[notice.id])
        topics = {key: self._cited(key, service, in_force) for key in self._house}
        speaking = tuple(notice.id for notice in in_force)
        return Speaking(cells=cells, topics=topics, versions=versions, notices=speaking)

    def _cited(self, topic: str, service: Service, in_force: Sequence[Notice]) -> tuple[str, ...]:
        """Return where a rule is written: in the notices that speak, and in general.

        Another version of a notice that speaks says nothing besides, and where sharing is written
        every service says for itself.
        """
        said = [f"{n.id} {n.topics[topic]}" for n in in_force if topic in n.topics]
        if said and topic == "sharing":
            return tuple(said)
        own = {notice_id for lineage in service.lineages for notice_id in lineage}
        general = [at for at in self._house[topic] if at.partition(" ")[0] not in own]
        return tuple(said + general) or self._house[topic]

    def _place(self, country: str, adequacy: Sequence[Adequacy]) -> Place:
        area = next(
            (area for area in self._areas.values() if country in area.countries),
            self._areas[EVERYWHERE],
        )
        always = Term()
        adequate: dict[str, tuple[Term, ...]] = dict.fromkeys(area.countries, (always,))
        for fact in adequacy:
            if fact.origins == area.key:
                for member in self._areas[fact.destinations].countries:
                    adequate[member] = (*adequate.get(member, ()), fact.term)
        return Place(
            country=country,
            areas=frozenset({EVERYWHERE, country, area.key}),
            homes=tuple(
                (home.term, self.regions[home.region].country)
                for home in self._homes
                if home.area == area.key
            ),
            safeguards=area.safeguards,
            localised=area.localised,
            adult_age=area.adult_age,
            adequate=adequate,
        )

    def _check_keys(self) -> None:
        problems = self.concepts.problems(
            {
                "services": self.services,
                "kinds": self.kind_scopes,
                "purposes": self.purposes,
                "categories": self.category_scopes,
                "bases": list(Basis),
                "consent_states": list(ConsentState),
                "indicators": list(Indicator),
                "obligations": list(Obligation),
                "safeguards": self.safeguards,
            }
        )
        if problems:
            raise RulebookError(f"dpv.yaml: {'; '.join(problems)}")
        for notice in self.notices.values():
            _known(notice.id, {*notice.counts_as, *notice.counts_as.values()}, self.kinds)
            if "sharing" not in notice.topics:
                raise RulebookError(f"{notice.id} does not say where it speaks of sharing")
            for row in (*notice.rows, *notice.inbound):
                where = f"{notice.id} {row.clause}"
                _known(where, row.recipients, self.kind_scopes)
                _known(where, row.purposes, self.purposes)
                _known(where, row.categories or (), self.category_scopes)
        for purpose in self.purposes.values():
            _known(purpose.key, purpose.needs, self.category_scopes)
        for service in self.services.values():
            for lineage in service.lineages:
                _known(service.key, lineage, self.notices)

    def _check_topics(self) -> None:
        """Refuse a service for which some rule is written nowhere: a reason needs its clause."""
        for service, timeline in self._speaking.items():
            for _, speaking in timeline:
                silent = TOPICS - speaking.topics.keys()
                if silent:
                    raise RulebookError(f"{service}: nowhere written: {', '.join(sorted(silent))}")

    def _check_homes(self, countries: frozenset[str]) -> None:
        """Refuse people without a home today or with two on one day, and a home that is closed."""
        people = self._areas.keys() | countries
        for controller in self.controllers:
            _known(controller.name, controller.services, self.services)
            _known(controller.name, controller.people, people)
        if not any(found.answers("", frozenset(), date.max) for found in self.controllers):
            raise RulebookError("regions: the last controller must answer for all")
        for home in self._homes:
            _known("homes", [home.area], self._areas)
            _known("homes", [home.region], self.regions)
            if home.term.until is None and self.regions[home.region].term.until is not None:
                raise RulebookError(f"homes: {home.region} is closed")
        for key in self._areas:
            terms = [home.term for home in self._homes if home.area == key]
            if not any(term.until is None for term in terms):
                raise RulebookError(f"homes: {key} has none")
            if any(a.meets(b) for a, b in combinations(terms, 2)):
                raise RulebookError(f"homes: {key} has two on one day")


def _cell(notice: Notice, row: Row, kind: Kind, purpose: Purpose) -> Cell:
    basis = row.basis or purpose.basis
    if basis is None:
        # Only "any purpose" rows get here with a forbidden purpose; gate 1 denies it anyway.
        raise RulebookError(f"{notice.id} {row.clause}: {purpose.key} rests on no basis")
    return Cell(
        citation=f"{notice.id} {row.clause}",
        basis=basis,
        interest_with_relation=() if row.basis else purpose.interest_with_relation,
        objectable=row.objectable,
        signed_in=row.signed_in,
        obligations=tuple(dict.fromkeys(kind.obligations + purpose.obligations + row.obligations)),
    )


def _known(where: str, keys: Iterable[str], known: Iterable[str]) -> None:
    unknown = sorted(set(keys) - set(known))
    if unknown:
        raise RulebookError(f"{where}: unknown {', '.join(unknown)}")
