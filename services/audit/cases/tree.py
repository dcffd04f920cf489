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
        try:
            return Checkpoint.read(note, self._known)
        except MalformedNoteError as error:
            raise LogDamagedError(f"the newest checkpoint cannot be trusted: {error}") from error

    async def hashes(self, spans: Sequence[Span]) -> list[bytes]:
        """Return the hashes that a proof consists of."""
        nodes = await self._log.hashes(node for span in spans for node in span.nodes())
        return [span.hash(nodes) for span in spans]
