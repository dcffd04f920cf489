"""Prints to a terminal: what comes from outside is shown as text, never obeyed.

No value can colour, move or rewrite what an auditor sees: control and direction characters are
replaced, and nothing is taken for markup.
"""

import sys
import unicodedata
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

_PIPE_WIDTH = 10_000  # a row stays on its line, so that it can be searched for
_JOINERS = "\u200c\u200d"  # part of words in several scripts
_REPLACEMENT = "\ufffd"

Styled = tuple[str, str]  # words, style


class Paper:
    """Standard output or the error stream, as wide as the terminal; a pipe is as wide as needed."""

    def __init__(self, *, stderr: bool = False) -> None:
        width = None if sys.stdout.isatty() else _PIPE_WIDTH
        self.console = Console(
            width=width, highlight=False, markup=False, emoji=False, stderr=stderr
        )

    def say(self, *parts: str | Styled) -> None:
        """Print a line."""
        self.console.print(Text.assemble(*map(_part, parts)), soft_wrap=True)

    def table(self, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Print a table; cells may have several lines."""
        table = Table()
        for head in heads:
            table.add_column(head, overflow="fold")
        for row in rows:
            table.add_row(*(Text(printable(cell)) for cell in row))
        self.console.print(table)

    def facts(self, rows: Iterable[tuple[str, str]]) -> None:
        """Print names and values; what has no value is left out."""
        table = Table(show_header=False)
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in rows:
            if value:
                table.add_row(Text(printable(name)), Text(printable(value)))
        self.console.print(table)


def printable(text: str) -> str:
    """Return the text with everything replaced that is not a character to be read."""
    return "".join(char if _readable(char) else _REPLACEMENT for char in text)


def _readable(char: str) -> bool:
    return char == "\n" or char in _JOINERS or not unicodedata.category(char).startswith("C")


def _part(part: str | Styled) -> str | Styled:
    return printable(part) if isinstance(part, str) else (printable(part[0]), part[1])
