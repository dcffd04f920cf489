"""Whatever the portal asks consent for, the notice it names allows on that basis."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from services.portal.api.catalog import load_catalogs
from services.portal.domain.offers import NOTICE, OFFERS, Offer, find_offer

RULEBOOK = Path("services/sharing/rulebook")


def _rulebook(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((RULEBOOK / name).read_text(encoding="utf-8"))
    return loaded


def _covers(listed: list[str], category: str) -> bool:
    return any(category == each or category.startswith(f"{each}.") for each in listed)


@pytest.mark.parametrize("offer", OFFERS, ids=lambda offer: offer.key)
def test_a_row_of_the_notice_rests_the_offer_on_consent(offer: Offer) -> None:
    purpose = _rulebook("purposes.yaml")["purposes"][offer.purpose]
    rows = [
        row
        for row in _rulebook(f"notices/{NOTICE}.yaml")["rows"]
        if offer.kind in row["recipients"]
        and offer.purpose in row["purposes"]
        and row.get("basis", purpose["basis"]) == "consent"
    ]
    assert rows
    for category in offer.categories:
        assert any(
            _covers(
                purpose["needs"] if row["categories"] == "needed" else row["categories"], category
            )
            for row in rows
        )


@pytest.mark.parametrize("offer", OFFERS, ids=lambda offer: offer.key)
def test_an_offer_is_found_by_its_key_and_explained(offer: Offer) -> None:
    assert find_offer(offer.key) is offer
    for catalog in load_catalogs().values():
        assert catalog.has(f"offer.{offer.key}.title")
        assert catalog.has(f"offer.{offer.key}.text")


def test_an_unknown_key_finds_no_offer() -> None:
    assert find_offer("sale") is None
