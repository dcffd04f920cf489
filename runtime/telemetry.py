"""OpenTelemetry: traces and metrics of every call, exported over OTLP when an endpoint is set.

Attributes are of a closed list (method, status, region): no ids of people. `traceparent` goes with
each call (W3C Trace Context) and its ids stand in each audit record; the audit log itself never
travels this way, since telemetry may drop.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import Histogram
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, TraceFlags

from runtime.event import Trace

TRACEPARENT = "traceparent"
_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")


class Telemetry:
    """The tracer and meters of one process. Make one in main, `close` it last."""

    def __init__(self, service: str, region: str, endpoint: str | None) -> None:
        resource = Resource.create(
            {"service.name": service, "service.namespace": "accord", "cloud.region": region}
        )
        # With a collector every call is sampled: an auditor must find the trace of each. Without
        # one the ids still flow, and the sampled bit says that no trace was kept.
        self._traces = TracerProvider(
            sampler=ALWAYS_ON if endpoint else ALWAYS_OFF, resource=resource
        )
        self._tracer = self._traces.get_tracer("accord")
        self._meters: MeterProvider | None = None
        self._durations: Histogram | None = None
        if endpoint:
            self._traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint)))
            reader = PeriodicExportingMetricReader(OTLPMetricExporter(endpoint))
            self._meters = MeterProvider(resource=resource, metric_readers=[reader])
            self._durations = self._meters.get_meter("accord").create_histogram(
                "rpc.server.call.duration", unit="s", description="time to answer a call"
            )

    @contextmanager
    def span(self, name: str, kind: SpanKind, parent: str | None = None) -> Iterator[Span]:
        """Open a span; `parent` is a `traceparent` header of a caller that we trust."""
        with self._tracer.start_as_current_span(
            name, _remote(parent), kind, record_exception=False, set_status_on_exception=False
        ) as span:
            yield span

    def served(self, method: str, code: str, seconds: float) -> None:
        """Count one answered call."""
        if self._durations is not None:
            self._durations.record(
                seconds,
                {"rpc.system.name": "grpc", "rpc.method": method, "rpc.status_code": code},
            )

    def close(self) -> None:
        """Send what is waiting, briefly, and stop."""
        self._traces.shutdown()
        if self._meters is not None:
            self._meters.shutdown()


def current_trace() -> Trace:
    """Return where we are, for an audit event; empty outside of any trace."""
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return Trace()
    return Trace(f"{context.trace_id:032x}", f"{context.span_id:016x}", int(context.trace_flags))


def traceparent() -> str | None:
    """Return the header that continues the current trace elsewhere."""
    here = current_trace()
    return f"00-{here.trace_id}-{here.span_id}-{here.flags:02x}" if here.trace_id else None


def _remote(header: str | None) -> Context | None:
    match = _TRACEPARENT.fullmatch(header or "")
    if match is None:
        return None
    context = SpanContext(
        int(match[1], 16),
        int(match[2], 16),
        is_remote=True,
        trace_flags=TraceFlags(int(match[3], 16)),
    )
    return trace.set_span_in_context(NonRecordingSpan(context))
