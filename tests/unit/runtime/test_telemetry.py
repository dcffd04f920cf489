"""What a collector receives: every call, its trace, and no one's name."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from accord.account.v1 import key_service_pb2 as pb
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics_pb
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc as metrics_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as trace_pb
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as trace_grpc
from opentelemetry.trace import SpanKind

from runtime.call import Call, Way
from runtime.event import PARENT_KNOWN, PARENT_REMOTE
from runtime.fault import Fault
from runtime.server import Server
from runtime.settings import GrpcSettings
from runtime.telemetry import Telemetry, instance, traceparent, tracestate
from runtime.testing import Bench, serving

KEYS = pb.DESCRIPTOR.services_by_name["KeyService"]
PERSON = "accounts/nl-00000000000000000000000000"


class Collector(trace_grpc.TraceServiceServicer, metrics_grpc.MetricsServiceServicer):
    """Keeps what it is sent."""

    def __init__(self) -> None:
        self.traces = trace_pb.ExportTraceServiceRequest()
        self.metrics = metrics_pb.ExportMetricsServiceRequest()

    async def Export(self, request: Any, _context: Any) -> Any:  # noqa: N802  the wire's name
        if isinstance(request, trace_pb.ExportTraceServiceRequest):
            self.traces.MergeFrom(request)
            return trace_pb.ExportTraceServiceResponse()
        self.metrics.MergeFrom(request)
        return metrics_pb.ExportMetricsServiceResponse()


@asynccontextmanager
async def collecting() -> AsyncIterator[tuple[Collector, str]]:
    collector, server = Collector(), grpc.aio.server()
    services: Any = (
        trace_grpc.add_TraceServiceServicer_to_server,
        metrics_grpc.add_MetricsServiceServicer_to_server,
    )
    for add in services:
        add(collector, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield collector, f"http://127.0.0.1:{port}"
    await server.stop(None)


class Keys:
    """Refuses, quoting the person."""

    async def list_actor_keys(self, _request: object, _call: Call) -> pb.ListActorKeysResponse:
        raise Fault("WRONG_STATE", PERSON)


async def test_a_refused_call_is_exported_without_personal_data(bench: Bench) -> None:
    async with collecting() as (collector, endpoint):
        traces = Telemetry("account", "nl", endpoint)
        server = Server(
            bench.settings(GrpcSettings, "account"),
            "account",
            clock=bench.clock,
            actor_keys=bench.actor_keys,
            traces=traces,
        ).add(KEYS, Keys())
        async with serving(server), bench.client(server, "account", "svc/sharing") as channel:
            call: Any = channel.unary_unary("/accord.account.v1.KeyService/ListActorKeys")
            parent = f"00-{'a' * 32}-{'b' * 16}-01"
            with pytest.raises(grpc.aio.AioRpcError):
                await call(b"", timeout=5, metadata=(("traceparent", parent),))
        await asyncio.to_thread(traces.close)  # the collector needs this loop
    (resource,) = collector.traces.resource_spans
    named = {each.key: each.value.string_value for each in resource.resource.attributes}
    assert (named["service.name"], named["service.instance.id"]) == ("account", instance())
    (span,) = resource.scope_spans[0].spans
    assert span.name == "accord.account.v1.KeyService/ListActorKeys"
    assert span.trace_id.hex() == "a" * 32
    assert span.parent_span_id.hex() == "b" * 16
    assert {a.key: a.value.string_value for a in span.attributes} == {"error.type": "WRONG_STATE"}
    (metric,) = collector.metrics.resource_metrics[0].scope_metrics[0].metrics
    assert metric.name == "rpc.server.call.duration"
    assert metric.histogram.data_points[0].count == 1
    exported = str(collector.traces) + str(collector.metrics)
    assert PERSON not in exported


PARENT = f"00-{'a' * 32}-{'b' * 16}-01"


@pytest.mark.parametrize(
    ("state", "carried"),
    [
        ("", ""),
        ("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE", "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"),
        ("fw529a3039@dt=FfAxAxAxI , a/b*-_=!", "fw529a3039@dt=FfAxAxAxI , a/b*-_=!"),
        (",".join(f"k{n}=v" for n in range(32)), ",".join(f"k{n}=v" for n in range(32))),
        (",".join(f"k{n}=v" for n in range(33)), ""),
        ("k=" + "v" * 510, ""),
        ("no value", ""),
        ("Upper=1", ""),
        ("k=é", ""),
        ("k=a\nb", ""),
    ],
)
def test_the_state_of_a_trace_is_carried_on_while_it_is_of_the_standard(
    state: str, carried: str
) -> None:
    with Telemetry("account", "nl", None).span("x", SpanKind.SERVER, PARENT, state) as span:
        assert span.trace.state == tracestate() == carried
        assert span.trace.flags == PARENT_KNOWN | PARENT_REMOTE
        assert (traceparent() or "").endswith("-00")  # W3C's byte alone goes on


def test_a_trace_that_begins_here_has_no_remote_parent_and_no_state() -> None:
    for parent in (None, "", "00-" + "0" * 32 + f"-{'b' * 16}-01"):
        with Telemetry("account", "nl", None).span("x", SpanKind.SERVER, parent, "a=1") as span:
            assert (span.trace.flags, span.trace.state) == (PARENT_KNOWN, "")


async def test_the_state_of_a_trace_goes_through_a_call(bench: Bench) -> None:
    seen: list[Call] = []

    class Sees:
        async def list_actor_keys(self, _request: object, call: Call) -> pb.ListActorKeysResponse:
            seen.append(call)
            return pb.ListActorKeysResponse()

    server = Server(
        bench.settings(GrpcSettings, "account"),
        "account",
        clock=bench.clock,
        actor_keys=bench.actor_keys,
        traces=Telemetry("account", "nl", None),
    ).add(KEYS, Sees())
    async with serving(server), bench.client(server, "account", "svc/sharing") as channel:
        call: Any = channel.unary_unary("/accord.account.v1.KeyService/ListActorKeys")
        await call(b"", timeout=5, metadata=(("traceparent", PARENT), ("tracestate", "a=1")))
    (made,) = seen
    assert (made.trace.trace_id, made.trace.state) == ("a" * 32, "a=1")
    assert made.way == Way("svc/sharing", made.trace)
