"""Whose data a recipient has or could get, and how an officer ends a consent."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from services.portal.domain.reach import Reached, Use, uses_of
from services.portal.domain.sharing import last_part

_OF_ACCOUNT = re.compile(r"accounts/[a-z0-9-]{1,64}/consents/[A-Za-z0-9-]{1,64}")


class Wanted(StrEnum):
    """What to tell of; the value is the catalog's key."""

    ALL = "all"
    HAS = "has"
    MAY = "may"


class Ending(StrEnum):
    """How a consent ends in its person's place; the value is the catalog's key."""

    REVOKE = "revoke"
    INVALIDATE = "invalidate"


def may_end(consent: str) -> bool:
    """Tell whether a name is that of an account's consent: an officer ends no others."""
    return bool(_OF_ACCOUNT.fullmatch(consent))


@dataclass(frozen=True)
class Relied:
    """A consent that something rests on."""

    name: str
    purposes: Sequence[str]
    counts: bool | None  # it stands: data could go there now because of it; None: not asked

    @property
    def key(self) -> str:
        """Return the last part of the name."""
        return last_part(self.name)


@dataclass(frozen=True)
class Subject:
    """A person, by account or session, and what one recipient has or could get of them."""

    name: str
    reached: Reached
    wanted: Wanted  # of one that has data, what it could get was not asked

    @property
    def uses(self) -> Sequence[Use]:
        """Return what it has and what it could get, a line for each purpose."""
        return uses_of(self.reached)

    @property
    def consents(self) -> list[Relied]:
        """Return each consent that an officer may end, once; those that stand first."""
        could = [(each.purpose, each.grounds) for each in self.reached.prospects]
        had = [(each.purpose, each.grounds) for each in self.reached.holdings]
        standing = {ground.consent for _, grounds in could for ground in grounds}
        purposes: dict[str, dict[str, None]] = {}
        for purpose, grounds in (*could, *had):
            for ground in grounds:
                if may_end(ground.consent):
                    purposes.setdefault(ground.consent, {})[purpose] = None
        asked = self.wanted is not Wanted.HAS
        return [
            Relied(name, list(keys), name in standing if asked else None)
            for name, keys in purposes.items()
        ]
