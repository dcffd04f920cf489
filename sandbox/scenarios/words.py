"""The words of a scenario: ids that the file chose, and keys that the rulebook knows."""

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping
from datetime import date

from sandbox.scenarios.reading import FileError, Part
from services.sharing.domain.rulebook import EVERYWHERE, Rulebook

_BELOW = ".*"
_PLAIN = re.compile(r"[a-z][a-z0-9-]{1,39}")
_SAID_FOR = {"UK": "GB"}  # people say UK, ISO 3166-1 says GB


class Words:
    """What one scenario declares, beside what the rulebook does."""

    def __init__(self, rulebook: Rulebook) -> None:
        self.rulebook = rulebook
        self.areas = {EVERYWHERE, *rulebook.places, *rulebook.area_countries}
        self.somewhere = "nl"  # a region for questions about nobody; that of the first account
        self._accounts: dict[str, str] = {}
        self._declared: dict[str, dict[str, str]] = {}

    def declare_account(self, part: Part, region: str) -> str:
        """Give an account its name, which tells its home region."""
        _once(part, self._accounts)
        if not self._accounts:
            self.somewhere = region
        return self._accounts.setdefault(part.text(), _account(part.text(), region))

    def declare(self, collection: str, part: Part) -> str:
        """Give a recipient, a contract or an instrument its name."""
        known = self._declared.setdefault(collection, {})
        _once(part, known)
        return known.setdefault(part.text(), _name(collection, part.text()))

    def account(self, part: Part) -> str:
        """Return the name of an account; one that is not declared is one that nobody has."""
        return self._accounts.get(part.text()) or _account(part.text(), self.somewhere)

    def declared(self, collection: str, part: Part) -> str:
        """Return the name of what the file declares."""
        known = self._declared.get(collection, {})
        if part.text() not in known:
            raise part.wrong(f"{part.text()}: not declared among {collection}")
        return known[part.text()]

    def recipient_scope(self, part: Part) -> str:
        """Return the name of a recipient, or a kind or a kind prefix."""
        known = self._declared.get("recipients", {})
        if part.text() in known:
            return known[part.text()]
        scope = part.text().removesuffix(_BELOW)
        if scope not in self.rulebook.kind_scopes:
            raise part.wrong(f"{part.text()}: neither a recipient declared here nor a kind")
        return scope

    def categories(self, parts: Iterable[Part]) -> list[str]:
        """Read categories or prefixes of categories; `contact.*` says the same as `contact`."""
        known = self.rulebook.category_scopes
        scopes = []
        for part in parts:
            scope = part.text().removesuffix(_BELOW)
            if scope not in known:
                raise _unknown(part, known)
            scopes.append(scope)
        return scopes

    def country(self, part: Part) -> str:
        """Return a country's code."""
        code = _SAID_FOR.get(part.text(), part.text())
        if code not in self.rulebook.places:
            raise part.wrong(f"{part.text()}: no country of ISO 3166-1")
        return code

    def region(self, country: str) -> str:
        """Return the home region of the people of a country; of what is none: any."""
        place = self.rulebook.places.get(_SAID_FOR.get(country, country))
        home = place.home(date.max) if place else ""
        regions = self.rulebook.regions.values()
        return next((region.key for region in regions if region.country == home), self.somewhere)


def key(part: Part, known: Collection[str]) -> str:
    """Read a key that the rulebook knows."""
    if part.text() not in known:
        raise _unknown(part, known)
    return part.text()


def keys(parts: Iterable[Part], known: Collection[str]) -> list[str]:
    """Read keys that the rulebook knows."""
    return [key(part, known) for part in parts]


def _unknown(part: Part, known: Iterable[str]) -> FileError:
    return part.wrong(f"{part.text()}: unknown key; known are {', '.join(sorted(known))}")


def _once(part: Part, known: Mapping[str, str]) -> None:
    if part.text() in known:
        raise part.wrong(f"{part.text()}: declared twice")


def _account(chosen: str, region: str) -> str:
    return f"accounts/{region}-{hashlib.sha256(chosen.encode()).hexdigest()[:26]}"


def _name(collection: str, chosen: str) -> str:
    """Keep an id that the service would take; derive one from any other."""
    if not _PLAIN.fullmatch(chosen):
        chosen = f"x{hashlib.sha256(chosen.encode()).hexdigest()[:30]}"
    return f"{collection}/{chosen}"
