"""Account, portal and sharing agree on countries, homes and the notice in force.

Each decides by its own copy, and none may read another's: so this compares them.
"""

from __future__ import annotations

from datetime import date

from services.account.domain.account import NOTICE
from services.account.domain.home import COUNTRIES, home_region
from services.portal.domain import offers
from services.sharing.store.rulebook import load_rulebook

RULEBOOK = load_rulebook()


def test_account_and_the_rulebook_know_the_same_countries() -> None:
    assert set(RULEBOOK.places) == COUNTRIES


def test_account_and_the_rulebook_place_every_home_alike() -> None:
    by_rulebook = {
        country: place.home(date.max).lower() for country, place in RULEBOOK.places.items()
    }
    assert by_rulebook == {country: home_region(country) for country in COUNTRIES}


def test_the_notice_that_is_shown_is_the_one_that_must_be_accepted_and_speaks_today() -> None:
    assert offers.NOTICE == NOTICE
    # Of mi.com's notice, the one with versions, this is the newest.
    assert RULEBOOK.speaking("mi_com", date.max).versions[-1] == NOTICE
