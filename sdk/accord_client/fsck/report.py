"""What a check found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

_MOST = 1_000  # findings that are named one by one; a log that was exchanged has millions


class NoLogError(Exception):
    """There is nothing that could be checked; says why."""


class UnreachableError(NoLogError):
    """Nobody answers where the log should be."""


class ForbiddenError(NoLogError):
    """Whoever answers lets this caller read nothing."""


Progress = Callable[[int, int], None]
"""Is told how many entries are done, and how many there are."""


@dataclass(frozen=True)
class Finding:
    """Something that is not as the log's signed statements say; ``where`` names file or row."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


@dataclass
class Report:
    """What was read and what was found; the log is whole if nothing was found.

    ``covered`` is the size that the newest verified checkpoint states, ``unnamed`` how many
    findings there are beyond those that are listed, ``notes`` what could not be checked and why.
    """

    entries: int = 0
    tiles: int = 0
    checkpoints: int = 0
    covered: int = 0
    postings: int = 0
    producers: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    unnamed: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def add(self, where: str, what: str) -> None:
        """Records a finding."""
        if len(self.findings) < _MOST:
            self.findings.append(Finding(where, what))
        else:
            self.unnamed += 1
