"""Publishes the log: as files that anybody's tools read, under checkpoints that witnesses cosigned.

Follows the database. A checkpoint that was signed is cosigned; when that suffices for the policy
and the files of its tree are durable, it goes into the history, gets the name `checkpoint`, and is
kept in the database, in this order. Whatever stops in between is done again by the next start.

Nothing is published that the policy does not allow, and nothing whose bytes, read back from the
database, do not hash to what was signed.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice

from runtime import logs
from runtime.clock import Clock
from runtime.fault import Fault
from services.audit.domain.checkpoint import Checkpoint
from services.audit.domain.faults import LogDamagedError, PutBackError, StaleWriterError
from services.audit.domain.layout import Layout, TilePath, lay_out
from services.audit.domain.log_keys import KnownLog
from services.audit.domain.merkle import Node, consistency_spans
from services.audit.domain.note import MalformedNoteError
from services.audit.domain.ports import Cosigned, LogStore, Publications, Tiles, Witnesses
from services.audit.domain.tiles import TILE_HEIGHT, TILE_WIDTH, Edge

log = logs.get(__name__)

_EVERY_S = 0.4  # between the beginnings of two publications, at least
_AGAIN_S = 1.0  # after one that failed
_KEPT_AT_ONCE = 1000  # checkpoints that the database lacks
_STRETCH = 8 * TILE_WIDTH  # entries laid out at once: 128 MiB at the very most


@dataclass(frozen=True, slots=True)
class _State:
    """How far the files go."""

    published: Checkpoint | None = None
    at: datetime | None = None  # when that was published, as far as this process knows
    base: Edge = field(default_factory=Edge)  # as far as bundles are full
    partials: frozenset[TilePath] = frozenset()  # the right edge that is there

    @property
    def size(self) -> int:
        return self.published.size if self.published else 0


class Publisher:
    """Publishes what the sequencer signs; runs in the sequencer alone, after `open`."""

    def __init__(
        self,
        known: KnownLog,
        stored: LogStore,
        *,
        publications: Publications,
        tiles: Tiles,
        witnesses: Witnesses,
        clock: Clock,
        alarm: Callable[[str], None],
    ) -> None:
        self._known = known
        self._stored = stored
        self._publications = publications
        self._tiles = tiles
        self._witnesses = witnesses
        self._clock = clock
        self._alarm = alarm
        self._state = _State()
        self._signed_size = 0
        self._unkept: list[Checkpoint] = []  # published, and not yet in the database
        self._hindrance = ""  # why nothing can be published at the moment

    @property
    def size(self) -> int:
        """Return how many entries are published."""
        return self._state.size

    @property
    def published(self) -> int | None:
        """Return the same; None where nothing is published."""
        return self.size if self._state.published else None

    @property
    def waiting(self) -> int | None:
        """Return how many entries are signed and not published; None where nothing is published."""
        return max(0, self._signed_size - self.size) if self._state.published else None

    @property
    def age_s(self) -> float | None:
        """Return how long ago the newest checkpoint was published; None where nothing is."""
        at = self._state.at
        return (self._clock.now() - at).total_seconds() if at else None

    async def open(self) -> None:
        """Bring directory and database together; the log may grow when this returns.

        LogDamagedError when what was published, or what a witness shows with our signature, is not
        the beginning of what is stored: to append then would be to sign a second history.
        """
        if note := await self._stored.newest_note():
            await self._cosign(self._read(note, "the newest checkpoint"))
        self._state, self._unkept = _State(), []
        history = [self._read(note, "the history") for note in await self._tiles.open()]
        named, kept = await self._tiles.newest(), await self._publications.newest()
        found = [
            *history[-1:],
            *([self._read(named, "the file `checkpoint`")] if named else []),
            *([self._read(kept, "the table `published`")] if kept else []),
        ]
        if not found:
            return
        newest = max(found, key=lambda checkpoint: checkpoint.size)
        base = await self._base(newest)
        await self._remember(history, found, kept)
        gap = await self._tiles.gap(newest.size)
        if gap is not None:
            log.warning("tiles are missing, and made anew", first_entry=gap)
            base = await self._edge(gap - gap % TILE_WIDTH)
        layout = await self._write(base, frozenset(), newest)
        await self._tiles.publish(newest.note)
        await self._tiles.prune(history[-2].size if len(history) > 1 else 0, newest.size)
        now = self._clock.now()
        self._state = _State(newest, now, layout.base, frozenset(layout.partial))

    async def run(self) -> None:
        """Publish until cancelled; ends with LogDamagedError when the log must not go on."""
        time = asyncio.get_running_loop().time
        try:
            while True:
                began = time()
                again = await self._attempt()
                await asyncio.sleep(_AGAIN_S if again else max(0, _EVERY_S - (time() - began)))
                if not again:
                    await self._publications.grown()
        finally:
            self._state = _State()  # what follows, another sequencer publishes

    async def _attempt(self) -> bool:
        """Publish the newest checkpoint if it is new; tell whether it must be tried again."""
        try:
            hindrance = await self.publish()
        except LogDamagedError as damage:
            log.exception("the log is not published any more", reason=str(damage))
            raise
        except OSError as error:  # a full disk, say; its text names a file of the log
            hindrance = str(error)
        except StaleWriterError as stale:  # this term is over, and it does not know yet
            hindrance = str(stale)
        except Fault as fault:  # the database is away
            hindrance = fault.message
        if hindrance != self._hindrance:
            self._hindrance = hindrance
            if hindrance:
                self._alarm("log_not_published")
                log.warning("not published", reason=hindrance, published=self.size)
            else:
                log.info("published again", published=self.size)
        return bool(hindrance)

    async def publish(self) -> str:
        """Publish the newest checkpoint if it is new; return why not, when it may not be."""
        note = await self._stored.newest_note()
        if note is None:
            return ""
        signed = self._read(note, "the newest checkpoint")
        self._signed_size = signed.size
        if self._state.published is None or signed.size > self.size:
            # Asked before anything is written, so that a quorum that is away costs no disk.
            cosigned = await self._cosign(signed)
            if not cosigned.satisfied:
                return "the policy asks for more cosignatures than there are"
            await self._make_public(replace(signed, note=cosigned.note))
        if self._unkept:
            await self._publications.add(self._unkept)
            self._unkept = []
        return ""

    async def _cosign(self, signed: Checkpoint) -> Cosigned:
        """Ask the witnesses; LogDamagedError when one shows that we have signed something else."""
        try:
            return await self._witnesses.cosign(signed, self._prove)
        except PutBackError as put_back:
            note = await self._stored.newest_note()
            if note is None or self._read(note, "the newest checkpoint").size < put_back.size:
                raise
            return Cosigned(signed.note, satisfied=False)  # meanwhile another sequencer has begun

    async def _make_public(self, checkpoint: Checkpoint) -> None:
        before = self._state
        layout = await self._write(before.base, before.partials, checkpoint)
        await self._tiles.remember([checkpoint.note])
        await self._tiles.publish(checkpoint.note)
        now = self._clock.now()
        self._state = _State(checkpoint, now, layout.base, frozenset(layout.partial))
        self._unkept.append(checkpoint)
        await self._tiles.prune(before.size, checkpoint.size)

    async def _write(
        self, base: Edge, there: frozenset[TilePath], checkpoint: Checkpoint
    ) -> Layout:
        """Write what the tree of a checkpoint has beyond `base`; LogDamagedError if it differs."""
        while True:
            end = min(checkpoint.size, base.size + _STRETCH)
            leaves = await self._publications.leaves(base.size, end)
            if base.size + len(leaves) != end:
                raise LogDamagedError(f"of the entries up to {end}, some are not stored")
            layout = await asyncio.to_thread(lay_out, base, leaves)
            if end == checkpoint.size:
                break
            await self._tiles.write(layout.full)
            base = layout.base
        if layout.root != checkpoint.root:
            raise LogDamagedError(
                f"the {end} entries stored do not hash to the root of their checkpoint"
            )
        # Of higher levels the unfinished tile is often the one that was there before.
        partial = {path: file for path, file in layout.partial.items() if path not in there}
        await self._tiles.write(layout.full | partial)
        return layout

    async def _base(self, published: Checkpoint) -> Edge:
        """Return the edge of the full bundles that a published checkpoint covers.

        LogDamagedError unless it is of the beginning of what is stored.
        """
        note = await self._stored.newest_note()
        stored = self._read(note, "the newest checkpoint").size if note else 0
        if stored < published.size:
            raise LogDamagedError(
                f"{published.size} entries were published in {self._tiles}, and the database holds "
                f"{stored}: it was lost or put back. Do not go on from here: make it anew from the "
                "tiles with `python -m services.audit rebuild`"
            )
        edge = await self._edge(published.size)
        if edge.root() != published.root:
            raise LogDamagedError(
                f"the first {published.size} entries of the database are not those that were "
                f"published in {self._tiles}: it belongs to another history of this log"
            )
        return Edge([[], *edge.rows()[1:]])

    async def _edge(self, size: int) -> Edge:
        """Return the right edge of the tree as it was at a size."""
        rows = []
        for level in range((size.bit_length() + TILE_HEIGHT - 1) // TILE_HEIGHT):
            end = size >> TILE_HEIGHT * level
            start = end - end % TILE_WIDTH
            rows.append([Node(TILE_HEIGHT * level, at) for at in range(start, end)])
        hashes = await self._stored.hashes(node for row in rows for node in row)
        return Edge([[hashes[node] for node in row] for row in rows])

    async def _remember(
        self, history: Sequence[Checkpoint], found: Sequence[Checkpoint], kept: str | None
    ) -> None:
        """Complete the history from the database, and the database from the history.

        A stop comes between the two, and either may have been put back.
        """
        recorded = history[-1].size if history else -1
        while beyond := await self._publications.beyond(recorded):
            await self._tiles.remember(beyond)
            recorded = self._read(beyond[-1], "the table `published`").size
        newest = max(found, key=lambda checkpoint: checkpoint.size)
        if newest.size > recorded:
            await self._tiles.remember([newest.note])
        there = self._read(kept, "the table `published`").size if kept else -1
        rest = self._tiles.history(there)
        while some := await asyncio.to_thread(lambda: list(islice(rest, _KEPT_AT_ONCE))):
            await self._publications.add([self._read(note, "the history") for note in some])

    async def _prove(self, first: int, second: int) -> Sequence[bytes]:
        """Prove to a witness that the log it saw begins the log it is asked to cosign."""
        spans = consistency_spans(first, second)
        nodes = await self._stored.hashes(node for span in spans for node in span.nodes())
        return [span.hash(nodes) for span in spans]

    def _read(self, note: str, where: str) -> Checkpoint:
        try:
            return Checkpoint.read(note, self._known)
        except MalformedNoteError as error:
            raise LogDamagedError(f"{where} cannot be trusted: {error}") from error
