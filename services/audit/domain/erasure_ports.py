"""What erasing asks of the key database: one transaction sees keys, erasures and holds together."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from runtime.event import Event
from services.audit.domain.erasure import Erasure, Hold, Wrapped

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Once:
    """A request that changes something no more than once."""

    scope: str  # the method, and who acts
    request_id: str
    content: str  # what it says, naming people by their pseudonyms alone


@dataclass(frozen=True, slots=True)
class Part:
    """Which part of a list."""

    before: str  # the id that it begins below; empty: at the newest
    size: int


class KeyRecords(Protocol):
    """One transaction of the key database."""

    def keys_of(self, party: str) -> Wrapped | None:
        """Return a party's row of keys, if it has one."""
        ...

    def keys_behind(self, pseudonym: bytes) -> Wrapped | None:
        """Return the row of keys behind a pseudonym, if it still exists."""
        ...

    def whose(self, pseudonyms: Collection[bytes]) -> Mapping[bytes, str]:
        """Return the parties behind pseudonyms whose keys still exist."""
        ...

    def destroy(self, pseudonyms: Collection[bytes]) -> int:
        """Delete the rows of keys behind pseudonyms; return how many there were."""
        ...

    def unsaid(self, party: str, last: int) -> bool:
        """Tell whether an own event that names a party is still on its way to the log.

        Up to the number `last` they may still lie in their rows.
        """
        ...

    def once(self, request: Once, now: datetime, change: Callable[[], str]) -> str:
        """Run `change` unless this request was answered before; return the name it made."""
        ...

    def erasure(self, name: str) -> Erasure:
        """Return an erasure; NOT_FOUND without one."""
        ...

    def known_erasure(self, name: str) -> Erasure | None:
        """Return an erasure, if it is known here."""
        ...

    def waiting(self, pseudonym: bytes) -> Erasure | None:
        """Return the erasure that waits for confirmation."""
        ...

    def erasures(self, part: Part) -> Sequence[Erasure]:
        """Return erasures, newest first."""
        ...

    def save_erasure(self, erasure: Erasure) -> None:
        """Write an erasure, new or changed."""
        ...

    def hold(self, name: str) -> Hold:
        """Return a hold; NOT_FOUND without one."""
        ...

    def known_hold(self, name: str) -> Hold | None:
        """Return a hold, if it is known here."""
        ...

    def standing(self, pseudonym: bytes) -> Hold | None:
        """Return the oldest hold that is not lifted."""
        ...

    def holds(self, part: Part) -> Sequence[Hold]:
        """Return holds, newest first."""
        ...

    def save_hold(self, hold: Hold) -> None:
        """Write a hold, new or changed."""
        ...

    def destroyed_months(self) -> Mapping[str, datetime]:
        """Return the months whose key-encryption key is gone, and since when."""
        ...

    def knows_month(self, month: str) -> bool:
        """Tell whether a month's key-encryption key ever wrapped a row."""
        ...

    def newest_month(self) -> str:
        """Return the month whose key-encryption key wraps what is new."""
        ...

    def wrapped_under(self, month: str) -> int:
        """Return how many rows of keys a month's key-encryption key wraps."""
        ...

    def retire_month(self, month: str, time: datetime) -> None:
        """Let nobody use a month's key-encryption key any more."""
        ...

    def destroy_month(self, month: str, time: datetime) -> None:
        """Note that a month's key-encryption key is gone; nor does anybody use it again."""
        ...

    def publish(self, event: Event) -> None:
        """Let the log know, in the same transaction."""
        ...


class KeyStore(Protocol):
    """The key database as what erases sees it."""

    async def write(self, unit: Callable[[KeyRecords], T]) -> T:
        """Run a unit in one serializable transaction, durable on return."""
        ...

    async def read(self, query: Callable[[KeyRecords], T]) -> T:
        """Run a query on a snapshot."""
        ...

    async def scrub(self) -> None:
        """Leave nothing of deleted rows in the files of the database, where that is ours to do."""
        ...
