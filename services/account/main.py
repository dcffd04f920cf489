"""Puts the account service together: settings, stores, ways out, cases, doors."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from accord.account.v1 import (
    account_service_pb2,
    key_service_pb2,
    link_service_pb2,
    session_service_pb2,
    staff_service_pb2,
)
from accord.audit.v1 import append_service_pb2
from accord.sharing.v1 import subject_service_pb2

from runtime import process
from runtime.channel import Channel
from runtime.clock import Clock, SystemClock
from runtime.db import Database
from runtime.migrations import is_current, migrate
from runtime.process import NotReadyError
from runtime.relay import Relay
from runtime.seal import UnsealError
from runtime.server import Server
from runtime.signing_keys import SigningKeys
from runtime.telemetry import Telemetry
from services.account.api.accounts import AccountServicer
from services.account.api.keys import KeyServicer
from services.account.api.links import LinkServicer
from services.account.api.sessions import SessionServicer
from services.account.api.staff import StaffServicer
from services.account.cases.accept_invitation import AcceptInvitation
from services.account.cases.authenticate import Authenticate
from services.account.cases.begin_flow import BeginFlow
from services.account.cases.complete_link import CompleteLink
from services.account.cases.complete_sign_in import CompleteSignIn
from services.account.cases.end_session import EndSession
from services.account.cases.feed_sharing import FeedSharing
from services.account.cases.get_account import GetAccount
from services.account.cases.get_invitation import GetInvitation
from services.account.cases.get_registration import GetRegistration
from services.account.cases.invite_staff import InviteStaff
from services.account.cases.list_links import ListLinks
from services.account.cases.prove import Prove
from services.account.cases.register import Register
from services.account.cases.unlink import Unlink
from services.account.peers.directory import Directory, ProviderFileError
from services.account.peers.http import http_client
from services.account.peers.sharing import SharingPeer
from services.account.settings import AccountSettings
from services.account.store.actor_keys import ActorKeys
from services.account.store.tables import actor_keys, outbox
from services.account.store.unit import SqlStore
from services.account.store.vault import SealedVault

MIGRATIONS = "services.account.store:migrations"

_SESSIONS = session_service_pb2.DESCRIPTOR.services_by_name["SessionService"]
_LINKS = link_service_pb2.DESCRIPTOR.services_by_name["LinkService"]
_ACCOUNTS = account_service_pb2.DESCRIPTOR.services_by_name["AccountService"]
_STAFF = staff_service_pb2.DESCRIPTOR.services_by_name["StaffService"]
_KEYS = key_service_pb2.DESCRIPTOR.services_by_name["KeyService"]
_SUBJECTS = subject_service_pb2.DESCRIPTOR.services_by_name["SubjectService"]
_APPEND = append_service_pb2.DESCRIPTOR.services_by_name["AppendService"]


@asynccontextmanager
async def assembled(
    settings: AccountSettings, *, clock: Clock, traces: Telemetry
) -> AsyncIterator[Server]:
    """Open what the service stands on, and hand out the server, ready to start.

    NotReadyError for a providers' file, a database or a key that is not as it must be.
    """
    if not is_current(settings.database, MIGRATIONS):
        raise NotReadyError("the database is not migrated: `python -m services.account migrate`")
    async with AsyncExitStack() as stack:
        db = Database(settings.database)
        stack.push_async_callback(db.close)
        https = await stack.enter_async_context(http_client(settings.provider_ca_file))
        try:
            providers = Directory.load(
                settings.providers_file, settings.portal_origin, https, clock
            )
        except ProviderFileError as error:
            raise NotReadyError(f"{settings.providers_file}: {error}") from error
        to_sharing = Channel("sharing", settings.sharing_address, settings, [_SUBJECTS])
        stack.push_async_callback(to_sharing.close)
        to_audit = Channel("audit", settings.audit_address, settings, [_APPEND], served_by_one=True)
        stack.push_async_callback(to_audit.close)

        sealer = settings.sealer("account")
        store, vault = SqlStore(db, sealer), SealedVault(sealer)
        keys = SigningKeys(db, actor_keys, outbox, sealer, clock, "account:key:create")
        try:
            await keys.check()
        except UnsealError as error:
            raise NotReadyError("the sealing key is not that of this database") from error
        signer = ActorKeys(keys, clock, settings.region)
        sharing = SharingPeer(to_sharing)
        begin = BeginFlow(store, providers, vault, clock)
        prove = Prove(store, providers, vault, clock)
        sessions = SessionServicer(
            providers,
            begin,
            CompleteSignIn(prove, store, vault, clock),
            GetRegistration(store, vault, clock),
            Register(store, providers, vault, sharing, clock, settings.region),
            Authenticate(store, signer, clock),
            EndSession(store, clock),
        )
        links = LinkServicer(
            providers,
            settings.region,
            begin,
            CompleteLink(prove, store, clock),
            ListLinks(store, providers),
            Unlink(store, providers, clock),
        )
        staff = StaffServicer(
            InviteStaff(store, vault, clock),
            GetInvitation(store, clock),
            AcceptInvitation(store, clock),
        )
        yield (
            Server(settings, "account", clock=clock, actor_keys=keys.key_set, traces=traces)
            .add(_SESSIONS, sessions)
            .add(_LINKS, links)
            .add(_ACCOUNTS, AccountServicer(settings.region, GetAccount(store)))
            .add(_STAFF, staff)
            .add(_KEYS, KeyServicer(signer))
            .also("relay", Relay(db, outbox, to_audit, clock, traces).run)
            .also("feed", FeedSharing(store, sharing).run)
            .ready_when(db.ping)
        )


async def serve(settings: AccountSettings) -> None:
    """Serve until told to stop."""
    await process.serve(
        "account",
        settings,
        lambda traces: assembled(settings, clock=SystemClock(), traces=traces),
    )


async def check(settings: AccountSettings) -> None:
    """Raise NotReadyError unless the service could start."""
    traces = Telemetry("account", settings.region, None)
    try:
        async with assembled(settings, clock=SystemClock(), traces=traces):
            pass
    finally:
        traces.close()


def migrate_all(settings: AccountSettings) -> None:
    """Bring the database to the newest revision."""
    migrate(settings.database, MIGRATIONS)
