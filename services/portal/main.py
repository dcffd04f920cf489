"""Puts the portal together: settings, peers, pages, the two ports."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from accord.account.v1 import (
    account_service_pb2,
    account_service_pb2_grpc,
    link_service_pb2,
    link_service_pb2_grpc,
    session_service_pb2,
    session_service_pb2_grpc,
    staff_service_pb2,
    staff_service_pb2_grpc,
)
from accord.audit.v1 import (
    erasure_service_pb2,
    erasure_service_pb2_grpc,
    own_entry_service_pb2,
    own_entry_service_pb2_grpc,
    read_service_pb2,
    read_service_pb2_grpc,
)
from accord.sharing.v1 import (
    analysis_service_pb2,
    analysis_service_pb2_grpc,
    consent_service_pb2,
    consent_service_pb2_grpc,
    contract_service_pb2,
    contract_service_pb2_grpc,
    decision_service_pb2,
    decision_service_pb2_grpc,
    instrument_service_pb2,
    instrument_service_pb2_grpc,
    key_service_pb2,
    key_service_pb2_grpc,
    preference_service_pb2,
    preference_service_pb2_grpc,
    reach_service_pb2,
    reach_service_pb2_grpc,
    recipient_service_pb2,
    recipient_service_pb2_grpc,
    revocation_service_pb2,
    revocation_service_pb2_grpc,
    rulebook_service_pb2,
    rulebook_service_pb2_grpc,
)
from starlette.types import ASGIApp

from runtime import logs
from runtime.channel import Channel
from runtime.clock import Clock, SystemClock
from runtime.health import Health
from runtime.https import CONNECTIONS, Bounds, Https
from runtime.telemetry import Telemetry
from services.portal.api.app import portal
from services.portal.api.catalog import load_catalogs
from services.portal.api.desk import Desk
from services.portal.api.render import templates
from services.portal.api.static import StaticFiles
from services.portal.domain.stated import StatedPurpose
from services.portal.peers.account import AccountPeer, SessionPeer, StaffPeer
from services.portal.peers.agreements import AgreementPeer
from services.portal.peers.analysis import AnalysisPeer
from services.portal.peers.audit import LogPeer, OwnLogPeer
from services.portal.peers.consents import ConsentsPeer
from services.portal.peers.contracts import ContractPeer
from services.portal.peers.erasures import ErasurePeer
from services.portal.peers.peer import Peer
from services.portal.peers.reach import ReachPeer
from services.portal.peers.sharing import ChoicesPeer, SharingStubs
from services.portal.peers.subjects import SubjectPeer
from services.portal.settings import PortalSettings

log = logs.get(__name__)

# A load balancer is one address, so none has a share of its own; browsers keep connections.
_BOUNDS = Bounds(per_peer=CONNECTIONS, age_s=600)


@asynccontextmanager
async def assembled(
    settings: PortalSettings, *, clock: Clock, traces: Telemetry
) -> AsyncIterator[ASGIApp]:
    """Open the ways out and hand out the application."""
    account_services = [
        account_service_pb2.DESCRIPTOR.services_by_name["AccountService"],
        link_service_pb2.DESCRIPTOR.services_by_name["LinkService"],
        session_service_pb2.DESCRIPTOR.services_by_name["SessionService"],
        staff_service_pb2.DESCRIPTOR.services_by_name["StaffService"],
    ]
    sharing_services = [
        consent_service_pb2.DESCRIPTOR.services_by_name["ConsentService"],
        contract_service_pb2.DESCRIPTOR.services_by_name["ContractService"],
        decision_service_pb2.DESCRIPTOR.services_by_name["DecisionService"],
        instrument_service_pb2.DESCRIPTOR.services_by_name["InstrumentService"],
        key_service_pb2.DESCRIPTOR.services_by_name["KeyService"],
        preference_service_pb2.DESCRIPTOR.services_by_name["PreferenceService"],
        analysis_service_pb2.DESCRIPTOR.services_by_name["AnalysisService"],
        reach_service_pb2.DESCRIPTOR.services_by_name["ReachService"],
        recipient_service_pb2.DESCRIPTOR.services_by_name["RecipientService"],
        revocation_service_pb2.DESCRIPTOR.services_by_name["RevocationService"],
        rulebook_service_pb2.DESCRIPTOR.services_by_name["RulebookService"],
    ]
    audit_services = [
        read_service_pb2.DESCRIPTOR.services_by_name["ReadService"],
        erasure_service_pb2.DESCRIPTOR.services_by_name["ErasureService"],
        own_entry_service_pb2.DESCRIPTOR.services_by_name["OwnEntryService"],
    ]
    async with AsyncExitStack() as stack:
        account = Channel("account", settings.account_address, settings, account_services)
        stack.push_async_callback(account.close)
        sharing = Channel("sharing", settings.sharing_address, settings, sharing_services)
        stack.push_async_callback(sharing.close)
        audit = Channel("audit", settings.audit_address, settings, audit_services)
        stack.push_async_callback(audit.close)

        stubs = SharingStubs(
            rulebook=Peer(rulebook_service_pb2_grpc.RulebookServiceStub, sharing),
            recipients=Peer(recipient_service_pb2_grpc.RecipientServiceStub, sharing),
            preferences=Peer(preference_service_pb2_grpc.PreferenceServiceStub, sharing),
            decisions=Peer(decision_service_pb2_grpc.DecisionServiceStub, sharing),
        )
        static = StaticFiles()
        desk = Desk(
            region=settings.region,
            form_key=settings.form_key,
            clock=clock,
            catalogs=load_catalogs(),
            templates=templates(static.style),
            sessions=SessionPeer(Peer(session_service_pb2_grpc.SessionServiceStub, account)),
            accounts=AccountPeer(
                Peer(account_service_pb2_grpc.AccountServiceStub, account),
                Peer(link_service_pb2_grpc.LinkServiceStub, account),
            ),
            staff=StaffPeer(Peer(staff_service_pb2_grpc.StaffServiceStub, account)),
            consents=ConsentsPeer(
                Peer(consent_service_pb2_grpc.ConsentServiceStub, sharing),
                Peer(key_service_pb2_grpc.KeyServiceStub, sharing),
            ),
            choices=ChoicesPeer(stubs, clock),
            analysis=AnalysisPeer(Peer(analysis_service_pb2_grpc.AnalysisServiceStub, sharing)),
            subjects=SubjectPeer(
                Peer(reach_service_pb2_grpc.ReachServiceStub, sharing),
                Peer(consent_service_pb2_grpc.ConsentServiceStub, sharing),
            ),
            reaches=ReachPeer(Peer(reach_service_pb2_grpc.ReachServiceStub, sharing)),
            contracts=ContractPeer(
                stubs.recipients, Peer(contract_service_pb2_grpc.ContractServiceStub, sharing)
            ),
            agreements=AgreementPeer(
                stubs.recipients,
                Peer(contract_service_pb2_grpc.ContractServiceStub, sharing),
                Peer(instrument_service_pb2_grpc.InstrumentServiceStub, sharing),
                Peer(revocation_service_pb2_grpc.RevocationServiceStub, sharing),
            ),
            erasures=ErasurePeer(Peer(erasure_service_pb2_grpc.ErasureServiceStub, audit)),
            log=LogPeer(Peer(read_service_pb2_grpc.ReadServiceStub, audit), settings.log_keys),
            own_log=OwnLogPeer(
                Peer(own_entry_service_pb2_grpc.OwnEntryServiceStub, audit), settings.log_keys
            ),
            stated=StatedPurpose(settings.form_key),
            trace_viewer=settings.trace_viewer_url,
        )
        yield portal(
            desk,
            static,
            origin=settings.portal_origin,
            form_origins=settings.provider_origins.split(),
            traces=traces,
        )


async def serve(settings: PortalSettings) -> None:
    """Serve until SIGTERM or SIGINT, then let pages in progress be finished."""
    logs.configure("portal", settings.region, settings.log_level)
    traces = Telemetry("portal", settings.region, settings.otlp_endpoint)
    try:
        async with assembled(settings, clock=SystemClock(), traces=traces) as app:
            await _serve(settings, app)
    finally:
        traces.close()


async def _serve(settings: PortalSettings, app: ASGIApp) -> None:
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked.set)
    pair = (settings.web_certificate_file, settings.web_key_file)
    health = Health(settings.health_listen)
    with Https(settings.web_listen, app, pair, None, _BOUNDS) as web:
        await health.start()
        tasks = [
            asyncio.create_task(web.run()),
            asyncio.create_task(health.watch(["portal"])),
            asyncio.create_task(asked.wait()),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()  # with a task that failed the process ends
        finally:
            await health.drain()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await health.stop()
            log.info("stopped")
