"""Gives the published log to those who verify all of it: what is published, and nothing beyond."""

from collections.abc import Collection

from runtime.call import Caller
from runtime.fault import not_found
from services.audit.domain.checkpoint import Checkpoint
from services.audit.domain.faults import LogDamagedError, files_unavailable, not_a_log_reader
from services.audit.domain.layout import TilePath
from services.audit.domain.log_keys import KnownLog
from services.audit.domain.note import MalformedNoteError
from services.audit.domain.ports import Tiles


class ReadTiles:
    """Reads the files, for auditors and for the apps in `readers`."""

    def __init__(self, tiles: Tiles, known: KnownLog, readers: Collection[str]) -> None:
        self._tiles = tiles
        self._known = known
        self._readers = frozenset(readers)
        self._newest: Checkpoint | None = None  # as it was read last

    def admit(self, caller: Caller) -> None:
        """Refuse an app that is not to read the log; who else may call, the methods' rule says."""
        if caller.kind == "app" and caller.name not in self._readers:
            raise not_a_log_reader(caller.name)

    async def checkpoint(self) -> Checkpoint:
        """Return the published checkpoint; NOT_FOUND before the first."""
        try:
            note = await self._tiles.newest()
        except OSError as error:
            raise files_unavailable() from error
        if note is None:
            raise not_found("checkpoint")
        if self._newest is None or self._newest.note != note:
            try:
                self._newest = Checkpoint.read(note, self._known)
            except MalformedNoteError as error:
                raise LogDamagedError(
                    f"the file `checkpoint` cannot be trusted: {error}"
                ) from error
        return self._newest

    async def file(self, path: TilePath) -> bytes:
        """Return a tile or bundle; NOT_FOUND for what the published checkpoint does not cover.

        What is written before it is published is nobody's yet.
        """
        content = None
        if path.end <= (await self.checkpoint()).size:
            try:
                content = await self._tiles.read(path)
            except OSError as error:
                raise files_unavailable() from error
        if content is None:
            raise not_found(str(path))
        return content
