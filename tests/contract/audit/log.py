"""The log of a test: real stores, real keys, and a check of everything that can be proved."""

from __future__ import annotations

import asyncio
import contextlib
import pickle
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from accord.audit.v1.append_service_pb2 import NewEntry
from sqlalchemy import select

from runtime.clock import SettableClock
from runtime.db import Database
from runtime.event import Event, Section
from runtime.testing import NOON
from services.audit.api.envelope import LogEntryEnvelope
from services.audit.cases.append_entries import AppendEntries
from services.audit.cases.gaps import Gaps
from services.audit.cases.prove_consistency import ProveConsistency
from services.audit.cases.prove_inclusion import ProveInclusion
from services.audit.cases.read_entries import ReadEntries
from services.audit.cases.record import Record
from services.audit.cases.seal_batches import SealBatches
from services.audit.cases.tree import Tree
from services.audit.cases.waiting import Appended
from services.audit.domain.checkpoint import Checkpoint
from services.audit.domain.entry import Batch, Submission
from services.audit.domain.log_keys import LogKeys
from services.audit.domain.ports import Keys, LogStore
from services.audit.domain.verification import consistent, included
from services.audit.store import KEY_MIGRATIONS, LOG_MIGRATIONS
from services.audit.store.key_encryption import create_key
from services.audit.store.log import StoredLog
from services.audit.store.log_keys import create_log_key, load_log_keys
from services.audit.store.own_events import StoredOwnEvents
from services.audit.store.party_keys import StoredKeys
from services.audit.store.tables import outbox
from tests.migrated import migrated

ORIGIN = "nl.accord.internal/audit"
PERSON = "accounts/nl-0123456789abcdefghjkmnpqrs"
OFFICER = "spiffe://nl.accord.internal/staff/officer/ana"


def event(
    number: int = 0,
    *,
    action: str = "account:link:add",
    account: str = PERSON,
    actor: str = PERSON,
    resource: str = "",
    fields: Mapping[str, str] | None = None,
    sections: tuple[Section, ...] = (),
) -> Event:
    """Makes an event whose id is its number."""
    return Event(
        action=action,
        outcome="success",
        time=NOON,
        account=account,
        actor=actor,
        resource=resource,
        fields=fields or {"number": str(number)},
        event_id=f"{number:032x}",
        sections=sections,
    )


def batch(first: int, events: Sequence[Event], producer: str = "account") -> Batch:
    """Makes a batch of any events, also of those that no service would be allowed."""
    submissions = [Submission(first + at, event) for at, event in enumerate(events)]
    return Batch(producer, first, len(events), pickle.dumps(submissions), _read)


def sealing(keys: Keys) -> SealBatches:
    """What seals such batches."""
    return SealBatches(ORIGIN, keys, LogEntryEnvelope(), _read)


def _read(_: str, wire: bytes) -> list[Submission]:
    read: list[Submission] = pickle.loads(wire)  # noqa: S301  our own
    return read


@dataclass
class Log:
    """One log: its databases, its cases, and every checkpoint that it was seen to sign."""

    url: str
    directory: Path
    database: Database
    key_database: Database
    store: StoredLog
    keys: StoredKeys
    signer: LogKeys
    writer: AppendEntries
    entries: ReadEntries
    tree: Tree
    clock: SettableClock
    gaps: Gaps
    alarms: list[str]
    seen: list[Checkpoint] = field(default_factory=list)

    @classmethod
    def create(cls, url: str, directory: Path) -> Log:
        """Makes the databases and keys of a new log, its writer not yet open."""
        create_log_key(directory / "log.key", ORIGIN)
        create_key(directory, "2026-06")
        migrated(url, LOG_MIGRATIONS)
        migrated(f"sqlite:///{directory / 'keys.db'}", KEY_MIGRATIONS)
        return cls.at(url, directory)

    @classmethod
    def at(cls, url: str, directory: Path) -> Log:
        """Takes up an existing log, as a process does when it starts."""
        signer = load_log_keys(directory / "log.key", ORIGIN)
        database = Database(url)
        key_database = Database(f"sqlite:///{directory / 'keys.db'}")
        store = StoredLog(database, LogEntryEnvelope(), SettableClock(NOON))
        keys = StoredKeys(key_database, directory)
        clock, alarms = SettableClock(NOON), list[str]()
        gaps = Gaps(Record(StoredOwnEvents(key_database, keys)), clock, alarms.append)
        return cls(
            url,
            directory,
            database,
            key_database,
            store,
            keys,
            signer,
            AppendEntries(store, keys, sealing(keys), signer, gaps),
            ReadEntries(ORIGIN, store, keys),
            Tree(store, signer),
            clock,
            gaps,
            alarms,
        )

    def writer_on(self, store: LogStore, keys: Keys | None = None) -> AppendEntries:
        """Another writer of the same log, over another store."""
        keys = keys or self.keys
        return AppendEntries(store, keys, sealing(keys), self.signer, self.gaps)

    async def append(
        self, first: int, events: Sequence[Event], producer: str = "account"
    ) -> Appended:
        """Appends events under the numbers from `first` on."""
        appended = await self.writer.append(batch(first, events, producer))
        self.seen.append(appended.checkpoint)
        return appended

    async def check(self, every: int = 1) -> int:
        """Proves entries and all checkpoints seen against the newest one; returns the size."""
        newest = await self.tree.newest_checkpoint()
        inclusion, consistency = (
            ProveInclusion(self.tree),
            ProveConsistency(self.tree),
        )
        for index in range(0, newest.size, every):
            proof = await inclusion.of(await self.entries.by_index(index))
            stored = proof.entry.stored
            assert stored.index == index
            root = proof.checkpoint.root
            assert included(index, newest.size, stored.leaf_hash, proof.path, root)
        sizes = sorted({checkpoint.size: checkpoint for checkpoint in [*self.seen, newest]}.items())
        for (first, before), (second, after) in pairwise([s for s in sizes if s[0]]):
            between = await consistency.between(first, second)
            assert consistent(first, second, before.root, after.root, between.hashes)
        roots = {(checkpoint.size, checkpoint.root) for checkpoint in [*self.seen, newest]}
        assert len(roots) == len(sizes), "two checkpoints of one size and different roots"
        return newest.size

    async def close(self) -> None:
        """Lets go of the databases."""
        await self.database.close()
        await self.key_database.close()


async def said(database: Database, kek_directory: Path) -> list[NewEntry]:
    """What audit itself has said in a key database, and no log has published yet."""
    own = StoredOwnEvents(database, StoredKeys(database, kek_directory))
    rows = select(outbox.c.event).order_by(outbox.c.id)
    events = await database.read(lambda tx: own.opened(tx, tx.execute(rows).scalars().all()))
    return [NewEntry.FromString(event) for event in events]


@contextlib.asynccontextmanager
async def running(log: Log) -> AsyncIterator[Log]:
    """Opens a log's writer and runs it; stops it, and lets go of the databases, at the end."""
    try:
        await log.writer.open()
        async with run_writer(log.writer):
            yield log
    finally:
        await log.close()


@contextlib.asynccontextmanager
async def run_writer(writer: AppendEntries) -> AsyncIterator[None]:
    """Runs a writer for the length of a block."""
    task = asyncio.create_task(writer.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
