"""A service that one replica serves at a time: its callers go where it is, as soon as it is."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest
from accord.account.v1 import key_service_pb2 as pb
from accord.account.v1.key_service_pb2_grpc import KeyServiceStub
from grpc_health.v1 import health_pb2, health_pb2_grpc

from runtime.call import Call
from runtime.channel import Channel, Peer
from runtime.errors import from_error
from runtime.fault import Fault
from runtime.health import SERVICE, serve_health_of
from runtime.server import Server
from runtime.settings import GrpcSettings, ServiceSettings
from runtime.testing import Bench, serving
from sandbox.mesh import Ports

KEYS = pb.DESCRIPTOR.services_by_name["KeyService"]
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class Replica:
    """Counts its calls."""

    def __init__(self, bench: Bench) -> None:
        self.calls = 0
        self.server = (
            Server(
                bench.settings(GrpcSettings, "account"),
                "account",
                clock=bench.clock,
                actor_keys=bench.actor_keys,
                traces=bench.traces,
            )
            .add(KEYS, self)
            .tell_health(KEYS)
        )
        self.server.offer(KEYS, here=False)

    async def list_actor_keys(
        self, _request: pb.ListActorKeysRequest, _call: Call
    ) -> pb.ListActorKeysResponse:
        self.calls += 1
        return pb.ListActorKeysResponse()


@asynccontextmanager
async def replicas(bench: Bench, count: int) -> AsyncIterator[list[Replica]]:
    async with AsyncExitStack() as stack:
        made = [Replica(bench) for _ in range(count)]
        for each in made:
            await stack.enter_async_context(serving(each.server))
        yield made


if TYPE_CHECKING:
    Watch = grpc.aio.UnaryStreamCall[health_pb2.HealthCheckRequest, health_pb2.HealthCheckResponse]


async def told(watch: "Watch") -> int:
    answer = await watch.read()
    assert isinstance(answer, health_pb2.HealthCheckResponse)
    return int(answer.status)


async def test_calls_follow_the_replica_that_serves(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    async with replicas(bench, 2) as (first, second):
        target = f"ipv4:127.0.0.1:{first.server.port},127.0.0.1:{second.server.port}"
        channel = Channel(
            "account",
            target,
            bench.settings(ServiceSettings, "sharing"),
            [KEYS],
            served_by_one=True,
        )
        keys = Peer(KeyServiceStub, channel)

        async def ask() -> None:
            async with asyncio.timeout(10):
                while True:
                    try:
                        await keys.call(
                            lambda s: s.ListActorKeys, pb.ListActorKeysRequest(), timeout=2
                        )
                    except Fault as fault:  # nobody serves yet, as far as the channel has heard
                        if fault.reason != "UNAVAILABLE":
                            raise
                        await asyncio.sleep(0)
                    else:
                        return

        for here, other in ((first, second), (second, first)):
            other.server.offer(KEYS, here=False)
            here.server.offer(KEYS, here=True)
            await ask()
            before = other.calls
            for _ in range(8):
                await ask()
            assert other.calls == before
        await channel.close()


async def test_health_is_told_at_once_to_those_who_may_call_and_to_nobody_else(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    async with replicas(bench, 1) as (replica,):
        request = health_pb2.HealthCheckRequest(service=KEYS.full_name)
        async with bench.client(replica.server, "account", "svc/sharing") as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            watch = stub.Watch(request, timeout=10)
            while await told(watch) != NOT_SERVING:
                pass
            replica.server.offer(KEYS, here=True)
            assert await told(watch) == SERVING
            assert (await stub.Check(request, timeout=2)).status == SERVING
            unknown = health_pb2.HealthCheckRequest(service="accord.Unknown")
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stub.Check(unknown, timeout=2)
            assert from_error(refused.value, "account").reason == "NOT_FOUND"
            replica.server.offer(KEYS, here=False)
            assert await told(watch) == NOT_SERVING
            await replica.server.drain()
            assert await watch.read() is grpc.aio.EOF
        async with bench.client(replica.server, "account", "app/mi-store") as channel:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await health_pb2_grpc.HealthStub(channel).Check(request, timeout=2)
            assert from_error(refused.value, "account").reason == "CALLER_NOT_ALLOWED"
    assert {method.name for method in SERVICE.methods} >= {"Check", "Watch"}


async def test_a_watch_of_health_ends_well_before_its_time_is_up(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    async with (
        replicas(bench, 1) as (replica,),
        bench.client(replica.server, "account", "svc/sharing") as channel,
    ):
        watch = health_pb2_grpc.HealthStub(channel).Watch(
            health_pb2.HealthCheckRequest(service=KEYS.full_name), timeout=1
        )
        while await watch.read() is not grpc.aio.EOF:
            pass
        assert await watch.code() is grpc.StatusCode.OK


async def test_health_of_several_processes_is_the_worst_of_theirs(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    request = health_pb2.HealthCheckRequest(service=KEYS.full_name)
    async with replicas(bench, 2) as both:
        addresses = [f"127.0.0.1:{each.server.health_port}" for each in both]
        port = Ports.free().health["account"]
        together = serve_health_of(addresses, f"127.0.0.1:{port}")
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = health_pb2_grpc.HealthStub(channel)

            async def until(state: int) -> None:
                async with asyncio.timeout(10):
                    while (await stub.Check(request, timeout=5)).status != state:
                        pass

            for here in (True, False):
                both[0].server.offer(KEYS, here=here)
                await until(NOT_SERVING)
            for each in both:
                each.server.offer(KEYS, here=True)
            await until(SERVING)
            await both[1].server.stop()
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stub.Check(request, timeout=5)
            assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
        together.stop(None)
