"""`bin/rulebook lint | show | diff`: the rulebook for those who write it."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Column, Table

from sandbox.rulebook import differences, show
from sandbox.rulebook.lint import lint
from services.sharing.domain.rulebook import RulebookError
from services.sharing.store.rulebook import (
    FOLDER,
    Tree,
    join_files,
    load_rulebook,
    parse_file,
    read_files,
)

_HELP = {
    "lint": "find what is wrong in a rulebook, each with file and line",
    "show": "show a notice as a table",
    "diff": "show what differs between two rulebooks",
}
_ABSENT = "(absent)"
_GOOD, _DIFFERENT, _UNREADABLE = 0, 1, 2
_EPILOG = """\
A rulebook is a folder: a file for each notice under notices/, and one each for kinds, purposes,
categories, services, borders, regions, reasons and rules of our own. Start with a copy:

  cp -r services/sharing/rulebook draft
  bin/rulebook show mi-store@2025-05-20          what the notice says, as a table
  bin/rulebook lint draft                        what is wrong with the draft, by file and line
  bin/rulebook diff services/sharing/rulebook draft
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="bin/rulebook",
        description="Check, read and compare the rules that decisions are made by.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, add in (("lint", _add_lint), ("show", _add_show), ("diff", _add_diff)):
        add(commands.add_parser(name, help=_HELP[name]))
    given = parser.parse_args(arguments)
    try:
        status: int = given.run(given)
    except RulebookError as error:
        print(error, file=sys.stderr)
        return _UNREADABLE
    return status


def _add_lint(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Holds a rulebook against its schema and looks for words that are defined"
        " nowhere, rows that are never reached or stand twice, and versions that would both speak."
        " Exit status 0: nothing is wrong; 1: something is."
    )
    parser.add_argument(
        "folder",
        nargs="?",
        type=Path,
        default=FOLDER,
        metavar="DIR",
        help="default: the one in use",
    )
    parser.set_defaults(run=_lint)


def _lint(given: argparse.Namespace) -> int:
    problems = lint(read_files(given.folder))
    for problem in problems:
        print(f"{given.folder}/{problem}" if problem.file else problem.message)
    if problems:
        print(f"{len(problems)} to correct", file=sys.stderr)
        return _DIFFERENT
    rulebook = load_rulebook(given.folder)
    rows = sum(len(notice.rows) for notice in rulebook.notices.values())
    said = f"{len(rulebook.notices)} notices with {rows} rows: nothing is wrong"
    print(f"{said}; digest {rulebook.digest}", file=sys.stderr)
    return _GOOD


def _add_show(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Shows a notice as a table: who may have what, for what, on which basis, under"
        " which clause. Without a notice, lists those that there are."
    )
    parser.add_argument("notice", nargs="?", metavar="NOTICE", help="such as mi-store@2025-05-20")
    parser.add_argument("--format", choices=("text", "markdown"), default="text")
    parser.add_argument("--rulebook", type=Path, default=FOLDER, metavar="DIR")
    parser.set_defaults(run=_show)


def _show(given: argparse.Namespace) -> int:
    rulebook = load_rulebook(given.rulebook)
    console = Console()
    if given.notice is None:
        table = Table("notice", "name", "in force")
        for known in rulebook.notices.values():
            facts = show.facts(rulebook, known)
            table.add_row(facts["notice"], facts["name"], facts["in force"])
        console.print(table)
        return _GOOD
    notice = rulebook.notices.get(given.notice)
    if notice is None:
        print(
            f"no notice {given.notice}; there are: {', '.join(rulebook.notices)}", file=sys.stderr
        )
        return _UNREADABLE
    if given.format == "markdown":
        print(show.as_markdown(rulebook, notice))
    else:
        show.as_table(console, rulebook, notice)
    return _GOOD


def _add_diff(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Shows what differs between two rulebooks, as a table."
        " Exit status 0: nothing; 1: something."
    )
    parser.add_argument("before", type=Path, metavar="A")
    parser.add_argument("after", type=Path, metavar="B")
    parser.set_defaults(run=_diff)


def _diff(given: argparse.Namespace) -> int:
    found = differences.differences(_tree(given.before), _tree(given.after))
    if not found:
        print("they say the same", file=sys.stderr)
        return _GOOD
    heads = ("where", str(given.before), str(given.after))
    table = Table(*(Column(head, overflow="fold") for head in heads), show_lines=True)
    for difference in found:
        table.add_row(difference.where, difference.before or _ABSENT, difference.after or _ABSENT)
    Console().print(table)
    return _DIFFERENT


def _tree(folder: Path) -> Tree:
    load_rulebook(folder)  # what cannot be used is not worth comparing
    files = read_files(folder)
    return join_files({name: parse_file(name, content) for name, content in files.items()})


if __name__ == "__main__":
    sys.exit(main())
