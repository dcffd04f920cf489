"""The check of a whole bundle, by several processes where that helps; what is proved is the same.

Each part of a bundle begins with a path to the root (docs/bundle.md), so that it can be verified
by itself: a process finds its part by where it begins, and reads it line by line. What is found
does not depend on how many processes there are: parts are looked at in their order, and the first
line that does not hold is the one that is named.
"""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import count, islice
from pathlib import Path

from accord_client.bundle import MAX_LINE, PART, BundleReader, Head, entries_behind
from accord_client.processes import as_many_as_help, spread
from accord_client.trust import Attested, Trust
from accord_client.verify import VerifiedEntry

_WORTH = 1 << 26  # bytes from which on starting processes pays: a second of work


@dataclass
class Contents:
    """What a bundle, or a part of it, was found to hold."""

    entries: int = 0
    first: int | None = None
    last: int | None = None
    shown: int = 0
    commitments: int = 0
    producers: Counter[str] = field(default_factory=Counter)

    def add(self, verified: VerifiedEntry) -> None:
        """Counts another entry."""
        if self.first is None:
            self.first = verified.index
        self.last = verified.index
        self.entries += 1
        self.shown += len(verified.openings)
        self.commitments += verified.commitments
        self.producers[verified.entry.producer] += 1

    def join(self, part: Contents) -> None:
        """Counts all of the part behind this."""
        if self.first is None:
            self.first = part.first
        self.last = self.last if part.last is None else part.last
        self.entries += part.entries
        self.shown += part.shown
        self.commitments += part.commitments
        self.producers += part.producers


@dataclass(frozen=True)
class Checked:
    """A bundle all of which holds; of its head, all but the checkpoint is a claim."""

    head: Head
    attested: Attested
    contents: Contents


def check_bundle(
    file: Path,
    trust: Trust,
    progress: Callable[[int, int], None] = lambda *_: None,
    processes: int = 0,
) -> Checked:
    """Verifies all of a bundle; 0 ``processes`` means as many as help.

    ``progress`` is told how many bytes are verified, and how many there are. Raises
    VerificationError as ``BundleReader`` does, and OSError.
    """
    with file.open("rb") as stream:
        reader = BundleReader(stream, trust)
        size = os.fstat(stream.fileno()).st_size
    contents = Contents()
    workers = processes or as_many_as_help(worth=size >= _WORTH)
    work = partial(_check, file, reader.attested)
    with contextlib.closing(spread(work, _parts(file), workers)) as parts:
        for part, end in parts:
            contents.join(part)
            progress(end, size)
            if part.entries < PART:
                break
    return Checked(reader.head, reader.attested, contents)


def _parts(file: Path) -> Iterator[tuple[int, int]]:
    """For each part, the number and the place of the line that stands before it."""
    with file.open("rb") as stream:
        lines = iter(partial(stream.readline, MAX_LINE + 1), b"")
        for number in count(1, PART):
            yield number, stream.tell()
            if sum(1 for _ in islice(lines, PART)) < PART:
                return


def _check(file: Path, attested: Attested, before: tuple[int, int]) -> tuple[Contents, int]:
    """What the part behind a line holds, and where it ends; fewer than PART if the file does."""
    number, place = before
    contents = Contents()
    with file.open("rb") as stream:
        stream.seek(place)
        for verified in islice(entries_behind(number, stream, attested), PART):
            contents.add(verified)
        return contents, stream.tell()
