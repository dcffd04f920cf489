"""How the tour is told: chapters, what somebody does, what comes of it."""

from accord.sharing.v1 import decision_pb2 as sharing
from accord.sharing.v1.reason_pb2 import Reason
from rich.console import Console
from rich.markup import escape
from rich.text import Text

_OUTCOMES = {
    sharing.OUTCOME_PERMIT: ("PERMIT", "bold green"),
    sharing.OUTCOME_DENY: ("DENY", "bold red"),
    sharing.OUTCOME_GAP: ("GAP", "bold yellow"),
}


class Story:
    """The teller. Everything it prints is plain words; colour only repeats what they say."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._chapters = 0
        self._told: list[str] = []

    @property
    def told(self) -> str:
        """What was told so far, without its colours."""
        return "\n".join(self._told)

    def _print(self, line: str) -> None:
        self._told.append(Text.from_markup(line, emoji=False).plain)
        self._console.print(line, highlight=False, emoji=False)

    def chapter(self, title: str) -> None:
        """Begin a chapter."""
        self._chapters += 1
        self._print(f"\n[bold]{self._chapters}. {escape(title)}[/]")

    def tell(self, sentence: str) -> None:
        """Say what somebody does."""
        self._print(f"   {escape(sentence)}")

    def quote(self, words: str) -> None:
        """Show what a page or a command says."""
        for line in words.splitlines():
            self._print(f"   [dim]│[/] {escape(line)}")

    def command(self, words: str) -> None:
        """Show a command as it would be typed."""
        self._print(f"   [cyan]$ {escape(words)}[/]")

    def decision(self, decision: sharing.Decision) -> None:
        """Say how a question was answered, and where that is written."""
        name, style = _OUTCOMES[decision.outcome]
        lines = [
            f"{Reason.Name(item.reason).removeprefix('REASON_')}, {', '.join(item.citations)}"
            for item in decision.reasons
        ]
        lines += [f"by {citation}" for citation in {item.citation: 0 for item in decision.grounds}]
        if decision.outcome == sharing.OUTCOME_PERMIT and decision.contract:
            lines.append(f"and {decision.contract}")
        self._print(f"   [{style}]{name}[/]  {escape('; '.join(lines))}")
