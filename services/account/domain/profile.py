"""What a person may import from a provider, and what a provider said about them."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from runtime.fault import invalid

MAX_VALUE = 1024


class Field(Enum):
    """A field of the profile, by its data category."""

    NICKNAME = "account.nickname"
    PICTURE = "account.picture"
    EMAIL = "contact.email"


@dataclass(frozen=True, slots=True)
class Value:
    """One value that a provider gave; `verified` only when it vouches for it with authority."""

    field: Field
    text: str
    verified: bool


@dataclass(frozen=True, slots=True)
class Import:
    """A value that the person chose to import, with its provenance."""

    value: Value
    provider: str
    time: datetime


@dataclass(frozen=True, slots=True)
class ProviderTokens:
    """What the provider gave us to act on the grant; sealed wherever it rests, never logged."""

    access: str = field(repr=False)
    refresh: str | None = field(repr=False)
    expires: datetime | None


@dataclass(frozen=True, slots=True)
class Identity:
    """A proven identity: issuer and subject are the key, an email never is."""

    provider: str
    issuer: str
    subject: str = field(repr=False)
    values: tuple[Value, ...] = field(repr=False)
    tokens: ProviderTokens = field(repr=False)

    def chosen(self, fields: frozenset[Field]) -> tuple[Value, ...]:
        """Return the values of the chosen fields; what the provider did not give is passed over."""
        return tuple(value for value in self.values if value.field in fields)


def sane(field: Field, text: object, *, verified: bool) -> tuple[Value, ...]:
    """Take a claim of a provider as a value, or as nothing when it cannot be one.

    A provider is outside: a claim may be of any type and length, and a picture that is no https
    address could run as a script on our pages.
    """
    if not isinstance(text, str) or not text.strip() or len(text) > MAX_VALUE:
        return ()
    text = " ".join(text.split())
    if any(not character.isprintable() for character in text):
        return ()
    if field is Field.PICTURE and not text.startswith("https://"):
        return ()
    if field is Field.EMAIL and text.count("@") != 1:
        return ()
    return (Value(field, text, verified),)


def choices(fields: list[Field]) -> frozenset[Field]:
    """Check a person's choice of fields."""
    chosen = frozenset(fields)
    if len(chosen) != len(fields):
        raise invalid("imports", "names a field twice")
    return chosen
