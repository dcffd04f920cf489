"""Copy what is published of a log to another directory: what is there stays, the rest is added."""

from collections.abc import Iterator

from services.audit.cases.published_log import Agreement, PublishedLog
from services.audit.domain.checkpoint import Checkpoint
from services.audit.domain.faults import LogDamagedError
from services.audit.domain.layout import ENTRIES, TilePath, partial_paths
from services.audit.domain.log_keys import KnownLog
from services.audit.domain.merkle import leaf_hash
from services.audit.domain.ports import PublishedFiles, Report, Tiles
from services.audit.domain.tiles import TILE_HEIGHT, TILE_WIDTH

_AT_ONCE = 64  # files whose names are made durable together


class CopyLog:
    """Copies one log. The copy is a log as readers know it, at each moment and wherever it stops.

    Its checkpoint moves on last, when all that it covers was read back from the copy and verified.
    """

    def __init__(self, known: KnownLog, source: PublishedFiles, target: Tiles) -> None:
        self._known = known
        self._source = source
        self._target = target

    async def __call__(self, report: Report) -> Checkpoint:
        """Bring the copy to the newest published checkpoint, and return that.

        LogDamagedError when source or copy do not verify, when the copy is of another history, and
        when it is ahead: then it is the source that lost something.
        """
        source = PublishedLog(self._source, self._known)
        newest = await source.newest()
        if newest is None:
            raise LogDamagedError(f"no checkpoint was ever published in {self._source}")
        noted = await self._target.open()
        copy = PublishedLog(self._target, self._known)
        before = await copy.newest()
        if before is not None:
            await self._require_beginning(before, newest)
        start = before.size if before else 0
        await self._copy(start, newest.size)
        # The history may end earlier: a stop came between it and `checkpoint`.
        last = Checkpoint.read(noted[-1], self._known).size if noted else -1
        first = min(start, max(last, 0)) >> TILE_HEIGHT
        done, tree = first * TILE_WIDTH, await copy.frontier(newest, first)
        agreement = Agreement(source.stated(newest, after=last), tree)
        async for bundle in copy.bundles(newest, first=first):
            for leaf in bundle:
                agreement.add(leaf_hash(leaf))
            done += len(bundle)
            report(done, newest.size)
        if last < newest.size:
            # `checkpoint` first: all that it covers is there, which of those before only the
            # right edge is not. What a stop leaves out of the history, the next run adds.
            await self._target.publish(newest.note)
            await self._target.remember(c.note for c in source.stated(newest, after=last))
            await self._target.prune(start, newest.size)
        return newest

    async def _require_beginning(self, before: Checkpoint, newest: Checkpoint) -> None:
        if before.size > newest.size:
            raise LogDamagedError(
                f"{self._target} holds {before.size} published entries, {self._source} only "
                f"{newest.size}: going on from the shorter one would sign a second history"
            )
        try:
            await PublishedLog(self._source, self._known).require(before, newest)
        except LogDamagedError as error:
            raise LogDamagedError(
                f"{self._target} and {self._source} hold different histories, or one is damaged: "
                f"they part at or before {before.size} entries ({error})"
            ) from error

    async def _copy(self, start: int, end: int) -> None:
        files: dict[TilePath, bytes] = {}
        for path in _paths(start, end):
            content = await self._source.read(path)
            if content is None:
                raise LogDamagedError(f"{path}: is missing in {self._source}")
            files[path] = content
            if len(files) == _AT_ONCE:
                await self._target.write(files)
                files = {}
        await self._target.write(files)


def _paths(start: int, end: int) -> Iterator[TilePath]:
    """Return the tiles and bundles of a log of `end` entries that one of `start` has not."""
    level = 0
    while end >> TILE_HEIGHT * (level + 1):
        numbers = range(start >> TILE_HEIGHT * (level + 1), end >> TILE_HEIGHT * (level + 1))
        for number in numbers:
            yield from (TilePath(of, number) for of in ((ENTRIES, 0) if level == 0 else (level,)))
        level += 1
    yield from partial_paths(end)
