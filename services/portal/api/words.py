"""Keys of the rules and names of recipients, in the words of the person's language."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from services.portal.api.catalog import Catalog
from services.portal.domain.sharing import Recipient, Vocabulary

ANYWHERE = "*"
EEA = "EEA"
_PLACE = re.compile(r"[A-Z]{2,3}|\*")


@dataclass(frozen=True)
class Words:
    """The vocabulary of the rules beside the portal's own catalog."""

    t: Catalog
    vocabulary: Vocabulary
    recipients: Mapping[str, Recipient] = field(default_factory=dict)

    def __call__(self, key: str) -> str:
        """Return the words for a key: the rules' own label, a category prefix's, or the key."""
        return self.vocabulary.label(self.t.language, key) or self.t.word("kind", key)

    def data(self, category: str) -> str:
        """Return the words for a category of data or a whole group of them.

        Groups are the portal's words: a purpose may be called by the same key.
        """
        group = f"group.{category}"
        return self.t(group) if self.t.has(group) else self(category)

    def data_of(self, groups: list[str]) -> str:
        """Return groups of data as a list in prose."""
        return self.t.join([self.data(group) for group in groups])

    def many(self, keys: list[str] | tuple[str, ...]) -> str:
        """Return several keys as a list in prose."""
        return self.t.join([self(key) for key in keys])

    def who(self, recipient: str) -> str:
        """Return the name of a recipient, or the words for a kind of recipients."""
        found = self.recipients.get(recipient)
        return found.display_name if found else self(recipient)

    def place(self, code: str) -> str:
        """Return the name of a jurisdiction: a country, the EEA, or anywhere."""
        if code in {ANYWHERE, EEA}:
            return self.t(f"place.{'anywhere' if code == ANYWHERE else 'eea'}")
        return self.t.territory(code)

    def any(self, values: Iterable[str]) -> str:
        """Return keys, places and names as a list in prose."""
        return self.t.join(
            [self.place(each) if _PLACE.fullmatch(each) else self(each) for each in values]
        )

    def options(self, keys: Iterable[str]) -> list[tuple[str, str]]:
        """Return keys with their words, as the options of a field."""
        return [(key, self(key)) for key in keys]

    def receivers(self) -> list[tuple[str, str]]:
        """Return every recipient with its name and kind, as the options of a field."""
        return [
            (each.name, f"{each.display_name} · {self(each.kind)}")
            for each in self.recipients.values()
        ]

    def notice(self, citation: str) -> str:
        """Return a citation with the notice's name in the place of its id."""
        notice, _, clause = citation.partition(" ")
        return f"{self(notice)} {clause}".strip()


class StaffWords(Words):
    """The words for staff: of the person, where the rules' own labels speak to the person."""

    def __call__(self, key: str) -> str:
        """Return the words for a key."""
        own = f"term_of.{key}"
        return self.t(own) if self.t.has(own) else super().__call__(key)
