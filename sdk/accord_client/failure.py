"""Why evidence was refused: one exception, naming the obligation that was not met."""

from __future__ import annotations


class VerificationError(Exception):
    """Evidence does not prove what it claims.

    ``obligation`` names what failed (``format``, ``key``, ``signature``, ``inclusion``,
    ``consistency``, ``opening`` …), so that a script need not read the sentence.
    """

    def __init__(self, obligation: str, message: str) -> None:
        super().__init__(message)
        self.obligation = obligation

    def __reduce__(self) -> tuple[type[VerificationError], tuple[str, str]]:
        """How it reaches the process that another one checks something for."""
        return type(self), (self.obligation, str(self))
