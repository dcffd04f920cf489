"""One throw-away sharing service: a region, the facts that count at a moment, a clock to set.

Everything is the real part, over mTLS; the certificates are made for the occasion.
"""

import shutil
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import grpc
import yaml
from accord.sharing.v1 import (
    analysis_service_pb2,
    analysis_service_pb2_grpc,
    decision_pb2,
    decision_service_pb2,
    decision_service_pb2_grpc,
    explanation_pb2,
    loader_service_pb2_grpc,
    subject_pb2,
)
from google.protobuf.message import Message

from runtime import errors
from runtime.migrations import migrate
from runtime.seal import make_key
from runtime.server import Server
from runtime.testing import Bench, serving
from sandbox.scenarios.given import Given
from sandbox.scenarios.scenario import Check
from services.sharing.main import assembled
from services.sharing.settings import SharingSettings
from services.sharing.store.records import MIGRATIONS

_APPS = Path(__file__).parents[2] / "deploy/k8s/base/sharing/apps.yaml"
_NOBODY = "127.0.0.1:9"  # the discard port: nobody answers
_TIMEOUT_S = 20.0


class Stage:
    """A running service, and callers of every kind."""

    def __init__(self, bench: Bench, server: Server, stack: AsyncExitStack) -> None:
        self.bench = bench
        self.subjects: dict[str, subject_pb2.Subject] = {}  # as account last told them
        self.restricted: set[str] = set()  # accounts whose restriction stands, frozen or not
        self.consents: dict[str, str] = {}  # by the name that the file's number makes
        self._server = server
        self._stack = stack
        self._channels: dict[str, grpc.aio.Channel] = {}

    @classmethod
    @asynccontextmanager
    async def opened(
        cls, directory: Path, region: str, given: Given, now: datetime
    ) -> AsyncIterator["Stage"]:
        """Start a region that knows what is given and counts at a moment.

        `directory` exists, and holds what `prepare` put there.
        """
        here = directory / uuid.uuid4().hex
        here.mkdir()
        shutil.copy(_template(directory), here / "sharing.db")
        bench = Bench(here, region, now)
        settings = bench.settings(
            SharingSettings,
            "sharing",
            database_url=f"sqlite:///{here / 'sharing.db'}",
            apps_file=_APPS,
            account_address=_NOBODY,
            audit_address=_NOBODY,
            sealing_key_file=directory / "sealing.key",
        )
        async with AsyncExitStack() as stack:
            server = await stack.enter_async_context(
                assembled(
                    settings,
                    clock=bench.clock,
                    actor_keys=bench.actor_keys,
                    traces=bench.traces,
                    loader=True,
                )
            )
            await stack.enter_async_context(serving(server))
            stage = cls(bench, server, stack)
            request = given.request(region, now)
            request.request_id = str(uuid.uuid4())
            loader = loader_service_pb2_grpc.LoaderServiceStub
            await stage.call(loader, "Load", request, as_="staff/operator/scenario")
            stage.subjects = {subject.account: subject for subject in request.subjects}
            stage.restricted = {
                subject.account
                for subject in request.subjects
                if subject.status == subject_pb2.SUBJECT_STATUS_RESTRICTED
            }
            stage.consents = {consent.name: consent.name for consent in request.consents}
            yield stage

    async def ask(self, check: Check) -> decision_pb2.Decision | explanation_pb2.Explanation:
        """Ask a question at its moment, or how it would have been decided at a past one."""
        self.bench.clock.set(check.now)
        if check.as_of is not None:
            past = analysis_service_pb2.ExplainRequest(question=check.question)
            past.as_of_time.FromDatetime(check.as_of)
            stub = analysis_service_pb2_grpc.AnalysisServiceStub
            explained = await self.call(stub, "Explain", past, as_="staff/officer/first")
            found: explanation_pb2.Explanation = explained.explanation
            return found
        request = decision_service_pb2.CheckRequest(question=check.question)
        request.freshness.fully_consistent.SetInParent()
        app = _apps().get(check.question.service, "mi-store")
        answer = await self.call(
            decision_service_pb2_grpc.DecisionServiceStub, "Check", request, as_=f"app/{app}"
        )
        decision: decision_pb2.Decision = answer.decision
        return decision

    async def call(
        self,
        stub: Any,  # noqa: ANN401  the generated stub class
        method: str,
        request: Message,
        *,
        as_: str,
        person: str = "",
    ) -> Any:  # noqa: ANN401  the method's response
        """Call with the certificate `as_`, for a person if one is named; its Fault is raised."""
        if as_ not in self._channels:
            client = self.bench.client(self._server, "sharing", as_)
            self._channels[as_] = await self._stack.enter_async_context(client)
        metadata = []
        if person:
            token = self.bench.token(person, "person", audience="sharing")
            metadata.append(("accord-actor", token))
        try:
            return await getattr(stub(self._channels[as_]), method)(
                request, metadata=metadata, timeout=_TIMEOUT_S
            )
        except grpc.aio.AioRpcError as error:
            raise errors.from_error(error, "sharing") from error


def prepare(directory: Path) -> None:
    """Make what every service in a directory begins with: an empty database and a sealing key."""
    migrate(f"sqlite:///{_template(directory)}", MIGRATIONS)
    make_key(directory / "sealing.key")


def _template(directory: Path) -> Path:
    return directory / "template.db"


@cache
def _apps() -> dict[str, str]:
    """Return an app that may speak for each service."""
    apps = yaml.safe_load(_APPS.read_text(encoding="utf-8"))["apps"]
    return {service: app for app, services in apps.items() for service in services}
