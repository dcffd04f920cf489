"""Several processes behind one port: all serve, and none lives on without the others."""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import ssl
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import httpx
import pytest
from accord.sharing.v1 import decision_service_pb2 as pb
from accord.sharing.v1.decision_service_pb2_grpc import DecisionServiceStub
from pydantic import ValidationError

from runtime.seal import make_key
from runtime.server import Server
from runtime.testing import Bench
from sandbox.mesh import Ports
from sandbox.process import Process, StartError, serving
from services.audit.settings import AuditSettings
from services.sharing.settings import SharingSettings
from services.sharing.store.records import MIGRATIONS
from tests.contract.sharing.conftest import APPS, NOWHERE
from tests.migrated import migrated

if TYPE_CHECKING:
    from collections.abc import Iterator

PROCESSES = 2
TRIES = 64  # connections, of which one at least reaches each process
START_S, END_S = 60.0, 30.0
POSTGRES = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@dataclass
class Several:
    """A service of two processes, and the one that started them."""

    bench: Bench
    settings: SharingSettings
    process: Process
    log: Path

    def children(self) -> list[int]:
        pid = self.process.pid
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def said(self, event: str) -> list[str]:
        """Which processes wrote such a line."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines()]
        return [line["instance"] for line in lines if line["event"] == event]

    def ask(self) -> None:
        """Ask on a connection of its own for a decision that is not there."""
        issued = self.bench.authority.issue("app/mi-store")
        credentials = grpc.ssl_channel_credentials(
            self.bench.authority.pem, issued.key, issued.certificate
        )
        options = [
            ("grpc.ssl_target_name_override", "sharing.nl.accord.internal"),
            ("grpc.use_local_subchannel_pool", 1),
        ]
        with grpc.secure_channel(self.settings.listen, credentials, options) as channel:
            request = pb.GetDecisionRequest(name="decisions/0123456789abcdefghjkmnpqrs")
            with pytest.raises(grpc.RpcError) as refusal:
                DecisionServiceStub(channel).GetDecision(request, timeout=20)
            assert refusal.value.code() is grpc.StatusCode.NOT_FOUND

    def look(self) -> None:
        """Ask the door for tools what it serves, on a connection of its own."""
        trust = ssl.create_default_context(cafile=self.bench.bundle)
        url = f"https://{self.settings.tools_listen}/.well-known/authzen-configuration"
        with httpx.Client(verify=trust) as client:
            sni = {"sni_hostname": "sharing.nl.accord.internal"}
            assert client.get(url, extensions=sni, timeout=20).status_code == httpx.codes.OK


def settings_of(bench: Bench, url: str, **more: object) -> SharingSettings:
    free = Ports.free()
    key = bench.directory / "sealing.key"
    if not key.exists():
        make_key(key)
    told: dict[str, object] = {
        "health_listen": f"127.0.0.1:{free.health['sharing']}",
        "listen": f"127.0.0.1:{free.services['sharing']}",
        "tools_listen": f"127.0.0.1:{free.tools}",
        "tools_origin": "https://sharing.example",
        "database_url": url,
        "apps_file": APPS,
        "sealing_key_file": key,
        "account_address": NOWHERE,
        "audit_address": NOWHERE,
        "processes": PROCESSES,
    }
    return bench.settings(SharingSettings, "sharing", **told | more)


def command(settings: SharingSettings, log: Path) -> Process:
    told = settings.model_dump(exclude_defaults=True, exclude={"revocation_hours_by_country"})
    environment = {f"ACCORD_{name.upper()}": str(value) for name, value in told.items()}
    environment |= {"PATH": os.environ["PATH"], "PYTHONPATH": ":".join(sys.path)}
    ready = serving(settings.health_listen)
    return Process("sharing", ["-m", "services.sharing", "serve"], environment, log, ready)


@contextmanager
def running(bench: Bench, url: str) -> Iterator[Several]:
    settings = settings_of(bench, url)
    migrated(url, MIGRATIONS)
    log = bench.directory / "sharing.log"
    process = command(settings, log)
    process.start()
    try:
        process.wait_ready(time.monotonic() + START_S)
        yield Several(bench, settings, process, log)
    finally:
        process.kill()


@POSTGRES
@pytest.mark.timeout(180)
async def test_all_processes_serve_on_one_port_that_is_theirs_alone_and_end_in_order(
    bench: Bench, database_url: str
) -> None:
    with running(bench, database_url) as several:
        assert len(set(several.said("started"))) == PROCESSES
        for ask, line in ((several.ask, "refused"), (several.look, "served")):
            for _ in range(TRIES):
                await asyncio.to_thread(ask)
                if len(set(several.said(line))) == PROCESSES:
                    break
            assert set(several.said(line)) == set(several.said("started"))
        # Neither a service of one process nor one of several comes between them.
        another = settings_of(bench, database_url, listen=several.settings.listen)
        refused = command(another, bench.directory / "another.log")
        refused.start()
        with pytest.raises(StartError, match="Address already in use"):
            refused.wait_done(time.monotonic() + START_S)
        alone = another.model_copy(update={"processes": 1})
        server = Server(
            alone, "sharing", clock=bench.clock, actor_keys=bench.actor_keys, traces=bench.traces
        )
        with pytest.raises(RuntimeError):
            await server.start()
        several.process.terminate()
        several.process.wait_done(time.monotonic() + END_S)
        assert sorted(several.said("stopped")) == sorted(several.said("started"))


@POSTGRES
@pytest.mark.timeout(120)
def test_a_process_that_dies_ends_the_service_for_all_to_see(
    bench: Bench, database_url: str
) -> None:
    with running(bench, database_url) as several:
        os.kill(several.children()[0], signal.SIGKILL)
        with pytest.raises(StartError, match="a process has ended"):  # its status is not 0
            several.process.wait_done(time.monotonic() + END_S)
        assert len(several.said("stopped")) == PROCESSES - 1


@POSTGRES
@pytest.mark.timeout(120)
def test_no_process_outlives_the_first_one(bench: Bench, database_url: str) -> None:
    with running(bench, database_url) as several:
        left = [os.pidfd_open(child) for child in several.children()]
        assert len(left) == PROCESSES
        several.process.kill()
        for child in left:
            assert select.select([child], [], [], END_S)[0] == [child]  # readable: it has ended
            os.close(child)


def test_a_service_on_sqlite_is_one_process(bench: Bench) -> None:
    url = f"sqlite:///{bench.directory / 'sharing.db'}"
    assert settings_of(bench, url, processes=1).processes == 1
    with pytest.raises(ValidationError, match="on SQLite a service is one process"):
        settings_of(bench, url)


def test_the_log_has_one_process_that_appends(bench: Bench) -> None:
    with pytest.raises(ValidationError, match="one process appends"):
        bench.settings(
            AuditSettings,
            "audit",
            database_url="postgresql+psycopg://db/log",
            key_database_url="postgresql+psycopg://db/keys",
            log_key_file=bench.bundle,
            kek_directory=bench.directory,
            tile_directory=bench.directory,
            account_address=NOWHERE,
            audit_address=NOWHERE,
            processes=2,
        )
