"""Reads the rulebook's YAML, holds it against its schema, and compiles it.

Digest: SHA-256 over the JSON of all files (keys sorted, no spaces, UTF-8), so that it changes
with what a file says and not with how it is laid out.
"""

import hashlib
import json
import re
from collections.abc import Hashable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from services.sharing.domain.regions import Controller, Home, Region, Term
from services.sharing.domain.rulebook import (
    Adequacy,
    Area,
    Category,
    Kind,
    Labels,
    Notice,
    Purpose,
    Row,
    Rulebook,
    RulebookError,
    Service,
)
from services.sharing.domain.vocabulary import Basis, Obligation, Reason
from services.sharing.store.concepts import concepts_of

FOLDER = Path(__file__).parent.parent / "rulebook"
_FILES = (
    "kinds",
    "purposes",
    "categories",
    "services",
    "borders",
    "regions",
    "house",
    "reasons",
    "dpv",
)
_NOTICE = re.compile(r"notices/[^/]+\.yaml")
_LANGUAGES = ("en", "zh-Hant")
_NAMED_CATEGORIES: dict[str, tuple[str, ...] | None] = {
    "needed": None,
    "any": (),
    "any_not_sensitive": (),
}

_TEXT = "tag:yaml.org,2002:str"

# A parsed YAML mapping, before the schema; afterwards its shape is what the schema says.
Tree = dict[str, Any]


class RulebookLoader(yaml.SafeLoader):
    """YAML where days stay text and `NO` is Norway: only true and false are booleans.

    Without aliases, whose expansion has no bound, and with each key once.
    """

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Refuse an alias."""
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]  # the library has no types
            raise yaml.composer.ComposerError(
                None, None, "aliases are not allowed", event.start_mark
            )
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002  the library's signature
        """Refuse a key that is no text, and one that is written twice."""
        seen: set[str] = set()
        for key, _ in node.value:
            if key.tag != _TEXT:
                raise yaml.constructor.ConstructorError(
                    None, None, "a key must be text", key.start_mark
                )
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key.value} is written twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


_BOOL, _DAY = "tag:yaml.org,2002:bool", "tag:yaml.org,2002:timestamp"
RulebookLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in {_BOOL, _DAY}]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
RulebookLoader.add_implicit_resolver(_BOOL, re.compile("^(?:true|false)$"), ["t", "f"])

# The files of a rulebook by their path within its folder: `kinds.yaml`, `notices/live-chat.yaml`.
Files = Mapping[str, bytes]


def load_rulebook(folder: Path = FOLDER) -> Rulebook:
    """Load, check and compile a folder; RulebookError says what is wrong and where."""
    return compile_rulebook(read_files(folder))


def read_files(folder: Path) -> Files:
    """Read the files that hold rules; RulebookError when one cannot be read."""
    known = [path for name in _FILES if (path := folder / f"{name}.yaml").exists()]
    try:
        return {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in (*known, *sorted(folder.glob("notices/*.yaml")))
        }
    except OSError as error:
        raise RulebookError(f"{folder}: {error.strerror}") from error


def parse_file(name: str, content: bytes) -> Tree:
    """Parse one file; RulebookError for what is no mapping."""
    try:
        tree = yaml.load(content.decode(), Loader=RulebookLoader)  # noqa: S506  it is safe
    # What a tag says that its value is not, PyYAML tells by whichever error Python has for it.
    except (yaml.YAMLError, RecursionError, ValueError, LookupError, AttributeError) as error:
        raise RulebookError(f"{name}: {error}") from error
    if not isinstance(tree, dict):
        raise RulebookError(f"{name}: a mapping is needed")
    return tree


def join_files(trees: Mapping[str, Tree]) -> Tree:
    """Join parsed files as the schema sees them; RulebookError for one too many or too few."""
    notices = sorted(name for name in trees if _NOTICE.fullmatch(name))
    strange = trees.keys() - set(notices) - {f"{name}.yaml" for name in _FILES}
    if strange:
        raise RulebookError(f"{min(strange)}: is no file of a rulebook")
    missing = [name for name in _FILES if f"{name}.yaml" not in trees]
    if missing:
        raise RulebookError(f"{missing[0]}.yaml: is missing")
    tree: Tree = {name: trees[f"{name}.yaml"] for name in _FILES}
    return tree | {"notices": [trees[name] for name in notices]}


def schema_errors(tree: Tree) -> Iterator[jsonschema.ValidationError]:
    """Hold a joined tree against the schema."""
    schema = json.loads((FOLDER / "rulebook.schema.json").read_text(encoding="utf-8"))
    errors: Iterator[jsonschema.ValidationError] = jsonschema.Draft202012Validator(
        schema
    ).iter_errors(tree)
    return errors


def compile_rulebook(files: Files) -> Rulebook:
    """Check and compile the files of a rulebook; RulebookError says what is wrong and where."""
    tree = join_files({name: parse_file(name, content) for name, content in files.items()})
    error = jsonschema.exceptions.best_match(schema_errors(tree))
    if error:
        raise RulebookError(f"{'/'.join(map(str, error.absolute_path))}: {error.message}")
    return compile_tree(tree)


def compile_tree(tree: Tree) -> Rulebook:
    """Compile joined files in which the schema finds nothing; RulebookError as for files."""
    try:
        return _compiled(tree)
    except (KeyError, ValueError) as error:  # a word or a day that the schema cannot know of
        raise RulebookError(f"unknown or impossible: {error}") from error


def _compiled(tree: Tree) -> Rulebook:
    canonical = json.dumps(tree, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    borders = tree["borders"]
    _check_reasons(tree["reasons"]["reasons"])
    return Rulebook(
        digest=hashlib.sha256(canonical.encode()).hexdigest(),
        kinds=[_kind(key, raw) for key, raw in tree["kinds"]["kinds"].items()],
        purposes=[_purpose(key, raw) for key, raw in tree["purposes"]["purposes"].items()],
        categories=[
            Category(key, _labels(raw), raw.get("sensitive", False), raw.get("personal", True))
            for key, raw in tree["categories"]["categories"].items()
        ],
        services=[
            Service(
                key,
                _labels(raw),
                tuple(map(tuple, raw["notices"])),
                guests=raw.get("guests", False),
            )
            for key, raw in tree["services"]["services"].items()
        ],
        notices=[_notice(raw) for raw in tree["notices"]],
        areas=[_area(key, raw, borders["adult_age"]) for key, raw in borders["areas"].items()],
        countries=borders["countries"].split(),
        adequacy=[_adequacy(raw) for raw in borders["adequacy"]],
        regions=[
            Region(key, _labels(raw), raw["country"], _term(raw))
            for key, raw in tree["regions"]["regions"].items()
        ],
        homes=[
            Home(area, raw["region"], _term(raw))
            for raw in tree["regions"]["homes"]
            for area in raw["areas"]
        ],
        controllers=[_controller(raw) for raw in tree["regions"]["controllers"]],
        safeguards={key: _labels(raw) for key, raw in borders["safeguards"].items()},
        house={key: tuple(cited) for key, cited in tree["house"]["topics"].items()},
        reasons={key: _labels(raw) for key, raw in tree["reasons"]["reasons"].items()},
        concepts=concepts_of(tree["dpv"]),
    )


def _check_reasons(labelled: Tree) -> None:
    differing = set(labelled) ^ {reason.value for reason in Reason}
    if differing:
        raise RulebookError(f"reasons.yaml: {', '.join(sorted(differing))}")


def _labels(raw: Tree) -> Labels:
    return {language: raw[language] for language in _LANGUAGES}


def _obligations(raw: Tree) -> tuple[Obligation, ...]:
    return tuple(Obligation(key) for key in raw.get("obligations", ()))


def _basis(raw: Tree) -> Basis | None:
    return Basis(raw["basis"]) if "basis" in raw else None


def _kind(key: str, raw: Tree) -> Kind:
    return Kind(
        key=key,
        labels=_labels(raw),
        contract=raw.get("contract", False),
        due_diligence=raw.get("due_diligence", False),
        confidentiality=raw.get("confidentiality", False),
        sensitive_prohibited="sensitive" in raw,
        obligations=_obligations(raw),
    )


def _purpose(key: str, raw: Tree) -> Purpose:
    return Purpose(
        key=key,
        labels=_labels(raw),
        basis=_basis(raw),
        needs=tuple(raw.get("needs", ())),
        prohibited=raw.get("prohibited", ""),
        marketing=raw.get("marketing", False),
        opt_out=raw.get("opt_out", ""),
        relation=raw.get("relation", False),
        interest_with_relation=tuple(raw.get("interest_with_relation", ())),
        obligations=_obligations(raw),
    )


def _notice(raw: Tree) -> Notice:
    return Notice(
        id=raw["id"],
        labels=_labels(raw),
        effective=date.fromisoformat(raw["effective"]) if "effective" in raw else None,
        topics=raw["topics"],
        counts_as=raw.get("counts_as", {}),
        rows=tuple(_row(row) for row in raw["rows"]),
        inbound=tuple(
            _row({**row, "recipients": row["senders"]}) for row in raw.get("inbound", ())
        ),
    )


def _row(raw: Tree) -> Row:
    categories = raw["categories"]
    return Row(
        clause=raw["clause"],
        recipients=tuple(raw["recipients"]),
        purposes=() if raw["purposes"] == "any" else tuple(raw["purposes"]),
        categories=_NAMED_CATEGORIES[categories]
        if isinstance(categories, str)
        else tuple(categories),
        sensitive=categories != "any_not_sensitive",
        basis=_basis(raw),
        objectable=raw.get("objectable", True),
        signed_in=raw.get("signed_in", False),
        obligations=_obligations(raw),
    )


def _area(key: str, raw: Tree, adult_age: int) -> Area:
    return Area(
        key=key,
        countries=frozenset(raw["countries"]),
        safeguards=frozenset(raw["safeguards"]),
        localised=raw.get("localised", False),
        adult_age=raw.get("adult_age", adult_age),
    )


def _adequacy(raw: Tree) -> Adequacy:
    return Adequacy(raw["origins"], raw["destinations"], _term(raw))


def _controller(raw: Tree) -> Controller:
    return Controller(
        name=raw["name"],
        processor=raw.get("processor", ""),
        complaint=raw["complaint"],
        services=frozenset(raw.get("services", ())),
        people=frozenset(raw.get("people", ())),
        term=_term(raw),
    )


def _term(raw: Tree) -> Term:
    return Term(
        since=date.fromisoformat(raw["since"]) if "since" in raw else date.min,
        until=date.fromisoformat(raw["until"]) if "until" in raw else None,
    )
