"""Settings that refuse, logs that withhold, certificates that are renewed without a restart."""

import asyncio
import io
import json
import logging
import sys
from pathlib import Path
from typing import Any

import grpc
import pytest
from accord.account.v1 import key_service_pb2 as pb
from accord.account.v1.key_service_pb2_grpc import KeyServiceStub
from grpc_health.v1 import health_pb2, health_pb2_grpc
from opentelemetry.trace import SpanKind

from runtime import logs
from runtime.authority import Authority
from runtime.call import Call
from runtime.channel import Channel, Peer
from runtime.fault import Fault
from runtime.server import Server
from runtime.settings import DatabaseSettings, GrpcSettings, ServiceSettings, load
from runtime.telemetry import Telemetry, current_trace, traceparent
from runtime.testing import Bench, serving

KEYS = pb.DESCRIPTOR.services_by_name["KeyService"]


def environment(bench: Bench, monkeypatch: pytest.MonkeyPatch, **more: str) -> None:
    settings = bench.settings(GrpcSettings, "sharing")
    values = {
        "region": "nl",
        "certificate_file": str(settings.certificate_file),
        "key_file": str(settings.key_file),
        "trust_bundle_file": str(settings.trust_bundle_file),
        "health_listen": "127.0.0.1:0",
        "listen": "127.0.0.1:0",
        "database_url": f"sqlite:///{bench.directory}/a.db",
        **more,
    }
    for name, value in values.items():
        monkeypatch.setenv(f"ACCORD_{name.upper()}", value)


def test_good_settings_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment(Bench(tmp_path), monkeypatch)
    settings = load(DatabaseSettings)
    assert settings.trust_domain == "nl.accord.internal"
    assert settings.database.endswith("/a.db")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("region", "netherlands"),
        ("certificate_file", "/nonexistent.crt"),
        ("listen", "no port"),
        ("database_url", "mysql://somebody:hunter2@db/x"),
        ("database_url", "sqlite:///relative.db"),
        ("database_url", "::hunter2::"),
        ("database_url", "postgresql+psycopg://accord:hunter2@db/accord"),
        ("max_concurrent_rpcs", "0"),
    ],
)
def test_a_bad_setting_ends_the_process_and_is_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    value: str,
) -> None:
    environment(Bench(tmp_path), monkeypatch, **{name: value})
    with pytest.raises(SystemExit) as stopped:
        load(DatabaseSettings)
    assert stopped.value.code == 78
    printed = capsys.readouterr().err
    assert "hunter2" not in printed
    assert name.upper() in printed or "database" in printed


def test_a_database_is_named_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tmp_path / "url"
    secret.write_text("postgresql+psycopg://accord:hunter2@db/accord\n")
    environment(Bench(tmp_path), monkeypatch, database_url_file=str(secret))
    with pytest.raises(SystemExit):
        load(DatabaseSettings)
    monkeypatch.delenv("ACCORD_DATABASE_URL")
    assert load(DatabaseSettings).database.endswith("@db/accord")


def test_logs_withhold_what_is_not_on_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    logs.configure("sharing", "nl", "INFO")
    log = logs.get("services.sharing.test")
    log.info("refused", reason="NOT_FOUND", email="jan@example.org")
    try:
        int("jan@example.org")
    except ValueError:
        log.exception("bug")
    logging.getLogger("some.library").warning("token of %s", "jan@example.org")
    Telemetry("sharing", "nl", None).alarm("events_lost")
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert "jan" not in written.getvalue()
    assert (lines[0]["reason"], lines[0]["email"]) == ("NOT_FOUND", "[withheld]")
    assert lines[1]["exception"]["type"] == "ValueError"
    assert (lines[2]["event"], lines[2]["region"]) == ("token of %s", "nl")
    assert (lines[3]["event"], lines[3]["reason"]) == ("alarm", "events_lost")


def test_a_trace_continues_only_from_a_well_formed_parent() -> None:
    telemetry = Telemetry("test", "nl", None)
    parent = f"00-{'a' * 32}-{'b' * 16}-01"
    with telemetry.span("x", SpanKind.SERVER, parent):
        assert current_trace().trace_id == "a" * 32
        assert (traceparent() or "").startswith(f"00-{'a' * 32}-")
        assert current_trace().span_id != "b" * 16
    for bad in (f"00-{'0' * 32}-{'b' * 16}-01", "00-xyz", parent.upper(), ""):
        with telemetry.span("x", SpanKind.SERVER, bad):
            assert current_trace().trace_id not in ("a" * 32, "0" * 32)
    assert traceparent() is None


class Keys:
    """Counts its calls; fails the first ones when told to."""

    def __init__(self) -> None:
        self.calls = 0
        self.failures = 0
        self.traces: list[str] = []

    async def list_actor_keys(
        self, _request: pb.ListActorKeysRequest, call: Call
    ) -> pb.ListActorKeysResponse:
        self.calls += 1
        self.traces.append(call.trace.trace_id)
        if self.calls <= self.failures:
            raise Fault("UNAVAILABLE", "not yet")
        return pb.ListActorKeysResponse()


def server_of(bench: Bench, keys: Keys) -> Server:
    return Server(
        bench.settings(GrpcSettings, "account"),
        "account",
        clock=bench.clock,
        actor_keys=bench.actor_keys,
        traces=bench.traces,
    ).add(KEYS, keys)


async def test_certificates_are_renewed_without_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole domain moves to a new root: new handshakes need it, on both sides."""
    monkeypatch.setattr("runtime.channel._LOOK_S", 0)
    bench, keys = Bench(tmp_path), Keys()
    mine = bench.settings(ServiceSettings, "sharing")
    async with serving(server_of(bench, keys)) as server:
        channel = Channel("account", f"127.0.0.1:{server.port}", mine, [KEYS])
        peer = Peer(KeyServiceStub, channel)
        await peer.call(lambda s: s.ListActorKeys, pb.ListActorKeysRequest(), timeout=5)
        before = channel.current()

        old, new = bench.authority, Authority.create("nl.accord.internal")
        bench.bundle.write_bytes(new.pem)
        for service in ("account", "sharing"):
            new.issue(f"svc/{service}", dns=[f"{service}.nl.accord.internal"]).write(
                tmp_path / f"svc-{service}"
            )
        await peer.call(lambda s: s.ListActorKeys, pb.ListActorKeysRequest(), timeout=5)
        assert channel.current() is not before

        bench.authority = new
        async with bench.client(server, "account", "svc/sharing", old) as stale:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await KeyServiceStub(stale).ListActorKeys(pb.ListActorKeysRequest(), timeout=5)
            assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
        await channel.close()


async def test_idempotent_calls_are_retried_and_carry_the_trace(tmp_path: Path) -> None:
    bench, keys = Bench(tmp_path), Keys()
    keys.failures = 2
    async with serving(server_of(bench, keys)) as server:
        channel = Channel(
            "account",
            f"127.0.0.1:{server.port}",
            bench.settings(ServiceSettings, "sharing"),
            [KEYS],
        )
        peer = Peer(KeyServiceStub, channel)
        with bench.traces.span("page", SpanKind.SERVER, f"00-{'a' * 32}-{'b' * 16}-01"):
            await peer.call(lambda s: s.ListActorKeys, pb.ListActorKeysRequest(), timeout=5)
        assert keys.calls == 3
        assert set(keys.traces) == {"a" * 32}
        await channel.close()


async def test_a_peer_that_is_away_is_unavailable_in_time(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    channel = Channel("account", "127.0.0.1:1", bench.settings(ServiceSettings, "sharing"), [KEYS])
    peer = Peer(KeyServiceStub, channel)
    with pytest.raises(Fault, match="UNAVAILABLE"):
        async with asyncio.timeout(5):
            await peer.call(lambda s: s.ListActorKeys, pb.ListActorKeysRequest(), timeout=0.3)
    await channel.close()


async def test_health_is_not_serving_until_the_probes_hold(tmp_path: Path) -> None:
    ready = asyncio.Event()

    async def probe() -> None:
        if not ready.is_set():
            raise Fault("UNAVAILABLE", "not yet")

    bench = Bench(tmp_path)
    server = server_of(bench, Keys()).ready_when(probe)
    async with (
        serving(server),
        grpc.aio.insecure_channel(f"127.0.0.1:{server.health_port}") as channel,
    ):
        health = health_pb2_grpc.HealthStub(channel)
        name = health_pb2.HealthCheckRequest(service=KEYS.full_name)
        whole = health_pb2.HealthCheckRequest()
        assert (await health.Check(whole)).status == health_pb2.HealthCheckResponse.NOT_SERVING
        states = health.Watch(whole)
        assert (await states.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
        ready.set()
        assert (await states.read()).status == health_pb2.HealthCheckResponse.SERVING
        assert (await health.Check(name)).status == health_pb2.HealthCheckResponse.SERVING
        await server.drain()
        assert (await states.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
        states.cancel()
        refused: Any = channel.unary_unary("/accord.account.v1.KeyService/ListActorKeys")
        with pytest.raises(grpc.aio.AioRpcError) as unknown:
            await refused(b"")
        assert unknown.value.code() is grpc.StatusCode.UNIMPLEMENTED
