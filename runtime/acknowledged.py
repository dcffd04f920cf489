"""What the relay knows of the outbox's first rows: acknowledged by the log, not published yet."""

from collections import deque
from dataclasses import dataclass

_STRETCHES = 4096  # in memory at most; beyond, neighbours are joined


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row stands in the order of what has settled."""

    xid: int
    id: int


@dataclass(frozen=True, slots=True)
class Stretch:
    """Rows that were acknowledged together: the last of them, and where it lies in the log."""

    number: int
    place: Place
    index: int


class Acknowledged:
    """The rows from the first of the outbox to the last that was acknowledged, in stretches."""

    def __init__(self, base: int) -> None:
        """Begin with none, after the row of number `base`, which was removed."""
        self.base = base
        self._stretches: deque[Stretch] = deque()

    def __bool__(self) -> bool:
        return bool(self._stretches)

    @property
    def number(self) -> int:
        """Return the number of the last of them."""
        return self._stretches[-1].number if self._stretches else self.base

    @property
    def place(self) -> Place | None:
        """Return where they end; None when there are none."""
        return self._stretches[-1].place if self._stretches else None

    def add(self, stretch: Stretch) -> None:
        """Go on to the end of a stretch."""
        self._stretches.append(stretch)
        if len(self._stretches) > _STRETCHES:
            self._stretches = deque(reversed(list(self._stretches)[::-2]))

    def published(self, size: int) -> Stretch | None:
        """Return the last stretch that lies whole within the first `size` entries of the log."""
        last = None
        for stretch in self._stretches:
            if stretch.index >= size:
                break
            last = stretch
        return last

    def removed(self, upto: Stretch) -> None:
        """Forget the rows up to the end of a stretch."""
        while self._stretches and self._stretches[0].number <= upto.number:
            self._stretches.popleft()
        self.base = upto.number

    def back_to(self, number: int) -> None:
        """Take the row of this number and those after it as not acknowledged."""
        while self._stretches and self._stretches[-1].number >= number:
            self._stretches.pop()
