"""Puts the audit service together: settings, stores, cases, doors."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from accord.audit.v1 import append_service_pb2, own_entry_service_pb2, read_service_pb2

from runtime import process
from runtime.actor import KeySource
from runtime.actor_keys import ActorKeys
from runtime.channel import Channel
from runtime.clock import Clock, SystemClock
from runtime.db import Database
from runtime.migrations import is_current, migrate
from runtime.process import NotReadyError
from runtime.relay import Relay
from runtime.server import Server
from runtime.telemetry import Telemetry
from services.audit.api.append import AppendServicer
from services.audit.api.envelope import LogEntryEnvelope
from services.audit.api.own import OwnEntryServicer
from services.audit.api.read import ReadServicer
from services.audit.cases.append_entries import AppendEntries
from services.audit.cases.prove_consistency import ProveConsistency
from services.audit.cases.prove_inclusion import ProveInclusion
from services.audit.cases.publish import NoWitnesses, Publisher
from services.audit.cases.read_entries import ReadEntries
from services.audit.cases.read_own import ReadOwn
from services.audit.cases.reading import OnRecord
from services.audit.cases.record import Record
from services.audit.cases.sequence import Sequencer
from services.audit.cases.tail import Growth, Tail
from services.audit.cases.tree import Tree
from services.audit.domain.faults import LogDamagedError
from services.audit.settings import AuditSettings
from services.audit.store import KEY_MIGRATIONS, LOG_MIGRATIONS
from services.audit.store.key_encryption import load_keys
from services.audit.store.log import StoredLog
from services.audit.store.log_keys import load_log_keys
from services.audit.store.own_events import StoredOwnEvents
from services.audit.store.party_keys import StoredKeys
from services.audit.store.published import StoredPublications
from services.audit.store.sequencer_lock import sequencer_lock
from services.audit.store.tables import outbox
from services.audit.store.tile_directory import TileDirectory

_APPEND = append_service_pb2.DESCRIPTOR.services_by_name["AppendService"]
_READ = read_service_pb2.DESCRIPTOR.services_by_name["ReadService"]
_OWN = own_entry_service_pb2.DESCRIPTOR.services_by_name["OwnEntryService"]


@asynccontextmanager
async def assembled(
    settings: AuditSettings, *, clock: Clock, actor_keys: KeySource, traces: Telemetry
) -> AsyncIterator[Server]:
    """Open the stores, verify the log, and hand out the server, ready to start.

    NotReadyError for keys or databases that are not as they must be, and when what is stored is not
    what was signed.
    """
    check(settings)
    signer = load_log_keys(settings.log_key_file, settings.origin)
    async with AsyncExitStack() as stack:
        log_database = Database(settings.database)
        stack.push_async_callback(log_database.close)
        key_database = Database(settings.key_database)
        stack.push_async_callback(key_database.close)
        envelope = LogEntryEnvelope()
        stored = StoredLog(log_database, envelope, clock)
        keys = StoredKeys(key_database, settings.kek_directory)
        if months := await keys.months_without_kek():
            # Going on would give everyone wrapped there new pseudonyms, as if they were erased.
            raise NotReadyError(
                f"keys are wrapped under {', '.join(months)}, whose .kek is not in "
                f"{settings.kek_directory}: put it back, or delete the rows to erase their parties"
            )
        to_itself = Channel(
            "audit", settings.audit_address, settings, [_APPEND], served_by_one=True
        )
        stack.push_async_callback(to_itself.close)
        server = Server(settings, "audit", clock=clock, actor_keys=actor_keys, traces=traces)
        tiles = TileDirectory(settings.tile_directory)
        publisher = Publisher(
            signer,
            stored,
            publications=StoredPublications(log_database, clock),
            tiles=tiles,
            witnesses=NoWitnesses(),
            clock=clock,
        )
        lock = sequencer_lock(settings.database)
        stack.push_async_callback(lock.leave)
        sequencer = Sequencer(
            lock,
            lambda: AppendEntries(stored, keys, envelope, signer),
            beside=[publisher],
            changed=lambda here: server.offer(_APPEND, here=here),
        )
        try:
            await sequencer.begin()
        except (LogDamagedError, OSError) as error:
            raise NotReadyError(str(error)) from error
        on_record = OnRecord(Record(StoredOwnEvents(key_database)), keys, clock)
        entries = ReadEntries(settings.origin, stored, keys)
        tree = Tree(stored, signer)
        inclusion, growth = ProveInclusion(tree), Growth(tree)
        tail = Tail(entries, growth, on_record)
        read = ReadServicer(
            entries,
            tree=tree,
            inclusion=inclusion,
            consistency=ProveConsistency(tree),
            tail=tail,
            on_record=on_record,
        )
        own = OwnEntryServicer(ReadOwn(settings.origin, stored, keys, clock), inclusion, on_record)
        yield (
            server.add(_APPEND, AppendServicer(sequencer, publisher))
            .tell_health(_APPEND)
            .add(_READ, read)
            .add(_OWN, own)
            .also("growth", growth.run)
            .when_draining(growth.drain)
            .also("sequencer", sequencer.run)
            .also("relay", Relay(key_database, outbox, to_itself, clock, traces).run)
            .ready_when(log_database.ping)
            .ready_when(key_database.ping)
        )


async def serve(settings: AuditSettings) -> None:
    """Serve until told to stop."""

    @asynccontextmanager
    async def alone(traces: Telemetry) -> AsyncIterator[Server]:
        async with (
            ActorKeys(settings.account_address, settings) as keys,
            assembled(settings, clock=SystemClock(), actor_keys=keys, traces=traces) as server,
        ):
            yield server

    await process.serve("audit", settings, alone)


def check(settings: AuditSettings) -> None:
    """Raise NotReadyError unless keys can be read and databases are migrated."""
    try:
        load_log_keys(settings.log_key_file, settings.origin)
        load_keys(settings.kek_directory)
    except ValueError as error:
        raise NotReadyError(str(error)) from error
    current = is_current(settings.database, LOG_MIGRATIONS)
    if not current or not is_current(settings.key_database, KEY_MIGRATIONS):
        raise NotReadyError("a database is not migrated: run `python -m services.audit migrate`")


def migrate_all(settings: AuditSettings) -> None:
    """Bring both databases to the newest revision; run as the owner of the tables."""
    migrate(settings.database, LOG_MIGRATIONS)
    migrate(settings.key_database, KEY_MIGRATIONS)
