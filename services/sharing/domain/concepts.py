"""What our words mean in the W3C Data Privacy Vocabulary, so that others read our records."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Concept:
    """A word as linked data: a term of the vocabulary, or ours and the terms that it narrows."""

    iri: str
    broader: tuple[str, ...] = ()  # skos:broader; empty when the term is the vocabulary's own


@dataclass(frozen=True, slots=True)
class Concepts:
    """The concept of every word, by family (`purposes`) and key."""

    prefixes: Mapping[str, str]  # short names of the vocabularies, ours included, to their IRIs
    families: Mapping[str, Mapping[str, Concept]]

    def of(self, family: str, key: str) -> Concept:
        """Return the concept of a word.

        A word that the rules have retired stays on record: ours, of which no more is known.
        """
        known = self.families[family].get(key)
        return known or Concept(f"{self.prefixes['accord']}{family}.{key}")

    def short(self, iri: str) -> str:
        """Return a term by the short name of its vocabulary: `dpv:DirectMarketing`."""
        return next(
            f"{prefix}:{iri.removeprefix(vocabulary)}"
            for prefix, vocabulary in self.prefixes.items()
            if iri.startswith(vocabulary)
        )

    def problems(self, words: Mapping[str, Collection[str]]) -> list[str]:
        """Return what is missing or too much, against the words that the rules know."""
        found = []
        for family in sorted(words.keys() | self.families.keys()):
            known, mapped = set(words.get(family, ())), self.families.get(family, {}).keys()
            found += [f"{family}: {key} means nothing" for key in sorted(known - mapped)]
            found += [f"{family}: {key} is no word" for key in sorted(mapped - known)]
        return found
