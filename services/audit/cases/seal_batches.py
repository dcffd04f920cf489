"""Seals what producers sent: read, committed to and encrypted, ready for any place in the log."""

from collections.abc import Callable, Mapping, Sequence

from runtime.fault import Fault
from services.audit.domain.entry import MAX_LEAF, Leaf, Submission
from services.audit.domain.faults import entry_too_large
from services.audit.domain.merkle import leaf_hash
from services.audit.domain.ports import Envelope, Find, Job, Keys, PartyKeys
from services.audit.domain.sealing import parties, seal

Read = Callable[[str, bytes], Sequence[Submission]]
Sealed = list[list[Leaf] | Fault]


class SealBatches:
    """Seals for the log `origin`, in this process, off the loop."""

    def __init__(self, origin: str, keys: Keys, envelope: Envelope, read: Read) -> None:
        self._origin = origin
        self._keys = keys
        self._envelope = envelope
        self._read = read

    async def __call__(self, jobs: Sequence[Job]) -> Sealed:
        """Seal the rest of each batch, or say why it is refused as a whole."""
        if not jobs:
            return []
        read: list[Sequence[Submission] | Fault] = []

        def attempt(find: Find) -> tuple[Sealed, set[str]]:
            if not read:
                read.extend(map(self._read_rest, jobs))
            events = [s.event for each in read if not isinstance(each, Fault) for s in each]
            named = {party for event in events for party in parties(event)}
            keys = find(named)
            if missing := named - keys.keys():
                return [], missing
            return [self._seal(*each, keys) for each in zip(jobs, read, strict=True)], missing

        # All of it at a time: the loop, which is busy when many append, is asked once.
        while True:
            sealed, missing = await self._keys.use(attempt)
            if not missing:
                return sealed
            await self._keys.ensure(missing)

    def _read_rest(self, job: Job) -> Sequence[Submission] | Fault:
        try:
            return self._read(job.producer, job.wire)[job.skipped :]
        except Fault as fault:
            return fault

    def _seal(
        self, job: Job, read: Sequence[Submission] | Fault, keys: Mapping[str, PartyKeys]
    ) -> list[Leaf] | Fault:
        if isinstance(read, Fault):
            return read
        try:
            return [self._leaf(job.producer, each, keys) for each in read]
        except Fault as fault:
            return fault

    def _leaf(self, producer: str, submission: Submission, keys: Mapping[str, PartyKeys]) -> Leaf:
        sealed = seal(self._origin, producer, submission, keys)
        data = self._envelope.encode(sealed)
        if len(data) > MAX_LEAF:
            raise entry_too_large(submission.sequence, len(data))
        return Leaf.of(sealed, data, leaf_hash(data))
