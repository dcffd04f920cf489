"""Account and sharing agree which countries there are and whose home is where.

Each decides by its own copy, and neither may read the other's: so this compares them.
"""

from __future__ import annotations

from services.account.domain.home import COUNTRIES, home_region
from services.sharing.store.rulebook import load_rulebook

RULEBOOK = load_rulebook()


def test_account_and_the_rulebook_know_the_same_countries() -> None:
    assert set(RULEBOOK.places) == COUNTRIES


def test_account_and_the_rulebook_place_every_home_alike() -> None:
    by_rulebook = {country: place.home.lower() for country, place in RULEBOOK.places.items()}
    assert by_rulebook == {country: home_region(country) for country in COUNTRIES}
