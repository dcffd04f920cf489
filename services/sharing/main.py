"""Puts the sharing service together: settings, rulebook, store, doors."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from accord.audit.v1 import append_service_pb2
from accord.sharing.foreign import authzen_pb2, ext_authz_pb2
from accord.sharing.v1 import (
    analysis_service_pb2,
    consent_service_pb2,
    contract_service_pb2,
    decision_service_pb2,
    disclosure_service_pb2,
    instrument_service_pb2,
    key_service_pb2,
    loader_service_pb2,
    preference_service_pb2,
    reach_service_pb2,
    recipient_service_pb2,
    revocation_service_pb2,
    rulebook_service_pb2,
    subject_service_pb2,
    watch_service_pb2,
)

from runtime import process
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
from runtime.seal import UnsealError
from runtime.server import Server
from runtime.signing_keys import SigningKeys
from runtime.telemetry import Telemetry
from services.sharing.api.analysis import AnalysisServicer
from services.sharing.api.codec import ProtoDecisions
from services.sharing.api.consents import ConsentServicer
from services.sharing.api.contracts import ContractServicer
from services.sharing.api.decisions import DecisionServicer
from services.sharing.api.disclosures import DisclosureServicer
from services.sharing.api.doors.access import Access
from services.sharing.api.doors.authzen_grpc import AccessServicer
from services.sharing.api.doors.authzen_https import application
from services.sharing.api.doors.ext_authz import AuthorizationServicer
from services.sharing.api.instruments import InstrumentServicer
from services.sharing.api.keys import KeyServicer
from services.sharing.api.loader import LoaderServicer
from services.sharing.api.preferences import PreferenceServicer
from services.sharing.api.reach import ReachServicer
from services.sharing.api.recipients import RecipientServicer
from services.sharing.api.revocations import RevocationServicer
from services.sharing.api.rulebook import RulebookServicer
from services.sharing.api.subjects import SubjectServicer
from services.sharing.api.watch import WatchServicer
from services.sharing.cases.deliver_notices import Deliveries
from services.sharing.cases.means import Means
from services.sharing.cases.tell_ends import keep_telling
from services.sharing.domain.revocation import NoticeRules
from services.sharing.domain.rulebook import Rulebook, RulebookError
from services.sharing.peers.webhooks import Webhooks
from services.sharing.settings import SharingSettings
from services.sharing.store.apps import AppsError, load_apps
from services.sharing.store.feed import Feed
from services.sharing.store.lint import compile_draft
from services.sharing.store.memory import Memory
from services.sharing.store.records import MIGRATIONS, SqlStore
from services.sharing.store.register import Register
from services.sharing.store.rulebook import load_rulebook
from services.sharing.store.signer import JwsSigner
from services.sharing.store.tables import outbox, signing_keys
from services.sharing.store.watch_keys import WatchKeys

_APPEND = append_service_pb2.DESCRIPTOR.services_by_name["AppendService"]


@asynccontextmanager
async def assembled(
    settings: SharingSettings,
    *,
    clock: Clock,
    actor_keys: KeySource,
    traces: Telemetry,
    loader: bool = False,
) -> AsyncIterator[Server]:
    """Load the rules, open the store, and hand out the server, ready to start.

    `loader` serves what fills the throw-away store of a policy test; no setting asks for it.
    NotReadyError for data that contradicts itself, for a database that is not migrated, and for a
    sealing key that is not the database's.
    """
    rulebook, apps = check(settings)
    async with AsyncExitStack() as stack:
        database = Database(settings.database)
        stack.push_async_callback(database.close)
        audit = Channel("audit", settings.audit_address, settings, [_APPEND], served_by_one=True)
        stack.push_async_callback(audit.close)
        sealer = settings.sealer("sharing")
        keys = SigningKeys(database, signing_keys, outbox, sealer, clock, "sharing:key:create")
        try:
            await keys.check()
        except UnsealError as error:
            raise NotReadyError("the sealing key is not that of this database") from error
        signer = JwsSigner(keys)
        codec = ProtoDecisions()
        feed = Feed(database, settings.region, clock)
        facts = Memory(database, feed, settings.facts_in_memory)
        means = Means(
            SqlStore(database, codec),
            feed,
            facts,
            codec,
            Register(database, codec),
            rulebook,
            clock,
            settings.region,
            signer,
            WatchKeys(sealer),
            NoticeRules(
                settings.revocation_hours,
                settings.revocation_hours_by_country,
                settings.revocation_to_loopback,
            ),
            compile_draft,
        )
        relay = Relay(database, outbox, audit, clock, traces)
        watch = WatchServicer(means)
        server = Server(settings, "sharing", clock=clock, actor_keys=actor_keys, traces=traces)
        decisions = DecisionServicer(means, apps)
        access = Access(means, decisions, apps)
        for protos, name, servicer in (
            (subject_service_pb2, "SubjectService", SubjectServicer(means)),
            (recipient_service_pb2, "RecipientService", RecipientServicer(means)),
            (contract_service_pb2, "ContractService", ContractServicer(means)),
            (consent_service_pb2, "ConsentService", ConsentServicer(means, apps)),
            (preference_service_pb2, "PreferenceService", PreferenceServicer(means, apps)),
            (instrument_service_pb2, "InstrumentService", InstrumentServicer(means)),
            (decision_service_pb2, "DecisionService", decisions),
            (analysis_service_pb2, "AnalysisService", AnalysisServicer(means)),
            (reach_service_pb2, "ReachService", ReachServicer(means, apps)),
            (disclosure_service_pb2, "DisclosureService", DisclosureServicer(means)),
            (revocation_service_pb2, "RevocationService", RevocationServicer(means)),
            (rulebook_service_pb2, "RulebookService", RulebookServicer(rulebook)),
            (key_service_pb2, "KeyService", KeyServicer(means)),
            (watch_service_pb2, "WatchService", watch),
            (authzen_pb2, "Access", AccessServicer(access)),
            (ext_authz_pb2, "Authorization", AuthorizationServicer(decisions)),
        ):
            server.add(protos.DESCRIPTOR.services_by_name[name], servicer)
        if loader:
            loading = loader_service_pb2.DESCRIPTOR.services_by_name["LoaderService"]
            server.add(loading, LoaderServicer(means))
        webhooks = Webhooks(settings.revocation_ca_file, loopback=settings.revocation_to_loopback)
        deliveries = Deliveries(means.store, signer, webhooks, clock=clock, region=settings.region)
        server.also("notices", deliveries.run)
        server.also("endings", lambda: keep_telling(means))
        server.also("feed", feed.run).when_draining(watch.drain)
        server.also("relay", relay.run).ready_when(database.ping)
        if settings.tools_listen and settings.tools_origin:
            app = application(
                access,
                origin=settings.tools_origin,
                bearers=_bearers(settings, apps),
                signer=signer,
                clock=clock,
                traces=traces,
            )
            door = stack.enter_context(Https.beside(settings, settings.tools_listen, app))
            server.also("https", door.run)
        yield server


async def serve(settings: SharingSettings) -> None:
    """Serve until told to stop."""

    @asynccontextmanager
    async def alone(traces: Telemetry) -> AsyncIterator[Server]:
        async with (
            ActorKeys(settings.account_address, settings) as keys,
            assembled(settings, clock=SystemClock(), actor_keys=keys, traces=traces) as server,
        ):
            yield server

    await process.serve("sharing", settings, alone)


def check(settings: SharingSettings) -> tuple[Rulebook, Mapping[str, frozenset[str]]]:
    """Load the rules and the apps; NotReadyError unless the service could start."""
    try:
        rulebook = load_rulebook()
        apps = load_apps(settings.apps_file, rulebook.services)
    except (RulebookError, AppsError) as error:
        raise NotReadyError(str(error)) from error
    _bearers(settings, apps)
    if not is_current(settings.database, MIGRATIONS):
        raise NotReadyError(
            "the database is not migrated: run `python -m services.sharing migrate`"
        )
    return rulebook, apps


def _bearers(settings: SharingSettings, apps: Mapping[str, frozenset[str]]) -> Bearers:
    try:
        return Bearers(settings.tools_tokens_file, apps, settings.region)
    except BearersError as error:
        raise NotReadyError(str(error)) from error


def migrate_all(settings: SharingSettings) -> None:
    """Bring the database to the newest revision; run as the owner of the tables."""
    migrate(settings.database, MIGRATIONS)
