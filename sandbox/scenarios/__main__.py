"""`bin/scenarios FILE… [--format text|json]`: run policy tests, all of ours without a file.

Per check one line; a sentence at the end on standard error. Exit status 0 when all hold, 1 when
one does not or a step was refused, 2 when a file is not as the format wants it.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import asdict
from pathlib import Path

from runtime import logs
from sandbox.scenarios.play import Got, Result, play
from sandbox.scenarios.reading import FileError
from sandbox.scenarios.scenario import Expected, Scenario, read_file
from sandbox.scenarios.stage import prepare
from services.sharing.store.rulebook import load_rulebook

FOLDER = Path(__file__).parents[2] / "scenarios"
_HOLDS, _FAILS, _UNREADABLE = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Read all files, then play them; return the exit status."""
    parser = argparse.ArgumentParser(prog="bin/scenarios", description=__doc__.splitlines()[0])
    parser.add_argument(
        "files",
        nargs="*",
        type=Path,
        default=sorted(FOLDER.glob("*.yaml")),
        metavar="FILE",
        help="scenario files; without one all under scenarios/",
    )
    parser.add_argument("--format", choices=("text", "json"), default="text")
    given = parser.parse_args(arguments)
    rulebook = load_rulebook()
    scenarios: list[Scenario] = []
    wrong = []
    for path in given.files:
        try:
            scenarios += read_file(path, rulebook)
        except FileError as error:
            wrong.append(str(error))
    if wrong:
        print("\n".join(wrong), file=sys.stderr)
        return _UNREADABLE
    logs.configure("scenarios", "test", "ERROR")  # what is refused, the lines tell
    line = _json if given.format == "json" else in_words
    try:
        return asyncio.run(_play(scenarios, line))
    except BrokenPipeError:  # whoever reads has seen enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _FAILS


async def _play(scenarios: Sequence[Scenario], line: Callable[[Result], str]) -> int:
    asked = failed = 0
    told: set[str] = set()
    with tempfile.TemporaryDirectory() as directory:
        await asyncio.to_thread(prepare, Path(directory))
        for scenario in scenarios:
            async with aclosing(play(scenario, Path(directory))) as results:
                async for result in results:
                    for refused in result.refused:
                        if (note := f"{result.title}: refused: {refused}") not in told:
                            print(note, file=sys.stderr)
                            told.add(note)
                    print(line(result), flush=True)
                    asked += 1
                    failed += bool(result.differences)
    held = "all hold" if not failed else f"{failed} do not hold"
    several = "s" if len(scenarios) > 1 else ""
    # What follows a step that was not done says nothing of the rules.
    undone = f"; steps refused: {len(told)}" if told else ""
    print(f"{asked} checks of {len(scenarios)} scenario{several}: {held}{undone}", file=sys.stderr)
    return _FAILS if failed or told else _HOLDS


def in_words(result: Result) -> str:
    """Tell a check on one line; of one that does not hold, at its end, what differs."""
    differences = result.differences
    parts = [
        f"{'FAIL' if differences else 'ok  '} {result.title} #{result.number}",
        result.check.said,
        f"expected {_said(result.check.expected)}",
        f"got {_said(result.got)}",
    ]
    if differences:
        parts.append(f"differs: {'; '.join(differences)}")
    return " | ".join(parts)


def _said(answer: Expected | Got) -> str:
    said = [answer.outcome or "anything"]
    said += [f"[{', '.join(answer.reasons)}]"] if answer.reasons else []
    if isinstance(answer, Got) and answer.gaps:
        said.append(f"(gaps besides: {', '.join(answer.gaps)})")
    said += [f"cites {', '.join(answer.citations)}"] if answer.citations else []
    return " ".join(said)


def _json(result: Result) -> str:
    return json.dumps(
        {
            "scenario": result.title,
            "check": result.number,
            "ok": not result.differences,
            "expected": _stated(result.check.expected),
            "got": _stated(result.got),
        },
        ensure_ascii=False,
    )


def _stated(answer: Expected | Got) -> dict[str, object]:
    """Return what an answer says: of what is expected what is stated, of what came no blanks."""
    blank = {"gaps": (), "refusal": ""}
    said = asdict(answer).items()
    return {key: value for key, value in said if value is not None and value != blank.get(key)}


if __name__ == "__main__":
    sys.exit(main())
