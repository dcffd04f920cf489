"""The signed tree as readers see it: its newest checkpoint, and hashes that lead there."""

from collections.abc import Sequence

from services.audit.domain.checkpoint import Checkpoint
from services.audit.domain.faults import LogDamagedError, log_unavailable
from services.audit.domain.log_keys import KnownLog
from services.audit.domain.merkle import Span
from services.audit.domain.note import MalformedNoteError
from services.audit.domain.ports import LogStore


class Tree:
    """Reads what was stored and signed."""

    def __init__(self, log: LogStore, known: KnownLog) -> None:
        self._log = log
        self._known = known

    async def newest_checkpoint(self) -> Checkpoint:
        """Return the newest checkpoint, its signature checked; of size 0 while the log is empty."""
        note = await self._log.newest_note()
        if note is None:  # the very first is signed before the service is ready
            raise log_unavailable()
        return self._read(note)

    async def published(self) -> Checkpoint | None:
        """Return the newest published checkpoint; None before the first."""
        note = await self._log.published_note()
        return None if note is None else self._read(note)

    async def checkpoint_over(self, size: int) -> tuple[Checkpoint, int]:
        """Return a checkpoint of at least `size` entries, and how many entries are published.

        The published one is preferred, since witnesses cosigned it; what it does not cover yet is
        covered by the newest.
        """
        published = await self.published()
        if published is not None and published.size >= size:
            return published, published.size
        return await self.newest_checkpoint(), published.size if published else 0

    async def checkpoint_of(self, size: int, *, published: bool) -> Checkpoint | None:
        """Return the checkpoint of a size, as signed or as published; None when there is none."""
        note = await self._log.note_of(size, published=published)
        return None if note is None else self._read(note)

    def _read(self, note: str) -> Checkpoint:
        try:
            return Checkpoint.read(note, self._known)
        except MalformedNoteError as error:
            raise LogDamagedError(f"a checkpoint cannot be trusted: {error}") from error

    async def hashes(self, spans: Sequence[Span]) -> list[bytes]:
        """Return the hashes that a proof consists of."""
        nodes = await self._log.hashes(node for span in spans for node in span.nodes())
        return [span.hash(nodes) for span in spans]
