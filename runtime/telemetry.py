"""OpenTelemetry: traces and metrics of every call, exported over OTLP when an endpoint is set.

Attributes are of a closed list (method, status, region): no ids of people. `traceparent` goes with
each call (W3C Trace Context) and its ids stand in each audit record; the audit log itself never
travels this way, since telemetry may drop.
"""

import os
import re
from collections.abc import Callable
from contextvars import ContextVar, Token
from functools import cache
from typing import Self
from uuid import uuid4

import structlog
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import CallbackOptions, Counter, Histogram, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    TraceFlags,
    Tracer,
    TraceState,
)

from runtime.event import PARENT_KNOWN, PARENT_REMOTE, Trace
from runtime.randomness import random_bytes

TRACEPARENT, TRACESTATE = "traceparent", "tracestate"
_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")

# W3C Trace Context §3.3: up to 32 members. We carry on the 512 characters that everyone must.
_MEMBER = r"[a-z0-9][a-z0-9_*/@-]{0,255}=[!-+\--<>-~](?:[ -+\--<>-~]{0,254}[!-+\--<>-~])?"
_TRACESTATE = re.compile(rf"{_MEMBER}(?:[ \t]*,[ \t]*{_MEMBER}){{0,31}}")
_LONGEST_STATE = 512

# Named as `runtime.logs` would, which imports this module for the trace.
_log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(__name__)


@cache
def instance() -> str:
    """Return what tells this process from every other, of this service and of its other starts."""
    return str(uuid4())


os.register_at_fork(after_in_child=instance.cache_clear)


class Telemetry:
    """The tracer and meters of one process. Make one in main, `close` it last."""

    def __init__(self, service: str, region: str, endpoint: str | None) -> None:
        resource = Resource.create(
            {
                "service.name": service,
                "service.namespace": "accord",
                "service.instance.id": instance(),
                "cloud.region": region,
            }
        )
        self._traces: TracerProvider | None = None
        self._tracer: Tracer | None = None
        self._meters: MeterProvider | None = None
        self._durations: Histogram | None = None
        self._alarms: Counter | None = None
        self._asked: Histogram | None = None
        # With a collector every call is sampled: an auditor must find the trace of each. Without
        # one the ids still flow, and the sampled bit says that no trace was kept.
        if endpoint:
            self._traces = TracerProvider(sampler=ALWAYS_ON, resource=resource)
            self._tracer = self._traces.get_tracer("accord")
            self._traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint)))
            reader = PeriodicExportingMetricReader(OTLPMetricExporter(endpoint))
            self._meters = MeterProvider(resource=resource, metric_readers=[reader])
            meter = self._meters.get_meter("accord")
            self._durations = meter.create_histogram(
                "rpc.server.call.duration", unit="s", description="time to answer a call"
            )
            self._alarms = meter.create_counter(
                "accord.alarms", description="what a person has to look at, by its name"
            )
            self._asked = meter.create_histogram(
                "accord.peer.duration", unit="s", description="what came of asking a peer, and when"
            )

    def span(
        self, name: str, kind: SpanKind, parent: str | None = None, state: str | None = None
    ) -> "Span":
        """Open a span for a `with`.

        `parent` and `state` are the `traceparent` and `tracestate` of a caller that we trust; what
        is malformed is as if it were not there.
        """
        match = _TRACEPARENT.fullmatch(parent) if parent else None
        carried = state if match and state and _is_state(state) else ""
        known = PARENT_KNOWN | PARENT_REMOTE if match else PARENT_KNOWN
        if self._tracer is None:
            fresh = random_bytes(24).hex()
            trace_id = match[1] if match else fresh[16:]
            return Span(Trace(trace_id, fresh[:16], known, carried), None)
        kept = self._tracer.start_span(name, _remote(match, carried), kind)
        context = kept.get_span_context()
        here = Trace(
            f"{context.trace_id:032x}",
            f"{context.span_id:016x}",
            int(context.trace_flags) | known,
            carried,
        )
        return Span(here, kept)

    def served(self, method: str, code: str, seconds: float) -> None:
        """Count one answered call."""
        if self._durations is not None:
            self._durations.record(
                seconds,
                {"rpc.system.name": "grpc", "rpc.method": method, "rpc.status_code": code},
            )

    def alarm(self, name: str) -> None:
        """Count and log what a person has to look at; `docs/operations.md` says what to do."""
        _log.error("alarm", reason=name)
        if self._alarms is not None:
            self._alarms.add(1, {"accord.alarm": name})

    def asked(self, peer: str, outcome: str, seconds: float) -> None:
        """Count one question to a peer outside of the region, by its name, never by its address."""
        if self._asked is not None:
            self._asked.record(seconds, {"accord.peer": peer, "accord.outcome": outcome})

    def gauge(
        self, name: str, unit: str, description: str, value: Callable[[], float | None]
    ) -> None:
        """Send what `value` returns, from another thread, with each export; None is not sent."""

        def observed(_options: CallbackOptions) -> list[Observation]:
            now = value()
            return [] if now is None else [Observation(now)]

        if self._meters is not None:
            meter = self._meters.get_meter("accord")
            meter.create_observable_gauge(name, [observed], unit=unit, description=description)

    def close(self) -> None:
        """Send what is waiting, briefly, and stop."""
        if self._traces is not None:
            self._traces.shutdown()
        if self._meters is not None:
            self._meters.shutdown()


class Span:
    """The stretch of a trace that a `with` covers; kept only where a collector is."""

    __slots__ = ("_kept", "_outer", "trace")

    def __init__(self, here: Trace, kept: trace.Span | None) -> None:
        self.trace = here
        self._kept = kept
        self._outer: Token[Trace] | None = None

    def __enter__(self) -> Self:
        """Be where we are from now on."""
        self._outer = _HERE.set(self.trace)
        return self

    def __exit__(self, *_raised: object) -> None:
        """End; what was raised is told by `note`, never by its text."""
        if self._outer is not None:
            _HERE.reset(self._outer)
        if self._kept is not None:
            self._kept.end()

    def rename(self, name: str) -> None:
        """Say better what it is, once that is known."""
        if self._kept is not None:
            self._kept.update_name(name)

    def note(self, key: str, value: str | int) -> None:
        """Add an attribute; no ids of people."""
        if self._kept is not None:
            self._kept.set_attribute(key, value)


_HERE: ContextVar[Trace] = ContextVar("here", default=Trace())  # noqa: B039  Trace is frozen


def current_trace() -> Trace:
    """Return where we are, for an audit event; empty outside of any trace."""
    return _HERE.get()


def traceparent() -> str | None:
    """Return the header that continues the current trace elsewhere."""
    here = _HERE.get()
    return f"00-{here.trace_id}-{here.span_id}-{here.flags & 0xFF:02x}" if here.trace_id else None


def tracestate() -> str:
    """Return the header that goes with `traceparent`; empty when there is none."""
    return _HERE.get().state


def _is_state(text: str) -> bool:
    return len(text) <= _LONGEST_STATE and _TRACESTATE.fullmatch(text) is not None


def _remote(match: re.Match[str] | None, state: str) -> Context | None:
    if match is None:
        return None
    context = SpanContext(
        int(match[1], 16),
        int(match[2], 16),
        is_remote=True,
        trace_flags=TraceFlags(int(match[3], 16)),
        trace_state=TraceState.from_header([state]),
    )
    return trace.set_span_in_context(NonRecordingSpan(context))
