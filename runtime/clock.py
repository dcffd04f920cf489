"""Time as a parameter, so that rules about time can be tested and a jump of the clock replayed."""

from datetime import UTC, datetime, timedelta
from typing import Protocol

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """Tells the time, always aware and in UTC."""

    def now(self) -> datetime:
        """Return the current instant."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the machine's idea of now."""
        return datetime.now(UTC)


class SettableClock:
    """A clock that stands still until it is moved, for tests."""

    def __init__(self, start: datetime) -> None:
        self._now = start

    def now(self) -> datetime:
        """Return the instant last set."""
        return self._now

    def set(self, now: datetime) -> None:
        """Jump to an instant, backwards too."""
        self._now = now

    def advance(self, span: timedelta) -> None:
        """Move by a span, backwards when it is negative."""
        self._now += span


def to_micros(instant: datetime) -> int:
    """Return microseconds since 1970, as `runtime.db.Instant` keeps them."""
    since = instant - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
