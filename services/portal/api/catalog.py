"""The portal's words: one YAML catalog a language, loaded once, the same keys in each.

Messages are plain text with `{name}` places. Templates escape them like any other text, so a
catalog can neither carry markup nor be made to by a value.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import yaml
from babel import Locale
from babel.dates import format_date, format_datetime
from babel.lists import format_list

from services.portal.domain.language import LANGUAGES

_FOLDER = Path(__file__).parent / "catalogs"
_ALPHA_2 = re.compile(r"[A-Z]{2}")
_OWN_NAMES = {"en": "English", "zh-Hant": "繁體中文"}


@dataclass(frozen=True)
class Catalog:
    """One language: its messages, and how it writes days, times, countries and lists."""

    language: str
    messages: Mapping[str, str]
    locale: Locale

    def __call__(self, key: str, **values: object) -> str:
        """Return the message of a key with its places filled; KeyError for an unknown key."""
        return self.messages[key].format_map(values)

    def has(self, key: str) -> bool:
        """Tell whether there is a message of this key (words of the rulebook may be newer)."""
        return key in self.messages

    def word(self, family: str, key: str) -> str:
        """Return the plain words for a key of the domain, or the key itself when it has none.

        A key is sought as it stands (`category.contact.email`). New vocabulary thus shows as its
        key, which is correct though not pretty, and never as an error.
        """
        return self.messages.get(f"{family}.{key}", key)

    def count(self, key: str, number: int) -> str:
        """Return the message for a number of things, by the language's plural rule (CLDR)."""
        return self(f"{key}.{self.locale.plural_form(number)}", number=number)

    def day(self, day: date) -> str:
        """Write a calendar day out."""
        return format_date(day, self("format.day"), locale=self.locale)

    def moment(self, moment: datetime) -> str:
        """Write a moment out in UTC, to the minute; the zone is named."""
        there = moment.astimezone(UTC)
        return f"{format_datetime(there, self('format.moment'), locale=self.locale)} UTC"

    def instant(self, moment: datetime) -> str:
        """Write a moment out in UTC, to the second."""
        there = moment.astimezone(UTC)
        return f"{format_datetime(there, self('format.instant'), locale=self.locale)} UTC"

    def territory(self, code: str) -> str:
        """Return the name of a country (ISO 3166-1 alpha-2), or the code when it has none."""
        return str(self.locale.territories.get(code, code))

    def join(self, words: list[str]) -> str:
        """Write words as a list in prose."""
        return format_list(words, style="standard", locale=self.locale)

    def countries(self) -> list[tuple[str, str]]:
        """Return every country as (code, name), by name."""
        named = [
            (code, name)
            for code, name in self.locale.territories.items()
            if _ALPHA_2.fullmatch(code) and code not in _NO_COUNTRIES
        ]
        return sorted(named, key=lambda pair: pair[1])

    @property
    def own_name(self) -> str:
        """Return the language's name for itself."""
        return _OWN_NAMES[self.language]


# CLDR groupings, outlying places and private codes that are nobody's country of residence.
_NO_COUNTRIES = frozenset(
    {
        "EU",
        "EZ",
        "UN",
        "QO",
        "XA",
        "XB",
        "ZZ",
        "AC",
        "CP",
        "CQ",
        "DG",
        "EA",
        "IC",
        "TA",
        "AQ",
        "BV",
        "HM",
    }
)


def load_catalogs(folder: Path = _FOLDER) -> Mapping[str, Catalog]:
    """Load the catalog of every language; an exception when one is unusable."""
    return {
        language: Catalog(
            language,
            _flatten(yaml.safe_load((folder / f"{language}.yaml").read_text(encoding="utf-8"))),
            Locale.parse(language, sep="-"),
        )
        for language in LANGUAGES
    }


def _flatten(tree: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in tree.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            flat |= _flatten(value, f"{name}.")
        elif isinstance(value, str):
            flat[name] = value
        else:
            raise TypeError(f"{name} is no text")
    return flat
