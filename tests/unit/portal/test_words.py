"""Staff read of the person what the rules say to the person; the person is spoken to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from services.portal.api.catalog import load_catalogs
from services.portal.api.words import StaffWords, Words
from services.portal.domain.language import LANGUAGES
from services.portal.domain.sharing import Vocabulary

RULES = Path("services/sharing/rulebook")
SPEAKS_TO_SOMEBODY = re.compile(r"\byou(r|rs|rself)?\b|您|你", re.IGNORECASE)
CATALOGS = load_catalogs()
PERSON = "delivery"


def _terms() -> Iterator[tuple[str, dict[str, str]]]:
    """Every key of the rules that has labels, with them."""
    for file in ("purposes", "categories", "kinds", "reasons", "services", "house"):
        for terms in yaml.safe_load((RULES / f"{file}.yaml").read_text(encoding="utf-8")).values():
            if isinstance(terms, dict):
                for key, term in terms.items():
                    if isinstance(term, dict) and "en" in term:
                        yield key, {language: term[language] for language in LANGUAGES}


TERMS = dict(_terms())
VOCABULARY = Vocabulary(
    digest="",
    services=[],
    kinds=[],
    purposes=[],
    categories=[],
    notices=[],
    safeguards=[],
    labels={
        (language, key): text for key, labels in TERMS.items() for language, text in labels.items()
    },
)


def test_the_rules_are_read_whole() -> None:
    assert {PERSON, "contact.email", "payment_provider", "CONSENT_MISSING"} <= TERMS.keys()
    assert len(TERMS) > 150


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_word_of_the_rules_speaks_to_staff_as_to_the_person(language: str) -> None:
    words = StaffWords(CATALOGS[language], VOCABULARY)
    told = {key: words(key) for key in TERMS}
    assert {key: text for key, text in told.items() if SPEAKS_TO_SOMEBODY.search(text)} == {}


def test_staff_have_no_words_for_what_the_rules_do_not_know() -> None:
    own = {key for key in CATALOGS["en"].messages if key.startswith("term_of.")}
    assert own <= {f"term_of.{key}" for key in TERMS}


def test_the_person_is_spoken_to_and_staff_are_told() -> None:
    english = CATALOGS["en"]
    assert Words(english, VOCABULARY)(PERSON) == "Delivering your order"
    assert StaffWords(english, VOCABULARY)(PERSON) == "Delivery of an order"
    assert (
        StaffWords(english, VOCABULARY).many([PERSON, "sale"])
        == "Delivery of an order and Sale of data"
    )
