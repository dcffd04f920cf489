"""A log that is published in a directory, and a stranger who reads it there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import select

from runtime.clock import SettableClock
from runtime.testing import NOON
from services.audit.cases.publish import Publisher
from services.audit.domain.checkpoint import Checkpoint
from services.audit.domain.ports import Cosigned
from services.audit.store.published import StoredPublications
from services.audit.store.tables import published
from services.audit.store.tile_directory import TileDirectory
from tests.contract.audit.log import Log, event
from tests.contract.audit.stranger import Head, walk

if TYPE_CHECKING:
    from pathlib import Path

    from services.audit.domain.ports import Prove, Witnesses


class NoWitnesses:
    """Of a log that has no policy: nobody is asked, and that suffices."""

    async def cosign(self, checkpoint: Checkpoint, _prove: Prove) -> Cosigned:
        return Cosigned(checkpoint.note, satisfied=True)


@dataclass
class Published:
    """A log and the directory in which it is published."""

    log: Log
    path: Path
    appended: int = 0
    alarms: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.publisher = self.again()

    def again(
        self, witnesses: Witnesses | None = None, tiles: TileDirectory | None = None
    ) -> Publisher:
        """Another publisher, as of a process that has just started."""
        clock = SettableClock(NOON)
        self.publisher = Publisher(
            self.log.signer,
            self.log.store,
            publications=StoredPublications(self.log.database, clock),
            tiles=tiles or TileDirectory(self.path),
            witnesses=witnesses or NoWitnesses(),
            clock=clock,
            alarm=self.alarms.append,
        )
        return self.publisher

    async def grow(self, count: int) -> None:
        """Appends events."""
        while count:
            some = min(count, 1000)
            first = self.appended + 1
            await self.log.append(first, [event(n) for n in range(first, first + some)])
            self.appended += some
            count -= some

    async def publish(self) -> None:
        assert await self.publisher.publish() == ""

    async def read(self) -> Head:
        """Walks the whole log as a stranger does, from its files alone."""

        async def fetch(path: str) -> bytes:
            return (self.path / path).read_bytes()

        head, entries = await walk(fetch, str(self.log.signer.key))
        for index in {0, head.size // 2, head.size - 1} & set(range(head.size)):
            stored = await self.log.store.by_index(index)
            assert stored is not None
            assert stored.leaf == entries[index]
        return head

    def history(self) -> list[int]:
        """The sizes of all checkpoints in the history."""
        notes = TileDirectory(self.path).history()
        return [Checkpoint.read(note, self.log.signer).size for note in notes]

    async def rows(self) -> list[tuple[int, str]]:
        """The rows of the table, oldest first."""
        query = select(published.c.size, published.c.note).order_by(published.c.size)
        return await self.log.database.read(lambda tx: [tuple(row) for row in tx.execute(query)])

    def files(self) -> set[str]:
        """All files, by their paths."""
        return {str(p.relative_to(self.path)) for p in self.path.rglob("*") if p.is_file()}
