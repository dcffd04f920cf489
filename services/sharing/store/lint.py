"""Finds what is wrong in a rulebook, each with its file and line, not only the first."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import PurePosixPath

import yaml

from services.sharing.domain.rulebook import Notice, Row, Rulebook, RulebookError
from services.sharing.domain.vocabulary import prefixes
from services.sharing.store.rulebook import (
    FOLDER,
    Files,
    RulebookLoader,
    Tree,
    compile_tree,
    join_files,
    parse_file,
    read_files,
    schema_errors,
)

DRAFT_PROBLEMS = 20

Place = Sequence[str | int]  # where in a file: keys and positions from its top


@dataclass(frozen=True, order=True, slots=True)
class Problem:
    """Something wrong, and where; line 0: about the file as a whole."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        """Say it as compilers do, so that editors jump there."""
        return f"{self.file}:{self.line}: {self.message}"


def lint(files: Files, most: int | None = None) -> list[Problem]:
    """Return the problems of a rulebook in the order of files and lines; none: it can be used.

    Every one, or `most` of them: to find a line costs more than to find what is wrong.
    """
    return _linted(files, most)[0]


def _linted(files: Files, most: int | None) -> tuple[list[Problem], Rulebook | None]:
    """Return the problems or, without any, what was compiled to find them."""
    trees: dict[str, Tree] = {}
    problems = []
    for name, content in files.items():
        try:
            trees[name] = parse_file(name, content)
        except RulebookError as error:
            problems.append(Problem(name, _line_said(error), _unprefixed(name, error)))
    linter = _Linter(files, trees)
    if not problems:
        problems = [*islice(linter.problems(), most)]
    return sorted(set(problems)), linter.rulebook


def compile_draft(files: Files, *, amends: bool) -> Rulebook:
    """Compile a draft; with `amends` it stands in the place of the files of its names in force.

    RulebookError holds a line `file:line: message` for each problem, of the first DRAFT_PROBLEMS.
    """
    whole = {**read_files(FOLDER), **files} if amends else files
    try:
        problems, rulebook = _linted(whole, DRAFT_PROBLEMS)
    # A number of thousands of digits, say, of which no message can be made.
    except (ValueError, LookupError) as error:
        raise RulebookError(f"a value that no rule has: {error}") from error
    if problems or rulebook is None:
        raise RulebookError("\n".join(" ".join(str(each).split()) for each in problems))
    return rulebook


class _Linter:
    """All files parsed; the lines are looked up when there is something to say."""

    def __init__(self, files: Files, trees: Mapping[str, Tree]) -> None:
        self._files = files
        self._trees = trees
        self.rulebook: Rulebook | None = None
        self._nodes: dict[str, yaml.Node | None] = {}
        self._notices = sorted(name for name in trees if PurePosixPath(name).parent.name)

    def problems(self) -> Iterator[Problem]:
        """Go from the form to the meaning, each step only on what the one before let through."""
        try:
            joined = join_files(self._trees)
        except RulebookError as error:
            file, _, message = str(error).partition(": ")
            yield Problem(file, 0, message)
            return
        told = False
        for wrong in schema_errors(joined):
            told = True
            yield self._of_schema(wrong.absolute_path, wrong.message)
        if not told:
            for problem in self._references():
                told = True
                yield problem
        if told:
            return
        try:
            rulebook = self.rulebook = compile_tree(joined)
        except RulebookError as error:
            yield Problem("", 0, str(error))
            return
        yield from self._rows(rulebook)
        yield from self._versions(rulebook)

    def _of_schema(self, path: Iterable[str | int], message: str) -> Problem:
        first, *rest = path or [""]
        if first == "notices" and rest:
            position, *rest = rest
            return self._at(self._notices[int(position)], rest, message)
        return self._at(f"{first}.yaml", rest, message)

    def _references(self) -> Iterator[Problem]:
        """Check every word that stands for something defined elsewhere."""
        kinds = self._keys("kinds")
        purposes, categories = self._keys("purposes"), self._keys("categories")
        kind_scopes = {scope for key in kinds for scope in prefixes(key)}
        category_scopes = {scope for key in categories for scope in prefixes(key)}
        ids = {self._trees[name]["id"] for name in self._notices}
        for key, purpose in self._trees["purposes.yaml"]["purposes"].items():
            needs = ["purposes", key, "needs"]
            yield from self._unknown(
                "purposes.yaml", needs, purpose.get("needs", ()), category_scopes
            )
        for key, service in self._trees["services.yaml"]["services"].items():
            for position, lineage in enumerate(service["notices"]):
                place = ["services", key, "notices", position]
                yield from self._unknown("services.yaml", place, lineage, ids)
        yield from self._borders()
        for name in self._notices:
            notice = self._trees[name]
            for kind, counted in notice.get("counts_as", {}).items():
                yield from self._unknown(name, ["counts_as"], [kind], kinds, named=kind)
                yield from self._unknown(name, ["counts_as", kind], [counted], kinds, named=None)
            for position, row in enumerate(notice["rows"]):
                for part, known in (
                    ("recipients", kind_scopes),
                    ("purposes", purposes),
                    ("categories", category_scopes),
                ):
                    if isinstance(row[part], list):
                        yield from self._unknown(name, ["rows", position, part], row[part], known)

    def _borders(self) -> Iterator[Problem]:
        borders = self._trees["borders.yaml"]
        known = set(borders["safeguards"])
        for key, area in borders["areas"].items():
            place = ["areas", key, "safeguards"]
            yield from self._unknown("borders.yaml", place, area["safeguards"], known)
        areas = set(borders["areas"])
        for position, fact in enumerate(borders["adequacy"]):
            for part in ("origins", "destinations"):
                place = ["adequacy", position, part]
                yield from self._unknown("borders.yaml", place, [fact[part]], areas, named=None)

    def _rows(self, rulebook: Rulebook) -> Iterator[Problem]:
        """Find rows that decide nothing, and rows that say the same thing twice."""
        for name in self._notices:
            notice = rulebook.notices[self._trees[name]["id"]]
            decided: dict[tuple[str, str, str], int] = {}
            first: dict[Row, int] = {}
            for position, row in enumerate(notice.rows):
                place: Place = ["rows", position, "clause"]
                if row in first:
                    yield self._at(
                        name,
                        place,
                        f"the same row as on line {self._line(name, ['rows', first[row]])}",
                    )
                    continue
                first[row] = position
                reached = [*_reach(rulebook, notice, row)]
                new = [cell for cell in reached if cell not in decided]
                if not reached:
                    yield self._at(
                        name, place, f"{row.clause} covers nothing: its purposes need no data"
                    )
                elif not new:
                    above = sorted({decided[cell] for cell in reached})
                    lines = ", ".join(str(self._line(name, ["rows", at])) for at in above)
                    yield self._at(
                        name, place, f"{row.clause} is never reached: decided on line {lines}"
                    )
                decided |= dict.fromkeys(new, position)

    def _versions(self, rulebook: Rulebook) -> Iterator[Problem]:
        """Find versions that can never speak, and notices that speak nowhere or are named twice."""
        counted = Counter(self._trees[name]["id"] for name in self._notices)
        for name in self._notices:
            if counted[self._trees[name]["id"]] > 1:
                yield self._at(name, ["id"], "another notice has this id")
        spoken: set[str] = set()
        for key, service in rulebook.services.items():
            for position, lineage in enumerate(service.lineages):
                spoken.update(lineage)
                for older, newer in pairwise(lineage):
                    then = rulebook.notices[older].effective
                    since = rulebook.notices[newer].effective
                    if since is None or (then is not None and then >= since):
                        place: Place = ["services", key, "notices", position]
                        yield self._at(
                            "services.yaml",
                            place,
                            f"{newer} has to take effect on a day after {older}: both would speak",
                        )
        for name in self._notices:
            if self._trees[name]["id"] not in spoken:
                yield self._at(name, ["id"], "speaks for no service")

    def _keys(self, name: str) -> set[str]:
        return set(self._trees[f"{name}.yaml"][name])

    def _unknown(
        self,
        file: str,
        place: Place,
        keys: Iterable[str],
        known: Iterable[str],
        named: str | None = "",
    ) -> Iterator[Problem]:
        """Tell of each unknown key; `place` is a list unless `named` says it is not."""
        known = set(known)
        for position, key in enumerate(keys):
            if key not in known:
                at = [*place, position] if named == "" else [*place, *([named] if named else [])]
                yield self._at(file, at, f"unknown {key}")

    def _at(self, file: str, place: Place, message: str) -> Problem:
        return Problem(file, self._line(file, place), message)

    def _line(self, file: str, place: Place) -> int:
        """Return the line of what stands there, or of the nearest thing around it; 0: no file."""
        if file not in self._files:
            return 0
        if file not in self._nodes:
            text = self._files[file].decode()
            self._nodes[file] = yaml.compose(text, Loader=RulebookLoader)
        node = self._nodes[file]
        line = 1
        for step in place:
            node = _inner(node, step)
            if node is None:
                break
            line = node.start_mark.line + 1
        return line


def _inner(node: yaml.Node | None, step: str | int) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        # The line of a key, since its value may begin further down: where people look for it.
        for key, value in node.value:
            if key.value == step:
                value.start_mark = key.start_mark
                return value if isinstance(value, yaml.Node) else None
    elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        found = node.value[step]
        return found if isinstance(found, yaml.Node) else None
    return None


def _reach(rulebook: Rulebook, notice: Notice, row: Row) -> Iterator[tuple[str, str, str]]:
    for kind, purpose, categories in rulebook.reach(notice, row):
        for category in categories:
            yield kind.key, purpose.key, category


def _line_said(error: RulebookError) -> int:
    cause = error.__cause__
    mark = cause.problem_mark if isinstance(cause, yaml.MarkedYAMLError) else None
    return mark.line + 1 if mark else 0


def _unprefixed(name: str, error: RulebookError) -> str:
    cause = error.__cause__
    if isinstance(cause, yaml.MarkedYAMLError) and cause.problem:
        return str(cause.problem)
    return str(error).removeprefix(f"{name}: ")
