"""Puts the audit service together: settings, stores, cases, doors."""

import hashlib
import inspect
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cache
from pathlib import Path

from accord.audit.v1 import (
    append_service_pb2,
    erasure_service_pb2,
    own_entry_service_pb2,
    read_service_pb2,
    tile_service_pb2,
)

from runtime import logs, process
from runtime.actor import KeySource
from runtime.actor_keys import ActorKeys
from runtime.bearers import Bearers, BearersError
from runtime.channel import Channel
from runtime.clock import Clock, SystemClock
from runtime.db import Database
from runtime.https import Https
from runtime.migrations import is_current, migrate
from runtime.process import NotReadyError
from runtime.relay import Relay
from runtime.server import Server
from runtime.telemetry import Telemetry
from runtime.trust import Regions
from services.audit.api.append import AppendServicer
from services.audit.api.convert import submissions
from services.audit.api.envelope import LogEntryEnvelope
from services.audit.api.erasures import ErasureServicer
from services.audit.api.own import OwnEntryServicer
from services.audit.api.read import ReadServicer
from services.audit.api.tiles import TileServicer
from services.audit.api.tiles_https import application
from services.audit.api.witness import witness_application
from services.audit.cases.append_entries import AppendEntries
from services.audit.cases.begin_log import BeginLog
from services.audit.cases.destroy_kek import DestroyKek
from services.audit.cases.erase_person import ErasePerson
from services.audit.cases.gaps import Gaps
from services.audit.cases.keep_holds import KeepHolds
from services.audit.cases.prove_consistency import ProveConsistency
from services.audit.cases.prove_inclusion import ProveInclusion
from services.audit.cases.publish import Publisher
from services.audit.cases.read_entries import ReadEntries
from services.audit.cases.read_own import ReadOwn
from services.audit.cases.read_tiles import ReadTiles
from services.audit.cases.reading import OnRecord
from services.audit.cases.record import Record
from services.audit.cases.record_keys import RecordKeys
from services.audit.cases.replay import Replay
from services.audit.cases.seal_batches import SealBatches
from services.audit.cases.sequence import Sequencer
from services.audit.cases.show_erasures import ShowErasures
from services.audit.cases.tail import Growth, Tail
from services.audit.cases.tree import Tree
from services.audit.cases.witness import Witness
from services.audit.domain.entry import Leaf
from services.audit.domain.faults import LogDamagedError
from services.audit.domain.log_keys import KnownLog
from services.audit.domain.note import COSIGNATURE
from services.audit.domain.ports import Sealing
from services.audit.domain.sealing import parties
from services.audit.peers.sealing_process import SealingProcess, Told, answer
from services.audit.peers.witnesses import HttpsWitnesses, Means
from services.audit.settings import AuditSettings, witness_name
from services.audit.store import KEY_MIGRATIONS, LOG_MIGRATIONS
from services.audit.store.erasures import StoredErasures
from services.audit.store.key_encryption import destroy_key, load_keys
from services.audit.store.log import StoredLog
from services.audit.store.log_keys import load_log_keys
from services.audit.store.note_key import NoteKey, NoteVerifier
from services.audit.store.own_events import StoredOwnEvents
from services.audit.store.party_keys import StoredKeys
from services.audit.store.published import StoredPublications
from services.audit.store.sequencer_lock import sequencer_lock
from services.audit.store.tables import outbox
from services.audit.store.tile_directory import TileDirectory
from services.audit.store.witness_files import read_known_logs, read_policy
from services.audit.store.witnessed import StoredWitnessed

log = logs.get(__name__)

_APPEND = append_service_pb2.DESCRIPTOR.services_by_name["AppendService"]
_READ = read_service_pb2.DESCRIPTOR.services_by_name["ReadService"]
_ERASURES = erasure_service_pb2.DESCRIPTOR.services_by_name["ErasureService"]
_OWN = own_entry_service_pb2.DESCRIPTOR.services_by_name["OwnEntryService"]
_BATCH = 500  # rows of keys that are wrapped anew in one transaction
_TILES = tile_service_pb2.DESCRIPTOR.services_by_name["TileService"]


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
        key_database = Database(settings.key_database, secure_delete=True)
        stack.push_async_callback(key_database.close)
        envelope = LogEntryEnvelope()
        stored = StoredLog(log_database, envelope, clock)
        keys = StoredKeys(key_database, settings.kek_directory)
        own_events = StoredOwnEvents(key_database, keys)
        erasures = StoredErasures(key_database, keys)
        if closed := await keys.why_closed():
            raise NotReadyError(closed)
        to_itself = Channel(
            "audit", settings.audit_address, settings, [_APPEND], served_by_one=True
        )
        stack.push_async_callback(to_itself.close)
        server = Server(settings, "audit", clock=clock, actor_keys=actor_keys, traces=traces)
        witnesses = _witnesses(settings, signer, traces)
        stack.push_async_callback(witnesses.close)
        tiles = TileDirectory(settings.tile_directory)
        publisher = Publisher(
            signer,
            stored,
            publications=StoredPublications(log_database, clock),
            tiles=tiles,
            witnesses=witnesses,
            clock=clock,
            alarm=traces.alarm,
        )
        sealing = SealingProcess(
            SealBatches(settings.origin, keys, envelope, submissions), _told(settings)
        )
        stack.push_async_callback(sealing.close)
        record = Record(own_events)
        relay = Relay(key_database, outbox, to_itself, clock, traces, opened=own_events.opened)
        gaps = Gaps(record, clock, traces.alarm)
        tree = Tree(stored, signer)
        growth = Growth(tree)
        lock = sequencer_lock(settings.database)
        stack.push_async_callback(lock.leave)
        sequencer = Sequencer(
            lock,
            lambda: AppendEntries(stored, keys, sealing, signer, gaps),
            beside=[
                publisher,
                BeginLog(stored, own_events),
                RecordKeys(stored, signer, record, clock),
            ],
            changed=lambda here: server.offer(_APPEND, here=here),
            committed=growth.grown,
        )
        try:
            await sequencer.begin()
            await Replay(settings.origin, stored, keys, erasures, own_events)()
            await erasures.scrub()  # of what a process that died had just destroyed
        except (LogDamagedError, OSError) as error:
            raise NotReadyError(str(error)) from error
        on_record = OnRecord(record, keys, clock)
        entries = ReadEntries(settings.origin, stored, keys)
        inclusion, tail = ProveInclusion(tree), Tail(entries, growth, on_record)
        read = ReadServicer(
            entries,
            tree=tree,
            inclusion=inclusion,
            consistency=ProveConsistency(tree),
            tail=tail,
            on_record=on_record,
        )
        own = OwnEntryServicer(ReadOwn(settings.origin, stored, keys, clock), inclusion, on_record)
        if witness := await _witness_door(settings, log_database, clock, traces):
            server.also("witness", stack.enter_context(witness).run)
        readable = ReadTiles(tiles, signer, settings.tools_apps)
        if files := _files_door(settings, readable, traces):
            server.also("https", stack.enter_context(files).run)
        _measure(publisher, traces)
        yield (
            server.add(_APPEND, AppendServicer(sequencer, publisher))
            .tell_health(_APPEND)
            .add(_READ, read)
            .add(_OWN, own)
            .add(_TILES, TileServicer(readable))
            .add(
                _ERASURES,
                ErasureServicer(
                    settings.region,
                    ErasePerson(erasures, stored, clock),
                    KeepHolds(erasures, clock),
                    ShowErasures(erasures, stored, entries, inclusion),
                    on_record,
                ),
            )
            .also("growth", growth.run)
            .when_draining(growth.drain)
            .also("sequencer", sequencer.run)
            .also("relay", relay.run)
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


async def seal() -> None:
    """Be the process that seals for a service, which started it."""

    @asynccontextmanager
    async def made(told: Told) -> AsyncIterator[Sealing]:
        logs.configure("audit", told.region, told.log_level)
        process.spare_the_collector()
        database = Database(told.key_database, secure_delete=True)
        try:
            keys = StoredKeys(database, Path(told.kek_directory))
            yield SealBatches(told.origin, keys, LogEntryEnvelope(), submissions)
        finally:
            await database.close()

    await answer(made, code())


def _told(settings: AuditSettings) -> Told:
    return Told(
        settings.region,
        settings.log_level,
        settings.origin,
        settings.key_database,
        str(settings.kek_directory),
        code(),
    )


@cache
def code() -> str:
    """Return the digest of what makes an entry's bytes, as it was when it was first asked for."""
    digest = hashlib.sha256()
    for part in (submissions, LogEntryEnvelope, SealBatches, Leaf, parties):
        digest.update(Path(inspect.getfile(part)).read_bytes())
    return digest.hexdigest()


def _measure(publisher: Publisher, traces: Telemetry) -> None:
    """Show how far the log is published; the sequencer alone knows."""
    for name, unit, description, value in (
        ("published.size", "{entry}", "entries that are published", lambda: publisher.published),
        ("unpublished", "{entry}", "entries signed and not published", lambda: publisher.waiting),
        ("published.age", "s", "since something was last published", lambda: publisher.age_s),
    ):
        traces.gauge(f"accord.log.{name}", unit, description, value)


def check(settings: AuditSettings) -> None:
    """Raise NotReadyError unless keys can be read and databases are migrated."""
    try:
        log = load_log_keys(settings.log_key_file, settings.origin)
        load_keys(settings.kek_directory)
        _witnesses(settings, log, Telemetry("audit", settings.region, None))
        _tools_bearers(settings)
        if settings.witness_listen:
            _witness(settings)
            _witness_bearers(settings)
    except (OSError, ValueError, BearersError) as error:
        raise NotReadyError(str(error)) from error
    current = is_current(settings.database, LOG_MIGRATIONS)
    if not current or not is_current(settings.key_database, KEY_MIGRATIONS):
        raise NotReadyError("a database is not migrated: run `python -m services.audit migrate`")


async def rewrap(settings: AuditSettings) -> AsyncIterator[int]:
    """Wrap all rows of older months under the newest key, telling how many after each batch."""
    async with _keys(settings) as (keys, _):
        while count := await keys.rewrap(_BATCH):
            yield count


async def destroy_kek(settings: AuditSettings, month: str) -> None:
    """Take a month's key-encryption key out of use, destroy its file, and tell the log.

    KekInUseError while rows need it. Repeated after a stop it goes on where it was; OSError when
    the file cannot be written: where it is kept read-only it is removed by others, and nothing is
    told before that.
    """
    who = f"spiffe://{settings.trust_domain}/svc/audit"
    async with _keys(settings) as (_, erasures):
        destroy = DestroyKek(erasures, SystemClock())
        await destroy.retire(month)
        destroy_key(settings.kek_directory, month)
        await destroy.end(month, who)


@asynccontextmanager
async def _keys(settings: AuditSettings) -> AsyncIterator[tuple[StoredKeys, StoredErasures]]:
    database = Database(settings.key_database, secure_delete=True)
    try:
        keys = StoredKeys(database, settings.kek_directory)
        yield keys, StoredErasures(database, keys)
        await database.truncate_wal()
    finally:
        await database.close()


def migrate_all(settings: AuditSettings) -> None:
    """Bring both databases to the newest revision; run as the owner of the tables."""
    migrate(settings.database, LOG_MIGRATIONS)
    migrate(settings.key_database, KEY_MIGRATIONS)


def _files_door(settings: AuditSettings, readable: ReadTiles, traces: Telemetry) -> Https | None:
    if settings.tools_listen is None:
        return None
    files = application(readable, bearers=_tools_bearers(settings), traces=traces)
    return Https.beside(settings, settings.tools_listen, files)


def _tools_bearers(settings: AuditSettings) -> Bearers:
    return Bearers(settings.tools_tokens_file, settings.tools_apps, settings.region)


def _region_roots(settings: AuditSettings) -> Regions | None:
    directory = settings.region_roots_directory
    return Regions(directory) if directory else None


def _witnesses(settings: AuditSettings, log: KnownLog, traces: Telemetry) -> HttpsWitnesses:
    """Make what asks the witnesses of the policy; ValueError when a file says nonsense."""
    policy = read_policy(settings.witness_policy_file, log)
    roots = _region_roots(settings)
    means = Means(settings.credentials, roots, settings.witness_ca_file, traces)
    return HttpsWitnesses(policy, log, means, NoteVerifier)


async def _witness_door(
    settings: AuditSettings, database: Database, clock: Clock, traces: Telemetry
) -> Https | None:
    """Open the port at which other logs are cosigned, unless what its key cosigned was lost."""
    if not settings.witness_listen:
        return None
    known, key = _witness(settings)
    cosigned = StoredWitnessed(database, clock)
    if await cosigned.forgot(key.key):
        # It could cosign a second history of a log. Our own log is served all the same.
        log.error("the witness port stays shut", reason="what witness.key cosigned is lost")
        traces.alarm("witness_key_forgotten")
        return None
    witness = Witness(known, key, cosigned, clock)
    app = witness_application(witness, _witness_bearers(settings), traces, time.monotonic)
    tokens = settings.witness_tokens_file is not None
    roots = _region_roots(settings)
    return Https.beside(settings, settings.witness_listen, app, roots, anonymous=tokens)


def _witness_bearers(settings: AuditSettings) -> Bearers:
    return Bearers(settings.witness_tokens_file, None, settings.region)


def _witness(settings: AuditSettings) -> tuple[Mapping[str, KnownLog], NoteKey]:
    """Return whom this witness knows, and its key; ValueError when a file says nonsense."""
    if settings.witness_logs_file is None or settings.witness_key_file is None:
        raise ValueError("witness_listen needs witness_key_file and witness_logs_file")
    known = read_known_logs(settings.witness_logs_file)
    name = witness_name(settings.region)
    return known, NoteKey.load(settings.witness_key_file, name, COSIGNATURE)
