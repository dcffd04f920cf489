"""Account on its real wire: mTLS callers, a database, the sandbox as the outside world.

Sharing is met at the wire by a servicer that keeps what it is told; the mesh tests meet the
real one.
"""

from __future__ import annotations  # the asynchronous stubs exist for type checkers alone

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import grpc
import httpx
import pytest
import yaml
from accord.account.v1 import (
    account_service_pb2_grpc,
    key_service_pb2_grpc,
    link_service_pb2,
    link_service_pb2_grpc,
    session_service_pb2,
    session_service_pb2_grpc,
    staff_service_pb2_grpc,
)
from accord.audit.v1.append_service_pb2 import NewEntry
from accord.sharing.v1 import subject_pb2, subject_service_pb2
from google.protobuf.json_format import MessageToDict

from runtime.actor import METADATA_KEY
from runtime.call import Call
from runtime.errors import from_error
from runtime.event_names import text_of
from runtime.fault import Fault
from runtime.secret_file import write_secret
from runtime.server import Server
from runtime.settings import GrpcSettings
from runtime.testing import Bench, serving
from sandbox.material import Material
from services.account.main import MIGRATIONS, assembled
from services.account.settings import AccountSettings
from tests.migrated import migrated

PORTAL = "https://localhost:8443"
NOTICE = "mi-store@2025-05-20"
_SUBJECTS = subject_service_pb2.DESCRIPTOR.services_by_name["SubjectService"]

Callback = dict[str, str]


@dataclass
class Subjects:
    """Sharing's end of the wire: keeps what it is told, and answers only while `there`."""

    there: asyncio.Event = field(default_factory=asyncio.Event)
    told: list[subject_pb2.Subject] = field(default_factory=list)
    heard: asyncio.Event = field(default_factory=asyncio.Event)

    async def put_subject(
        self, request: subject_service_pb2.PutSubjectRequest, _call: Call
    ) -> subject_service_pb2.PutSubjectResponse:
        await self.there.wait()
        self.told.append(request.subject)
        self.heard.set()
        return subject_service_pb2.PutSubjectResponse(version=request.subject.version)


@dataclass
class Region:
    """A running account service and the stubs of its callers."""

    bench: Bench
    server: Server
    subjects: Subjects
    database: Path
    sessions: session_service_pb2_grpc.SessionServiceAsyncStub
    links: link_service_pb2_grpc.LinkServiceAsyncStub
    accounts: account_service_pb2_grpc.AccountServiceAsyncStub
    staff: staff_service_pb2_grpc.StaffServiceAsyncStub
    keys: key_service_pb2_grpc.KeyServiceAsyncStub
    inviting: staff_service_pb2_grpc.StaffServiceAsyncStub
    browser: httpx.AsyncClient
    portal: grpc.aio.Channel

    async def at_provider(self, url: str, person: str, **form: str) -> Callback:
        """Pick a person on the provider's page; return what the browser brings back."""
        page = await self.browser.get(url)
        assert page.status_code == httpx.codes.OK, page.text
        choice = {"person": person, "email": "yes"} if person else {"cancel": "yes"}
        answer = await self.browser.post(url, data=choice | form)
        location = urlsplit(answer.headers["location"])
        assert f"{location.scheme}://{location.netloc}" == PORTAL
        query = {key: values[0] for key, values in parse_qs(location.query).items()}
        provider = location.path.removeprefix("/callback/")
        known = {"code", "state", "iss", "error"}
        return {"provider": provider} | {k: v for k, v in query.items() if k in known}

    async def begin(
        self, person: str, provider: str = "google"
    ) -> tuple[session_service_pb2.BeginSignInResponse, Callback]:
        begun = await self.sessions.BeginSignIn(
            session_service_pb2.BeginSignInRequest(provider=provider, language="en")
        )
        return begun, await self.at_provider(begun.authorization_url, person)

    async def complete(
        self, flow_secret: str, callback: Callback
    ) -> session_service_pb2.CompleteSignInResponse:
        return await self.sessions.CompleteSignIn(
            session_service_pb2.CompleteSignInRequest(flow_secret=flow_secret, **callback)
        )

    async def sign_in(
        self, person: str, provider: str = "google"
    ) -> session_service_pb2.CompleteSignInResponse:
        begun, callback = await self.begin(person, provider)
        return await self.complete(begun.flow_secret, callback)

    async def sign_up(self, person: str, provider: str = "google", **form: object) -> Signed:
        outcome = await self.sign_in(person, provider)
        assert outcome.WhichOneof("outcome") == "registration"
        registered = await self.sessions.Register(
            registration_form(outcome.registration.secret, **form)
        )
        return await self.signed(registered.session.secret)

    async def signed(self, secret: str) -> Signed:
        answer = await self.sessions.Authenticate(
            session_service_pb2.AuthenticateRequest(session_secret=secret, audiences=["account"])
        )
        return Signed(secret, answer, ((METADATA_KEY, answer.actor_token),))

    async def begin_link(
        self,
        signed: Signed,
        person: str,
        provider: str = "facebook",
        imports: tuple[int, ...] = (),
    ) -> tuple[str, Callback]:
        begun = await self.links.BeginLink(
            link_service_pb2.BeginLinkRequest(provider=provider, language="en", imports=imports),  # type: ignore[arg-type]  # enum numbers
            metadata=signed.metadata,
        )
        return begun.flow_secret, await self.at_provider(begun.authorization_url, person)

    async def complete_link(
        self, signed: Signed, flow_secret: str, callback: Callback
    ) -> link_service_pb2.CompleteLinkResponse:
        return await self.links.CompleteLink(
            link_service_pb2.CompleteLinkRequest(flow_secret=flow_secret, **callback),
            metadata=signed.metadata,
        )

    async def link(
        self,
        signed: Signed,
        person: str,
        provider: str = "facebook",
        imports: tuple[int, ...] = (),
    ) -> link_service_pb2.CompleteLinkResponse:
        return await self.complete_link(
            signed, *await self.begin_link(signed, person, provider, imports)
        )

    async def listed(self, signed: Signed) -> link_service_pb2.ListLinksResponse:
        return await self.links.ListLinks(
            link_service_pb2.ListLinksRequest(parent=signed.account), metadata=signed.metadata
        )


@dataclass
class Signed:
    """A signed-in person as the portal knows them."""

    secret: str
    answer: session_service_pb2.AuthenticateResponse
    metadata: tuple[tuple[str, str], ...]

    @property
    def account(self) -> str:
        return self.answer.account


def registration_form(secret: str, **form: object) -> session_service_pb2.RegisterRequest:
    values: dict[str, object] = {
        "registration_secret": secret,
        "request_id": str(uuid4()),
        "country": "NL",
        "accepted_notice": NOTICE,
        "language": "en",
    }
    return session_service_pb2.RegisterRequest(**values | form)  # type: ignore[arg-type]  # fields by name


async def refusal(call: Awaitable[object]) -> Fault:
    """Return the fault with which a call is refused."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    return from_error(refused.value, "account")


def audit_events(database: Path) -> list[dict[str, object]]:
    """Return what stands in the outbox, oldest first."""
    import sqlite3  # noqa: PLC0415  only here do tests look under the store

    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute("SELECT event FROM outbox ORDER BY id").fetchall()
    entries = [NewEntry.FromString(row[0]) for row in rows]
    return [{**MessageToDict(entry), "action": text_of(entry.event)} for entry in entries]


def providers_file(directory: Path, origin: str) -> Path:
    """Write the file with which `make up` starts; here Facebook is not on offer in Belgium."""
    material = Material(directory, "nl")
    material.home.mkdir()
    file = material.write_providers(origin)
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    document["providers"][1]["availability"] = {"not_in": ["BE", "RU"]}
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    return file


@asynccontextmanager
async def region_running(
    directory: Path, origin: str, ca_file: Path, **more: object
) -> AsyncIterator[Region]:
    """Run account with everything around it, its clock standing at the real now."""
    bench = Bench(directory, now=datetime.now(UTC))
    database = directory / "account.db"
    url = f"sqlite:///{database}"
    migrated(url, MIGRATIONS)
    write_secret(directory / "sealing.key", base64.b64encode(bytes(range(32))).decode())
    subjects = Subjects()
    subjects.there.set()
    sharing = Server(
        bench.settings(GrpcSettings, "sharing"),
        "sharing",
        clock=bench.clock,
        actor_keys=bench.actor_keys,
        traces=bench.traces,
    ).add(_SUBJECTS, subjects)
    async with serving(sharing):
        settings = bench.settings(
            AccountSettings,
            "account",
            **{
                "database_url": url,
                "sharing_address": f"127.0.0.1:{sharing.port}",
                "audit_address": "127.0.0.1:1",  # away: events wait in the outbox
                "portal_origin": PORTAL,
                "providers_file": providers_file(directory, origin),
                "provider_ca_file": ca_file,
                "sealing_key_file": directory / "sealing.key",
            }
            | more,
        )
        trust = ssl.create_default_context(cafile=ca_file)
        async with (
            assembled(settings, clock=bench.clock, traces=bench.traces) as server,
            serving(server),
            bench.client(server, "account", "svc/portal") as portal,
            bench.client(server, "account", "svc/sharing") as verifier,
            bench.client(server, "account", "staff/operator/olga") as operator,
            httpx.AsyncClient(verify=trust, trust_env=False) as browser,
        ):
            yield Region(
                bench,
                server,
                subjects,
                database,
                session_service_pb2_grpc.SessionServiceStub(portal),
                link_service_pb2_grpc.LinkServiceStub(portal),
                account_service_pb2_grpc.AccountServiceStub(portal),
                staff_service_pb2_grpc.StaffServiceStub(portal),
                key_service_pb2_grpc.KeyServiceStub(verifier),
                staff_service_pb2_grpc.StaffServiceStub(operator),
                browser,
                portal,
            )
