"""A stream ends for its reader: who takes nothing is let go, and told why."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from accord.sharing.v1 import watch_service_pb2 as pb
from accord.sharing.v1.watch_service_pb2_grpc import WatchServiceStub

from runtime import handlers
from runtime.call import Call
from runtime.errors import from_error
from runtime.server import Server
from runtime.settings import GrpcSettings
from runtime.testing import Bench, serving

WATCH = pb.DESCRIPTOR.services_by_name["WatchService"]
LARGE = "x" * (256 << 10)  # a few of them are more than the connection holds


class Flood:
    """Says more than anybody takes, and notes when its stream was closed."""

    def __init__(self) -> None:
        self.closed = asyncio.Event()
        self.draining = False

    async def watch(
        self, _request: pb.WatchRequest, _call: Call
    ) -> AsyncGenerator[pb.WatchResponse]:
        try:
            while True:
                yield pb.WatchResponse(token=LARGE)
        finally:
            self.closed.set()

    def drain(self) -> None:
        self.draining = True


@asynccontextmanager
async def flooded(bench: Bench, flood: Flood) -> AsyncGenerator[tuple[Server, Any]]:
    settings = bench.settings(GrpcSettings, "sharing")
    server = Server(
        settings, "sharing", clock=bench.clock, actor_keys=bench.actor_keys, traces=bench.traces
    )
    server.add(WATCH, flood).when_draining(flood.drain)
    async with serving(server), bench.client(server, "sharing", "app/mi-store") as channel:
        stream: Any = WatchServiceStub(channel).Watch(pb.WatchRequest(), timeout=20)
        yield server, stream
        stream.cancel()


async def test_a_reader_who_takes_nothing_is_let_go_and_told_why(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handlers, "TAKEN_S", 0.1)
    flood = Flood()
    async with flooded(bench, flood) as (_, stream):
        await stream.read()
        await flood.closed.wait()  # nothing more is kept for this reader
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await _read_all(stream)
    fault = from_error(ended.value, "sharing")
    assert (ended.value.code(), fault.reason) == (
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "READER_TOO_SLOW",
    )


async def test_a_reader_who_keeps_up_is_served_on(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handlers, "TAKEN_S", 5.0)
    flood = Flood()
    async with flooded(bench, flood) as (_, stream):
        for _ in range(40):
            assert (await stream.read()).token == LARGE
    await flood.closed.wait()  # the reader has left


async def test_whoever_serves_for_long_is_told_that_the_process_goes_down(bench: Bench) -> None:
    flood = Flood()
    async with flooded(bench, flood) as (server, _):
        assert not flood.draining
        await server.drain()
        assert flood.draining


async def _read_all(stream: Any) -> None:
    while await stream.read() is not grpc.aio.EOF:
        pass
