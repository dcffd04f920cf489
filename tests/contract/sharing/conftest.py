"""The sharing service in this process, over mTLS, on each engine in turn."""

from __future__ import annotations

import functools
import uuid
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from accord.sharing.v1 import (
    analysis_service_pb2_grpc,
    consent_service_pb2_grpc,
    contract_pb2,
    contract_service_pb2,
    contract_service_pb2_grpc,
    decision_pb2,
    decision_service_pb2,
    decision_service_pb2_grpc,
    disclosure_service_pb2_grpc,
    instrument_service_pb2_grpc,
    key_service_pb2_grpc,
    preference_service_pb2_grpc,
    reach_service_pb2_grpc,
    recipient_service_pb2,
    recipient_service_pb2_grpc,
    revocation_service_pb2_grpc,
    rulebook_service_pb2_grpc,
    subject_pb2,
    subject_service_pb2,
    subject_service_pb2_grpc,
    watch_service_pb2_grpc,
)
from sqlalchemy import create_engine, func, select

from runtime.ids import new_account
from runtime.seal import make_key
from runtime.testing import Bench, serving
from services.sharing import main
from services.sharing.main import assembled
from services.sharing.settings import SharingSettings
from services.sharing.store import tables
from services.sharing.store.records import MIGRATIONS
from services.sharing.store.rulebook import load_rulebook
from tests.migrated import migrated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from google.protobuf.message import Message

    from runtime.server import Server

APPS = Path(__file__).parents[3] / "deploy/k8s/base/sharing/apps.yaml"
NOWHERE = "127.0.0.1:9"  # the discard port: nobody answers

STUBS: dict[str, Any] = {
    "reach": reach_service_pb2_grpc.ReachServiceStub,
    "analysis": analysis_service_pb2_grpc.AnalysisServiceStub,
    "subjects": subject_service_pb2_grpc.SubjectServiceStub,
    "recipients": recipient_service_pb2_grpc.RecipientServiceStub,
    "contracts": contract_service_pb2_grpc.ContractServiceStub,
    "consents": consent_service_pb2_grpc.ConsentServiceStub,
    "preferences": preference_service_pb2_grpc.PreferenceServiceStub,
    "instruments": instrument_service_pb2_grpc.InstrumentServiceStub,
    "decisions": decision_service_pb2_grpc.DecisionServiceStub,
    "revocations": revocation_service_pb2_grpc.RevocationServiceStub,
    "rulebook": rulebook_service_pb2_grpc.RulebookServiceStub,
    "keys": key_service_pb2_grpc.KeyServiceStub,
    "disclosures": disclosure_service_pb2_grpc.DisclosureServiceStub,
    "watch": watch_service_pb2_grpc.WatchServiceStub,
}


def request_id() -> str:
    return str(uuid.uuid4())


@dataclass
class Sharing:
    """A running service, and callers of every kind."""

    bench: Bench
    server: Server
    url: str
    stack: AsyncExitStack
    settings: SharingSettings
    channels: dict[str, grpc.aio.Channel] = field(default_factory=dict)
    person: str = field(default_factory=lambda: new_account("nl"))
    officer: str = field(default_factory=lambda: new_account("nl"))
    second: str = field(default_factory=lambda: new_account("nl"))

    async def call(
        self, service: str, method: str, request: Message, *, as_: str, actor: tuple[str, ...] = ()
    ) -> Any:
        """Call `service.method` with the certificate `as_` and a token of (subject, role…)."""
        if as_ not in self.channels:
            client = self.bench.client(self.server, "sharing", as_)
            self.channels[as_] = await self.stack.enter_async_context(client)
        metadata = []
        if actor:
            token = self.bench.token(actor[0], *actor[1:], audience="sharing")
            metadata.append(("accord-actor", token))
        stub = STUBS[service](self.channels[as_])
        return await getattr(stub, method)(request, metadata=metadata, timeout=10)

    async def app(self, service: str, method: str, request: Message) -> Any:
        return await self.call(service, method, request, as_="app/mi-store")

    async def by_person(self, service: str, method: str, request: Message) -> Any:
        return await self.call(
            service, method, request, as_="svc/portal", actor=(self.person, "person")
        )

    async def by_officer(self, service: str, method: str, request: Message, who: str = "") -> Any:
        return await self.call(
            service, method, request, as_="svc/portal", actor=(who or self.officer, "officer")
        )

    async def know_person(self, version: int = 1, **facts: Any) -> Any:
        subject = subject_pb2.Subject(
            account=self.person,
            jurisdiction="NL",
            birth_date="1990-04-02",
            status=subject_pb2.SUBJECT_STATUS_ACTIVE,
            version=version,
        )
        subject.since_time.FromDatetime(self.bench.clock.now() - timedelta(days=30))
        subject.MergeFrom(subject_pb2.Subject(**facts))
        return await self.call(
            "subjects",
            "PutSubject",
            subject_service_pb2.PutSubjectRequest(subject=subject),
            as_="svc/account",
        )

    async def register(
        self, recipient: str = "dhl", kind: str = "service_provider.delivery", country: str = "DE"
    ) -> str:
        request = recipient_service_pb2.CreateRecipientRequest(
            request_id=request_id(), recipient_id=recipient
        )
        request.recipient.display_name = recipient.upper()
        request.recipient.kind = kind
        request.recipient.jurisdiction = country
        answer = await self.by_officer("recipients", "CreateRecipient", request)
        name: str = answer.recipient.name
        return name

    async def draft(self, recipient: str, **terms: Any) -> Any:
        request = contract_service_pb2.CreateContractRequest(
            request_id=request_id(), recipient=recipient, terms=terms_of(**terms)
        )
        return (await self.by_officer("contracts", "CreateContract", request)).contract

    async def in_force(self, recipient: str, **terms: Any) -> Any:
        contract = await self.draft(recipient, **terms)
        submit = contract_service_pb2.SubmitContractRequest(
            request_id=request_id(), name=contract.name, version=1
        )
        await self.by_officer("contracts", "SubmitContract", submit)
        activate = contract_service_pb2.ActivateContractRequest(
            request_id=request_id(), name=contract.name, version=1
        )
        answer = await self.by_officer("contracts", "ActivateContract", activate, who=self.second)
        return answer.contract

    async def check(self, **question: Any) -> Any:
        request = decision_service_pb2.CheckRequest(question=self.question(**question))
        return (await self.app("decisions", "Check", request)).decision

    def question(self, **given: Any) -> decision_pb2.Question:
        usual: dict[str, Any] = {
            "account": self.person,
            "service": "mi_store",
            "recipient": "recipients/dhl",
            "purpose": "delivery",
            "categories": ["contact.name", "contact.phone", "contact.address"],
            "relation": "order-4711",
        }
        return decision_pb2.Question(**usual | given)


def rows(url: str, table: str) -> int:
    """Count the rows of a table."""
    engine = create_engine(url)
    with engine.connect() as connection:
        counted = connection.execute(
            select(func.count()).select_from(tables.METADATA.tables[table])
        ).scalar_one()
    engine.dispose()
    return counted


def terms_of(**given: Any) -> contract_pb2.ContractTerms:
    """Terms that let DHL deliver within the EEA."""
    usual: dict[str, Any] = {
        "purposes": ["delivery"],
        "categories": ["contact"],
        "origins": ["EEA"],
        "destinations": ["EEA"],
        "due_diligence": {
            "outcome": "DUE_DILIGENCE_OUTCOME_PASSED",
            "on_date": "2026-01-01",
            "expire_date": "2026-12-31",
        },
        "effective_date": "2026-01-01",
        "expire_date": "2027-12-31",
        "document": {"sha256": bytes(32), "location": "archive://contracts/dhl-1.pdf"},
    }
    return contract_pb2.ContractTerms(**usual | given)


@pytest.fixture(scope="session", autouse=True)
def rules_read_once() -> Iterator[None]:
    """One reading of the rulebook for all services of this process: it never changes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(main, "load_rulebook", functools.cache(load_rulebook))
        yield


@pytest.fixture
def tools() -> dict[str, object]:
    """Settings of the HTTPS door; a module that knocks there overrides it."""
    return {}


@pytest.fixture
async def sharing(
    database_url: str, tmp_path: Path, tools: dict[str, object]
) -> AsyncIterator[Sharing]:
    migrated(database_url, MIGRATIONS)
    bench = Bench(tmp_path)
    make_key(tmp_path / "sealing.key")
    settings = bench.settings(
        SharingSettings,
        "sharing",
        database_url=database_url,
        apps_file=APPS,
        account_address=NOWHERE,
        audit_address=NOWHERE,
        sealing_key_file=tmp_path / "sealing.key",
        **tools,
    )
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(
            assembled(settings, clock=bench.clock, actor_keys=bench.actor_keys, traces=bench.traces)
        )
        await stack.enter_async_context(serving(server))
        yield Sharing(bench, server, database_url, stack, settings)
