"""A session of one browser: it ends when idle, and after a day whatever its use."""

from dataclasses import dataclass
from datetime import datetime, timedelta

IDLE = timedelta(hours=2)
ABSOLUTE = timedelta(hours=24)
TOUCH = timedelta(minutes=1)  # a page view writes at most this often


@dataclass(frozen=True, slots=True)
class Session:
    """What is kept of a session; `began` is when its person last proved who they are."""

    digest: bytes  # of the secret
    account: str
    link_id: str  # through which it began
    began: datetime
    seen: datetime

    @property
    def ends(self) -> datetime:
        """When it ends whatever its use."""
        return self.began + ABSOLUTE

    def valid(self, now: datetime) -> bool:
        """Return whether it still stands."""
        return now < self.ends and now < self.seen + IDLE

    def stale(self, now: datetime) -> bool:
        """Return whether its last use should be written down again."""
        return now >= self.seen + TOUCH
