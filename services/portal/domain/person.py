"""Who is at the portal, and what account keeps about them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum


class Role(StrEnum):
    """What somebody may do here; the value is the catalog's key."""

    PERSON = "person"
    OFFICER = "officer"
    AUDITOR = "auditor"
    OPERATOR = "operator"


class ProfileField(StrEnum):
    """A field that can be imported from a provider; the value is the catalog's key."""

    NICKNAME = "nickname"
    PICTURE = "picture"
    EMAIL = "email"


@dataclass(frozen=True)
class Person:
    """Somebody signed in. The token acts for them for at most 60 seconds, so it is never kept."""

    account: str
    token: str
    roles: frozenset[Role]
    nickname: str | None
    language: str
    country: str

    def may(self, role: Role) -> bool:
        """Tell whether the person holds a role. The peers decide; this only shapes the pages."""
        return role in self.roles


@dataclass(frozen=True)
class Provider:
    """An identity provider on offer, and what it may give."""

    key: str
    title: str
    fields: Sequence[ProfileField]


@dataclass(frozen=True)
class Departure:
    """A flow that has begun: where to send the browser, and the secret that binds it."""

    authorization_url: str
    flow_secret: str


@dataclass(frozen=True)
class Arrival:
    """What a provider sent back by way of the browser; absent parts are None."""

    provider: str
    state: str
    code: str | None
    issuer: str | None
    error: str | None


@dataclass(frozen=True)
class Session:
    """A session just begun, and when it ends whatever its use."""

    secret: str
    expires: datetime


@dataclass(frozen=True)
class Value:
    """One value from a provider: suggested for the form, or imported with its provenance."""

    field: ProfileField
    value: str
    verified: bool
    provider: str = ""
    imported: datetime | None = None


@dataclass(frozen=True)
class Registration:
    """A proven identity without an account, and what its provider suggests for the form."""

    secret: str
    provider: str
    provider_title: str
    suggestions: Sequence[Value]
    expires: datetime


@dataclass(frozen=True)
class SignUp:
    """What a person filled in to register."""

    country: str
    birth_date: date | None
    imports: Sequence[ProfileField]
    notice: str
    language: str


@dataclass(frozen=True)
class Account:
    """A person's own account."""

    name: str
    country: str
    birth_date: date | None
    profile: Sequence[Value]
    roles: frozenset[Role]
    since: datetime


@dataclass(frozen=True)
class Link:
    """A way to sign in, what came with it, and whether it can be ended now."""

    name: str
    provider: str
    provider_title: str
    since: datetime
    imports: Sequence[Value]
    last_sign_in: bool

    @property
    def key(self) -> str:
        """Return the last part of the name, for addresses inside the portal."""
        return self.name.rpartition("/")[2]


@dataclass(frozen=True)
class Invitation:
    """An open invitation of staff."""

    role: Role
    display_name: str
    expires: datetime
