"""The people who have accounts at the sandbox's providers, read from people.yaml."""

from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict

_FILE = Path(__file__).parent / "people.yaml"

Lie = Literal[
    "nonce",
    "audience",
    "algorithm",
    "symmetric",
    "issuer",
    "expired",
    "signature",
    "subject",
    "userinfo",
    "stale",
    "shared",
    "at_hash",
]


class GoogleAccount(BaseModel):
    """An account at Google's stand-in."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    sub: str
    email: str
    email_verified: bool = False
    hd: str | None = None
    quirk: Literal["bare_issuer"] | None = None
    lie: Lie | None = None


class FacebookAccount(BaseModel):
    """An account at Facebook's stand-in; people who signed up by phone have no email."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    id: str
    email: str | None = None


class Person(BaseModel):
    """Someone who can be picked on a provider's page."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    key: str
    given_name: str
    family_name: str
    colour: str
    google: GoogleAccount | None = None
    facebook: FacebookAccount | None = None

    @property
    def name(self) -> str:
        """The full name, family name first where that is the custom."""
        if self.family_name >= "\u3400":  # written in Chinese characters
            return self.family_name + self.given_name
        return f"{self.given_name} {self.family_name}"

    def portrait(self) -> str:
        """Draw the profile picture: the initial on the person's colour, as SVG."""
        return (
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 96 96" role="img">'
            f"<title>{escape(self.name)}</title>"
            f'<rect width="96" height="96" fill="{escape(self.colour)}"/>'
            '<text x="48" y="62" font-family="system-ui,sans-serif" font-size="40" fill="#fff"'
            f' text-anchor="middle">{escape(self.given_name[:1])}</text></svg>'
        )


@dataclass(frozen=True, slots=True)
class People:
    """Everyone of one run."""

    everyone: tuple[Person, ...]

    @classmethod
    def load(cls, *, hostile: bool = False) -> "People":
        """Read the file; with `hostile` the people whose tokens lie as well."""
        document = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
        rows = document["people"] + (document["hostile"] if hostile else [])
        return cls(tuple(Person.model_validate(row) for row in rows))

    def find(self, key: str) -> Person | None:
        """Return the person of that key."""
        return next((person for person in self.everyone if person.key == key), None)

    def at_google(self) -> list[tuple[Person, GoogleAccount]]:
        """Return those with an account at Google."""
        return [(person, person.google) for person in self.everyone if person.google]

    def at_facebook(self) -> list[tuple[Person, FacebookAccount]]:
        """Return those with an account at Facebook."""
        return [(person, person.facebook) for person in self.everyone if person.facebook]
