"""What differs between two rulebooks, as people would say it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from services.sharing.store.rulebook import Tree


@dataclass(frozen=True, order=True, slots=True)
class Difference:
    """One thing that is otherwise; absence is an empty text."""

    where: str
    before: str
    after: str


def differences(before: Tree, after: Tree) -> list[Difference]:
    """Return what differs between two joined trees, by where it stands."""
    was, is_ = dict(_flat(before)), dict(_flat(after))
    return [
        Difference(where, was.get(where, ""), is_.get(where, ""))
        for where in sorted(was.keys() | is_.keys())
        if was.get(where) != is_.get(where)
    ]


def _flat(tree: Tree) -> Iterator[tuple[str, str]]:
    for name, content in tree.items():
        if name == "notices":
            for notice in content:
                yield from _notice(notice)
        else:
            for where, value in _leaves(content):
                # The key on the top of a file is the file's name once more.
                yield " ".join((name, *(where[1:] if where[0] == name else where))), value


def _notice(notice: Tree) -> Iterator[tuple[str, str]]:
    rest = {key: value for key, value in notice.items() if key not in {"id", "rows"}}
    for where, value in _leaves(rest):
        yield " ".join((notice["id"], *where)), value
    seen: dict[str, int] = {}
    for row in notice["rows"]:
        # Rows have no names: clause and recipients tell them apart, then their order.
        name = f"{notice['id']} {row['clause']} {_said(row['recipients'])}"
        seen[name] = seen.get(name, 0) + 1
        place = name if seen[name] == 1 else f"{name} ({seen[name]})"
        for part, value in row.items():
            if part not in {"clause", "recipients"}:
                yield f"{place}: {part}", _said(value)


def _leaves(value: object, *where: str) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, *where, str(key))
    elif isinstance(value, list) and any(isinstance(inner, Mapping) for inner in value):
        for position, inner in enumerate(value, 1):
            yield from _leaves(inner, *where, str(position))
    else:
        yield where, _said(value)


def _said(value: object) -> str:
    """Say a value; the order of a list of keys means nothing."""
    if isinstance(value, list):
        return ", ".join(sorted(map(str, value)))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return " ".join(str(value).split())
