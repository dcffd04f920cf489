"""Reads what our words mean in the W3C Data Privacy Vocabulary (`dpv.yaml`)."""

from collections.abc import Mapping
from typing import Any

from services.sharing.domain.concepts import Concept, Concepts
from services.sharing.domain.rulebook import RulebookError

FAMILIES = (
    "services",
    "kinds",
    "purposes",
    "categories",
    "bases",
    "consent_states",
    "indicators",
    "obligations",
    "safeguards",
)


def concepts_of(tree: Mapping[str, Any]) -> Concepts:
    """Return the concepts; RulebookError for a term that nobody has looked up."""
    prefixes: dict[str, str] = tree["prefixes"]
    known = {term: _expanded(term, prefixes) for term in tree["terms"]}

    def term(named: str) -> str:
        if named not in known:
            raise RulebookError(f"dpv.yaml: {named} is not among the terms that were looked up")
        return known[named]

    families = {
        family: {
            key: Concept(term(raw["iri"]))
            if "iri" in raw
            else Concept(f"{tree['own']}{family}.{key}", tuple(map(term, raw["broader"])))
            for key, raw in tree[family].items()
        }
        for family in FAMILIES
    }
    return Concepts({**prefixes, "accord": tree["own"]}, families)


def _expanded(term: str, prefixes: Mapping[str, str]) -> str:
    prefix, _, name = term.partition(":")
    if prefix not in prefixes:
        raise RulebookError(f"dpv.yaml: {term} has no prefix of a vocabulary")
    return prefixes[prefix] + name
