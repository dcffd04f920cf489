"""Verifies a whole log from its stored bytes and a pinned key: every entry, tile and checkpoint.

Nothing stored is believed: hashes are computed again from the entries' bytes, and what does not
fit is named. No key of any person is needed.
"""

from collections import defaultdict
from dataclasses import dataclass, field

from services.audit.domain.checkpoint import Checkpoint
from services.audit.domain.merkle import HASH_SIZE, leaf_hash
from services.audit.domain.note import MalformedNoteError, Verifier
from services.audit.domain.ports import Envelope, RawEntry, RawLog
from services.audit.domain.tiles import TILE_WIDTH, Edge, Tile


@dataclass(slots=True)
class Findings:
    """What was verified, and what does not hold."""

    entries: int = 0
    tiles: int = 0
    checkpoints: int = 0
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        verdict = f"{len(self.problems)} problems" if self.problems else "all of it holds"
        return (
            f"{self.entries} entries, {self.tiles} tiles, {self.checkpoints} checkpoints: {verdict}"
        )


class CheckLog:
    """One pass over a log."""

    def __init__(self, log: RawLog, envelope: Envelope, verifier: Verifier) -> None:
        self._log = log
        self._envelope = envelope
        self._verifier = verifier
        self._findings = Findings()
        self._tiles: dict[tuple[int, int], tuple[bytes, bytes]] = {}
        self._numbers: defaultdict[str, int] = defaultdict(int)
        self._edge = Edge()
        self._disagreeing: list[int] = []  # sizes whose checkpoint is of another tree

    async def run(self) -> Findings:
        """Verify everything; return what was found."""
        self._tiles, notes = await self._log.tiles(), await self._log.notes()
        newest = max(notes, default=0)
        self._checkpoint(notes.pop(0, None))
        async for entry in self._log.entries():
            for tile in self._edge.append(self._entry(entry)):
                self._tile(tile)
            if self._edge.size in notes:
                self._checkpoint(notes.pop(self._edge.size))
        size = self._edge.size
        for level, number in sorted(self._tiles):
            self._found(f"tile {level}/{number}: {size} entries do not fill it")
        for beyond in sorted(notes):
            self._found(f"checkpoint {beyond}: only {size} entries are stored")
        if newest < size:
            self._found(f"entries {newest} to {size - 1}: no checkpoint covers them")
        if self._disagreeing:
            later = len(self._disagreeing) - 1
            more = f", nor do {later} later ones" if later else ""
            self._found(f"checkpoint {self._disagreeing[0]}: its root is not the entries'{more}")
        return self._findings

    def _entry(self, entry: RawEntry) -> bytes:
        """Check an entry by itself; return the leaf hash to go on with."""
        self._findings.entries += 1
        at = f"entry {entry.index}"
        place = self._edge.size
        if entry.index != place:
            self._found(f"{at}: stored where entry {place} belongs")
        try:
            sealed = self._envelope.decode(entry.leaf)
        except ValueError as error:
            self._found(f"{at}: {error}")
        else:
            for column, value in self._log.columns_of(sealed).items():
                if entry.columns[column] != value:
                    self._found(f"{at}: column {column} is not what the entry says")
            self._numbers[sealed.producer] += 1
            if sealed.sequence != self._numbers[sealed.producer]:
                self._found(
                    f"{at}: {sealed.producer} {sealed.sequence} stands where "
                    f"{self._numbers[sealed.producer]} belongs"
                )
                self._numbers[sealed.producer] = sealed.sequence
        computed = leaf_hash(entry.leaf)
        if computed != entry.leaf_hash:
            self._found(f"{at}: its bytes do not hash to its leaf hash")
            # Where a tile bears the stored hash out, it is the bytes that were changed: going on
            # with that hash keeps one flipped bit from spoiling every checkpoint after it.
            if self._in_tile(place) == entry.leaf_hash:
                return entry.leaf_hash
        return computed

    def _in_tile(self, index: int) -> bytes | None:
        number, offset = divmod(index, TILE_WIDTH)
        hashes, _ = self._tiles.get((0, number), (b"", b""))
        return hashes[offset * HASH_SIZE : (offset + 1) * HASH_SIZE] or None

    def _tile(self, tile: Tile) -> None:
        stored = self._tiles.pop((tile.level, tile.number), None)
        at = f"tile {tile.level}/{tile.number}"
        if stored is None:
            self._found(f"{at}: is missing")
            return
        self._findings.tiles += 1
        hashes, root = stored
        for offset, hash_ in enumerate(tile.hashes):
            if hashes[offset * HASH_SIZE : (offset + 1) * HASH_SIZE] != hash_:
                self._found(f"{at}: hash {offset} is not the entries'")
        if len(hashes) != HASH_SIZE * TILE_WIDTH:
            self._found(f"{at}: has {len(hashes)} bytes")
        if root != tile.root:
            self._found(f"{at}: its root is not that of its hashes")

    def _checkpoint(self, note: str | None) -> None:
        """Check the checkpoint of the tree as it is now."""
        size = self._edge.size
        if note is None:
            self._found(f"checkpoint {size}: is missing")
            return
        self._findings.checkpoints += 1
        try:
            checkpoint = Checkpoint.read(note, self._verifier)
        except MalformedNoteError as error:
            self._found(f"checkpoint {size}: {error}")
            return
        if checkpoint.size != size:
            self._found(f"checkpoint {size}: it is of {checkpoint.size} entries")
        elif checkpoint.root != self._edge.root():
            self._disagreeing.append(size)

    def _found(self, problem: str) -> None:
        self._findings.problems.append(problem)
