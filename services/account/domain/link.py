"""Links of an account to identities, and the rule that keeps the last door open."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from runtime.fault import invalid
from services.account.domain import faults
from services.account.domain.profile import Import

_NAME = re.compile(r"(?P<account>accounts/[^/]+)/links/(?P<link>[0-9a-z]{26})")


@dataclass(frozen=True, slots=True)
class Link:
    """A link; `issuer` and `subject` belong to it alone in the whole region."""

    account: str
    link_id: str
    provider: str
    issuer: str
    subject: str = field(repr=False)
    linked: datetime
    imports: tuple[Import, ...] = field(default=(), repr=False)

    @property
    def name(self) -> str:
        """`accounts/{account}/links/{link}`."""
        return f"{self.account}/links/{self.link_id}"


def is_last_sign_in(link: Link, links: Sequence[Link], offered: frozenset[str]) -> bool:
    """Return whether no other link is a way to sign in.

    A link of a provider that is no longer on offer opens no door, so it does not count.
    """
    others = [other for other in links if other.link_id != link.link_id]
    return not any(other.provider in offered for other in others)


def require_another_sign_in(link: Link, links: Sequence[Link], offered: frozenset[str]) -> None:
    """Refuse with LAST_SIGN_IN to close the last door."""
    if is_last_sign_in(link, links, offered):
        raise faults.last_sign_in()


def split_name(name: str) -> tuple[str, str]:
    """Return account and link id of a link's name; INVALID_FIELD when it is none."""
    match = _NAME.fullmatch(name)
    if match is None:
        raise invalid("name", "must be accounts/{account}/links/{link}")
    return match["account"], match["link"]


def profile(links: Sequence[Link]) -> tuple[Import, ...]:
    """Return the current value of each field: the latest imported; older ones wait behind it.

    So a second provider overwrites nothing, and unlinking it brings the earlier value back.
    """
    latest: dict[object, Import] = {}
    for item in sorted((i for link in links for i in link.imports), key=lambda i: i.time):
        latest[item.value.field] = item
    return tuple(latest.values())
