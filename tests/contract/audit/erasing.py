"""A running audit service whose own events reach its log, and officers that call it."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
from accord.audit.v1 import append_service_pb2 as append_pb
from accord.audit.v1 import erasure_pb2, read_service_pb2
from accord.audit.v1 import erasure_service_pb2 as pb
from accord.audit.v1.append_service_pb2_grpc import AppendServiceStub
from accord.audit.v1.entry_pb2 import Entry
from accord.audit.v1.erasure_service_pb2_grpc import ErasureServiceStub
from accord.audit.v1.read_service_pb2_grpc import ReadServiceStub
from sqlalchemy import create_engine, delete, insert, select

from runtime.db import Database
from runtime.errors import from_error
from runtime.event import Section
from runtime.ids import event_id
from runtime.outbox import encode
from runtime.server import Server
from runtime.testing import Bench, serving
from sandbox.mesh import Ports
from services.audit.main import assembled
from services.audit.settings import AuditSettings, log_origin
from services.audit.store import KEY_MIGRATIONS, LOG_MIGRATIONS
from services.audit.store.key_encryption import create_key
from services.audit.store.log_keys import create_log_key
from services.audit.store.party_keys import StoredKeys
from services.audit.store.tables import KEYS
from tests.contract.audit.log import PERSON, event
from tests.migrated import migrated

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from runtime.event import Event

ANA, BO, INES = "staff/officer/ana", "staff/officer/bo", "staff/auditor/ines"
MONTH, NEXT = "2026-06", "2026-07"
OTHER = "accounts/nl-ffffffffffffffffffffffffff"
# What is known of the person, in every place where an event may say something.
CANARIES = ("lien@example.org", "+31-6-1234-5678", "orders/lien-4711", "Liên Nguyễn")


@dataclass(frozen=True)
class Office:
    """What a service starts with: settings whose keys are made and whose databases are migrated."""

    bench: Bench
    settings: AuditSettings
    directory: Path  # of everything that it keeps in files

    @asynccontextmanager
    async def open(self, appended: int = 0) -> AsyncIterator[Service]:
        """Start the service, as a process does; stop it at the end."""
        bench = self.bench
        async with (
            assembled(
                self.settings, clock=bench.clock, actor_keys=bench.actor_keys, traces=bench.traces
            ) as server,
            serving(server),
        ):
            yield Service(bench, self.settings, server, appended)

    @asynccontextmanager
    async def keys(self) -> AsyncIterator[tuple[Database, StoredKeys]]:
        """Open the key database as another process would."""
        database = Database(self.settings.key_database)
        try:
            yield database, StoredKeys(database, self.settings.kek_directory)
        finally:
            await database.close()


def office(directory: Path, database_url: str, key_database_url: str) -> Office:
    """Make all that a service starts with."""
    bench = Bench(directory)
    create_log_key(directory / "log.key", log_origin("nl"))
    for name in ("kek", "tiles"):
        (directory / name).mkdir()
    create_key(directory / "kek", MONTH)
    address = f"127.0.0.1:{Ports.free().services['audit']}"
    settings = bench.settings(
        AuditSettings,
        "audit",
        listen=address,
        database_url=database_url,
        key_database_url=key_database_url,
        log_key_file=directory / "log.key",
        kek_directory=directory / "kek",
        tile_directory=directory / "tiles",
        account_address="127.0.0.1:1",
        audit_address=address,
    )
    migrated(settings.database, LOG_MIGRATIONS)
    migrated(settings.key_database, KEY_MIGRATIONS)
    return Office(bench, settings, directory)


@dataclass
class Service:
    """The running service."""

    bench: Bench
    settings: AuditSettings
    server: Server
    appended: int = 0  # by account
    shared: int = 0  # by sharing

    async def append(self, *events: Event) -> None:
        """Append events as the services do that they are of: account, and sharing."""
        for source, some in groupby(events, lambda event: event.action.partition(":")[0]):
            request = append_pb.AppendRequest()
            for one in some:
                entry = request.entries.add()
                entry.MergeFromString(encode(one))
                entry.event_id = event_id()
                if source == "account":
                    self.appended += 1
                else:
                    self.shared += 1
                entry.sequence = self.appended if source == "account" else self.shared
            async with self.bench.client(self.server, "audit", f"svc/{source}") as channel:
                await AppendServiceStub(channel).Append(request, timeout=20)

    async def call(self, request: Message, by: str = ANA, token: str = "") -> Message:
        """Call the method of a request as somebody; a Fault for what is refused."""
        method = type(request).__name__.removesuffix("Request")
        return await self._call(ErasureServiceStub, method, request, by, token)

    async def read(self, request: Message, by: str = INES) -> Message:
        """Read as an auditor."""
        method = type(request).__name__.removesuffix("Request")
        return await self._call(ReadServiceStub, method, request, by, "")

    async def ask(
        self, account: str, by: str = ANA, request_id: str = "", token: str = ""
    ) -> erasure_pb2.Erasure:
        request = pb.AskErasureRequest(
            request_id=request_id or str(uuid.uuid4()),
            account=account,
            ground=erasure_pb2.ERASURE_GROUND_WITHDRAWAL,
        )
        answer = await self.call(request, by, token)
        assert isinstance(answer, pb.AskErasureResponse)
        return answer.erasure

    async def confirm(
        self, name: str, by: str = BO, request_id: str = "", token: str = ""
    ) -> erasure_pb2.Erasure:
        request = pb.ConfirmErasureRequest(request_id=request_id or str(uuid.uuid4()), name=name)
        answer = await self.call(request, by, token)
        assert isinstance(answer, pb.ConfirmErasureResponse)
        return answer.erasure

    async def erase(self, account: str) -> erasure_pb2.Erasure:
        """Let two officers erase a person."""
        return await self.confirm((await self.ask(account)).name)

    async def show(self, name: str) -> pb.GetErasureResponse:
        answer = await self.call(pb.GetErasureRequest(name=name, purpose="test"), INES)
        assert isinstance(answer, pb.GetErasureResponse)
        return answer

    async def place(self, account: str, reference: str = "C-09/114", by: str = ANA) -> str:
        request = pb.PlaceHoldRequest(
            request_id=str(uuid.uuid4()),
            hold=erasure_pb2.Hold(
                account=account, kind=erasure_pb2.HOLD_KIND_LEGAL_CLAIM, reference=reference
            ),
        )
        answer = await self.call(request, by)
        assert isinstance(answer, pb.PlaceHoldResponse)
        return answer.hold.name

    async def lift(self, name: str, by: str) -> erasure_pb2.Hold:
        request = pb.LiftHoldRequest(request_id=str(uuid.uuid4()), name=name)
        answer = await self.call(request, by)
        assert isinstance(answer, pb.LiftHoldResponse)
        return answer.hold

    async def entries(self, account: str = "", producer: str = "") -> Sequence[Entry]:
        """List entries, at most 200, oldest first."""
        request = read_service_pb2.ListEntriesRequest(purpose="test", page_size=200)
        if account:
            request.filter.account = account
        if producer:
            request.filter.producer = producer
        answer = await self.read(request)
        assert isinstance(answer, read_service_pb2.ListEntriesResponse)
        return answer.entries

    async def _call(
        self, kind: type[object], method: str, request: Message, by: str, token: str
    ) -> Message:
        metadata = (("accord-actor", token),) if token else ()
        async with self.bench.client(self.server, "audit", by) as channel:
            stub = kind(channel)  # type: ignore[call-arg]  # a stub class of grpc's
            try:
                answer: Message = await getattr(stub, method)(
                    request, timeout=20, metadata=metadata
                )
            except grpc.aio.AioRpcError as error:
                raise from_error(error, "audit") from error
            return answer


async def fill(audit: Service) -> None:
    """What the person did, what was done to them, alone and among others; and another's."""
    email, phone, order, name = CANARIES
    await audit.append(
        event(1, fields={"email": email, "name": name}, resource=order),
        event(2, account=OTHER, actor=OTHER, fields={"email": "bob@example.org"}),
        event(3, account=OTHER, actor=PERSON),
        event(
            4,
            action="sharing:decision:batch",
            account="",
            actor="",
            sections=(Section(PERSON, {"phone": phone}), Section(OTHER, {"phone": "+32-2"})),
        ),
    )


Snapshot = Mapping[str, Sequence[Mapping[str, object]]]


def back_up(settings: AuditSettings) -> Snapshot:
    """Take away all that the key database holds, as a backup does."""
    engine = create_engine(settings.key_database)
    try:
        with engine.begin() as tx:
            return {
                table.name: [dict(row._mapping) for row in tx.execute(select(table))]
                for table in KEYS.sorted_tables
            }
    finally:
        engine.dispose()


def restore(settings: AuditSettings, backup: Snapshot) -> None:
    """Put a backup where the key database is, while nobody serves."""
    engine = create_engine(settings.key_database)
    try:
        with engine.begin() as tx:
            for table in KEYS.sorted_tables:
                tx.execute(delete(table))
                if rows := backup[table.name]:
                    tx.execute(insert(table), [dict(row) for row in rows])
    finally:
        engine.dispose()
