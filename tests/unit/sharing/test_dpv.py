"""No word of the rules is without its meaning in the W3C Data Privacy Vocabulary."""

from __future__ import annotations

import copy
import inspect
import re
from typing import Any

import pytest
import yaml
from google.protobuf.message import Message

from services.sharing.api.rulebook import RulebookServicer
from services.sharing.domain import receipt
from services.sharing.domain.rulebook import RulebookError
from services.sharing.store.concepts import FAMILIES, concepts_of
from services.sharing.store.rulebook import FOLDER
from tests.unit.sharing.facts import rulebook

TREE: dict[str, Any] = yaml.safe_load((FOLDER / "dpv.yaml").read_text())
LOOKED_UP = {
    TREE["prefixes"][term.partition(":")[0]] + term.partition(":")[2] for term in TREE["terms"]
}


@pytest.mark.parametrize("family", FAMILIES)
def test_every_word_has_a_term_that_was_looked_up_or_narrows_one(family: str) -> None:
    words = rulebook().concepts.families[family]
    assert words
    for key, concept in words.items():
        if concept.broader:
            assert concept.iri == f"{TREE['own']}{family}.{key}"
            assert set(concept.broader) <= LOOKED_UP
        else:
            assert concept.iri in LOOKED_UP


def test_the_vocabulary_shows_them_all() -> None:
    shown = list(_terms(RulebookServicer(rulebook())._vocabulary))
    things = {*rulebook().notices, *rulebook().regions}
    assert {term.key for term in shown if not term.iri} <= things
    told = {term.iri for term in shown if term.iri}
    known = {
        concept.iri
        for family in rulebook().concepts.families.values()
        for concept in family.values()
    }
    assert told == known


def _terms(message: Message) -> Any:
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for part in value if field.is_repeated else [value]:
            if field.message_type.name == "Term":
                yield part
            else:
                yield from _terms(part)


def test_no_word_may_be_left_out_and_none_invented() -> None:
    words = {family: set(known) for family, known in rulebook().concepts.families.items()}
    assert rulebook().concepts.problems(words) == []
    words["purposes"] = words["purposes"] - {"sale"} | {"gossip"}
    assert rulebook().concepts.problems(words) == [
        "purposes: gossip means nothing",
        "purposes: sale is no word",
    ]


def test_a_term_that_nobody_looked_up_is_refused() -> None:
    tree = copy.deepcopy(TREE)
    tree["purposes"]["sale"] = {"iri": "dpv:SellEverything"}
    with pytest.raises(RulebookError, match="dpv:SellEverything is not among"):
        concepts_of(tree)


def test_every_term_that_was_looked_up_is_used() -> None:
    used = {
        term
        for family in rulebook().concepts.families.values()
        for concept in family.values()
        for term in (concept.broader or (concept.iri,))
    }
    used |= {
        TREE["prefixes"]["dpv"] + term
        for term in re.findall(r'"dpv:(\w+)"', inspect.getsource(receipt))
    }
    assert LOOKED_UP - used == set()
