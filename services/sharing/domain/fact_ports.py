"""What the cases ask of the facts in memory, and of the news that keep them true."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.sharing.domain.freshness import Freshness, News
from services.sharing.domain.question import Facts, Question


@dataclass(frozen=True, slots=True)
class Gathered:
    """The facts of several questions: None where the recipient is unknown."""

    facts: Sequence[Facts | None]
    token: str
    confirmed: float  # when they were known to be true, on time.monotonic()
    state: int  # of the memory


class Feed(Protocol):
    """What this process has heard of changes, by itself and by others."""

    async def token(self) -> str:
        """Return a token that covers everything committed by now, for the answer to a write."""
        ...

    def news(self, token: str) -> AsyncGenerator[News]:
        """Yield what changed since a token, for ever; empty news say that nothing did.

        FRESHNESS_TOKEN_INVALID for a token not made here, POSITION_EXPIRED when changes since it
        are no longer kept, READER_TOO_SLOW when news are not taken, UNAVAILABLE when the store
        cannot be read.
        """
        ...


class FactsMemory(Protocol):
    """The facts in memory: as new as is asked, loaded where they are missing."""

    async def gather(self, question: Question, freshness: Freshness) -> tuple[Facts, str]:
        """Return what bears on a question, and the token of how new it is.

        NOT_FOUND for an unknown recipient; UNAVAILABLE when it cannot be as new as asked;
        FRESHNESS_TOKEN_INVALID for a token newer than anything written.
        """
        ...

    async def gather_many(self, questions: Sequence[Question], freshness: Freshness) -> Gathered:
        """Return the same for several questions, all of one state of the records."""
        ...

    async def still_hold(self, gathered: Gathered) -> bool:
        """Tell whether what was gathered is at most a second behind every acknowledged write.

        Asked before an answer leaves: its record may have waited for a slow disk.
        """
        ...
