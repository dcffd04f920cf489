"""Seals what producers sent: read, committed to and encrypted, ready for any place in the log."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from runtime.fault import Fault
from services.audit.domain.entry import MAX_LEAF, Leaf, Submission
from services.audit.domain.faults import entry_too_large
from services.audit.domain.merkle import leaf_hash
from services.audit.domain.ports import Envelope, Job, Keys, PartyKeys
from services.audit.domain.sealing import parties, seal

Read = Callable[[str, bytes], Sequence[Submission]]


class SealBatches:
    """Seals for the log `origin`, in this process, off the loop."""

    def __init__(self, origin: str, keys: Keys, envelope: Envelope, read: Read) -> None:
        self._origin = origin
        self._keys = keys
        self._envelope = envelope
        self._read = read

    async def __call__(self, jobs: Sequence[Job]) -> list[list[Leaf] | Fault]:
        """Seal the rest of each batch, or say why it is refused as a whole."""
        if not jobs:
            return []
        read, named = await asyncio.to_thread(self._read_all, jobs)
        keys = await self._keys.ensure(named)
        return await asyncio.to_thread(self._seal_all, jobs, read, keys)

    def _read_all(self, jobs: Sequence[Job]) -> tuple[list[list[Submission] | Fault], set[str]]:
        """Read what is to be sealed, and with whose keys."""
        read: list[list[Submission] | Fault] = []
        named = set[str]()
        for job in jobs:
            try:
                submissions = self._read(job.producer, job.wire)[job.skipped :]
            except Fault as fault:
                read.append(fault)
                continue
            for submission in submissions:
                named.update(parties(submission.event))
            read.append(list(submissions))
        return read, named

    def _seal_all(
        self,
        jobs: Sequence[Job],
        read: Sequence[list[Submission] | Fault],
        keys: Mapping[str, PartyKeys],
    ) -> list[list[Leaf] | Fault]:
        sealed: list[list[Leaf] | Fault] = []
        for job, submissions in zip(jobs, read, strict=True):
            try:
                if isinstance(submissions, Fault):
                    raise submissions
                sealed.append([self._leaf(job.producer, each, keys) for each in submissions])
            except Fault as fault:
                sealed.append(fault)
        return sealed

    def _leaf(self, producer: str, submission: Submission, keys: Mapping[str, PartyKeys]) -> Leaf:
        sealed = seal(self._origin, producer, submission, keys)
        data = self._envelope.encode(sealed)
        if len(data) > MAX_LEAF:
            raise entry_too_large(submission.sequence, len(data))
        return Leaf.of(sealed, data, leaf_hash(data))
