"""`bin/rulebook lint | show | diff`: the rulebook for those who write it."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Column, Table

from runtime.clock import SystemClock
from sandbox.rulebook import differences, sample, show
from services.sharing.domain.rulebook import RulebookError
from services.sharing.store.lint import lint
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
    "diff": "show what differs between two rulebooks, and whose answers change",
    "sample": "write recorded questions to a file, to replay them elsewhere",
}
_ABSENT = "(absent)"
_GOOD, _DIFFERENT, _UNREADABLE = 0, 1, 2
_EPILOG = """\
A rulebook is a folder: a file for each notice under notices/, and one each for kinds, purposes,
categories, services, borders, regions, reasons and rules of our own. Start with a copy:

  cp -r services/sharing/rulebook draft
  bin/rulebook show mi-store@2025-05-20          what the notice says, as a table
  bin/rulebook lint draft                        what is wrong with the draft, by file and line
  bin/rulebook diff services/sharing/rulebook draft --database sqlite:///var/nl/data/sharing.db
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
    adding = {"lint": _add_lint, "show": _add_show, "diff": _add_diff, "sample": _add_sample}
    for name, add in adding.items():
        add(commands.add_parser(name, help=_HELP[name]))
    given = parser.parse_args(arguments)
    try:
        status: int = given.run(given)
    except (RulebookError, sample.SampleError) as error:
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
        "Shows what differs between two rulebooks, as a table. With recorded questions, replays"
        " them under both, as things stand today, and lists those that would be answered"
        " otherwise. Exit status 0: nothing differs; 1: something."
    )
    parser.add_argument("before", type=Path, metavar="A")
    parser.add_argument("after", type=Path, metavar="B")
    recorded = parser.add_mutually_exclusive_group()
    recorded.add_argument("--decisions", type=Path, metavar="FILE", help="as `sample` writes it")
    recorded.add_argument("--database", metavar="URL", help="sharing's database, only read")
    _add_size(parser)
    parser.set_defaults(run=_diff)


def _add_sample(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Prints the newest recorded questions with the facts that bear on them today, one a line,"
        " as JSON. Accounts, sessions, orders and guardians are not named; keep the file as what"
        " it is all the same: facts about people."
    )
    parser.add_argument("--database", metavar="URL", required=True, help="sharing's database")
    _add_size(parser)
    parser.set_defaults(run=_sample)


def _add_size(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--sample", type=int, default=1000, metavar="N", help="at most so many (default: 1000)"
    )


def _diff(given: argparse.Namespace) -> int:
    found = differences.differences(_tree(given.before), _tree(given.after))
    if found:
        heads = ("where", str(given.before), str(given.after))
        table = Table(*(Column(head, overflow="fold") for head in heads), show_lines=True)
        for difference in found:
            table.add_row(
                difference.where, difference.before or _ABSENT, difference.after or _ABSENT
            )
        Console().print(table)
    else:
        print("they say the same", file=sys.stderr)
    changed = 0
    if given.decisions:
        changed = _replay(given, sample.read_lines(given.decisions.read_text(encoding="utf-8")))
    elif given.database:
        changed = _replay(given, asyncio.run(sample.read_database(given.database, given.sample)))
    return _DIFFERENT if found or changed else _GOOD


def _replay(given: argparse.Namespace, recorded: Sequence[sample.Recorded]) -> int:
    """Print the recorded questions that are answered otherwise; return how many."""
    rules = load_rulebook(given.before), load_rulebook(given.after)
    heads = ("decision", "service", "recipient kind", "purpose", "A", "B", "because")
    table = Table(*(Column(head, overflow="fold") for head in heads))
    changed = 0
    for each, both in sample.differing(recorded, rules, SystemClock().now()):
        changed += 1
        after = both.after
        table.add_row(
            each.decision,
            each.question.service,
            each.facts.recipient.kind,
            each.question.purpose,
            both.before.outcome,
            after.outcome if after else "unknown word",
            "\n".join(found.reason for found in after.findings) if after else "",
        )
    if changed:
        Console().print(table)
    print(f"{len(recorded)} questions replayed, {changed} answered otherwise", file=sys.stderr)
    return changed


def _sample(given: argparse.Namespace) -> int:
    for line in sample.write_lines(asyncio.run(sample.read_database(given.database, given.sample))):
        print(line)
    return _GOOD


def _tree(folder: Path) -> Tree:
    load_rulebook(folder)  # what cannot be used is not worth comparing
    files = read_files(folder)
    return join_files({name: parse_file(name, content) for name, content in files.items()})


if __name__ == "__main__":
    sys.exit(main())
