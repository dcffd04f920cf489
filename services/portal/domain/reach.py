"""Who has or could get a person's data, and the picture of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from itertools import groupby

from services.portal.domain.sharing import Ground, Recipient, last_part

# So many are drawn; the table below the picture holds all.
MOST_LINES = 12


class Hold(StrEnum):
    """How close a recipient is to the data; the value is the catalog's key."""

    SENT = "sent"  # it was sent there
    PERMITTED = "permitted"  # a permit was given, under which it may have been sent
    POSSIBLE = "possible"  # it would be permitted now


@dataclass(frozen=True)
class Holding:
    """What a recipient has for one purpose."""

    purpose: str
    categories: Sequence[str]
    disclosed: bool
    first: datetime
    last: datetime
    decision: str
    grounds: Sequence[Ground]


@dataclass(frozen=True)
class Prospect:
    """What a recipient could get for one purpose, if a service asked now."""

    purpose: str
    service: str
    grounds: Sequence[Ground]
    until: date | None
    relation_assumed: bool
    signed_in_assumed: bool
    de_identified_assumed: bool


@dataclass(frozen=True)
class Reached:
    """A recipient, with what it has and could get."""

    recipient: Recipient
    holdings: Sequence[Holding]
    prospects: Sequence[Prospect]

    @property
    def hold(self) -> Hold:
        """Return the closest that it is to the data."""
        if any(holding.disclosed for holding in self.holdings):
            return Hold.SENT
        return Hold.PERMITTED if self.holdings else Hold.POSSIBLE

    @property
    def groups(self) -> list[str]:
        """Return the groups of data concerned: of what it has, or else of what it could get."""
        had = [key for holding in self.holdings for key in holding.categories]
        could = [
            key for each in self.prospects for ground in each.grounds for key in ground.categories
        ]
        return list(dict.fromkeys(key.partition(".")[0] for key in had or could))


@dataclass(frozen=True)
class Use:
    """A line of the table: one recipient, one purpose, had or possible."""

    recipient: Recipient
    hold: Hold
    purpose: str
    categories: Sequence[str]
    services: Sequence[str]
    grounds: Sequence[Ground]
    assumed: Sequence[str]  # keys of what is assumed: relation, signed_in, de_identified
    first: datetime | None = None
    last: datetime | None = None
    until: date | None = None
    decision: str = ""

    @property
    def citations(self) -> list[str]:
        """Return each clause once."""
        return list(dict.fromkeys(ground.citation for ground in self.grounds))

    @property
    def bases(self) -> list[str]:
        """Return each legal basis once."""
        return list(dict.fromkeys(ground.basis.value for ground in self.grounds))


@dataclass(frozen=True)
class Map:
    """The picture and its table, the closest recipients first; `more`: some were not looked at."""

    drawn: Sequence[Reached]
    left_out: int  # recipients that the table holds and the picture does not
    uses: Sequence[Use]
    more: bool


def draw(reached: Sequence[Reached], *, more: bool) -> Map:
    """Order recipients by how close they are to the data, then by name."""
    closest = list(Hold)
    ordered = sorted(
        reached, key=lambda each: (closest.index(each.hold), each.recipient.display_name.casefold())
    )
    uses = [use for each in ordered for use in uses_of(each)]
    return Map(ordered[:MOST_LINES], max(0, len(ordered) - MOST_LINES), uses, more)


def uses_of(reached: Reached) -> list[Use]:
    """Return the lines of one recipient: what it has before what it could get."""
    return [*_had(reached), *_possible(reached)]


def _had(reached: Reached) -> Iterable[Use]:
    for each in sorted(reached.holdings, key=lambda holding: not holding.disclosed):
        yield Use(
            recipient=reached.recipient,
            hold=Hold.SENT if each.disclosed else Hold.PERMITTED,
            purpose=each.purpose,
            categories=each.categories,
            services=(),
            grounds=each.grounds,
            assumed=(),
            first=each.first,
            last=each.last,
            decision=last_part(each.decision),
        )


def _possible(reached: Reached) -> Iterable[Use]:
    """Put the services together that could share the same for the same purpose."""

    def alike(each: Prospect) -> tuple[object, ...]:
        return each.purpose, [ground.categories for ground in each.grounds], each.until or date.max

    for _, same in groupby(sorted(reached.prospects, key=alike), key=alike):
        each, *others = same
        assumed = {
            "relation": each.relation_assumed,
            "signed_in": each.signed_in_assumed,
            "de_identified": each.de_identified_assumed,
        }
        yield Use(
            recipient=reached.recipient,
            hold=Hold.POSSIBLE,
            purpose=each.purpose,
            categories=[key for ground in each.grounds for key in ground.categories],
            services=[each.service, *(other.service for other in others)],
            grounds=[*each.grounds, *(ground for other in others for ground in other.grounds)],
            assumed=[key for key, holds in assumed.items() if holds],
            until=each.until,
        )
