"""The server of every service: mTLS, the caller rules, actor tokens, deadlines, health, drain.

    await Server(settings, "sharing", clock=clock, actor_keys=keys).add(SERVICE, servicer).run()

Each method of a descriptor is served by the servicer's method of the same name in snake case:

    async def check(self, request: CheckRequest, call: Call) -> CheckResponse

A streaming response is an async generator; a streaming request is an async iterator of messages.
A method without a rule, or without an implementation, refuses to start.
"""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Self

import grpc
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from grpc_status import rpc_status
from opentelemetry.trace import SpanKind

from runtime import actor, errors, logs, telemetry
from runtime.call import Actor, Call, Caller, current_call
from runtime.clock import Clock
from runtime.fault import Fault
from runtime.handlers import Answer, Context, handler, snake_case
from runtime.health import SERVICE as HEALTH
from runtime.health import Health, HealthDoor, Probe
from runtime.identity import caller_of
from runtime.policy import PolicyError, Rule, rule_of
from runtime.reflection import SERVICE as REFLECTION
from runtime.reflection import Reflection
from runtime.settings import GrpcSettings

log = logs.get(__name__)

MAX_MESSAGE = 1 << 20  # bytes; a larger request is refused before it is read into memory
MAX_DEADLINE_S = 30.0  # of a call that states none, and of one that states more
MIN_DEADLINE_S = 0.01  # less than this cannot be answered: refused at once
SHAVE_S = 0.02  # kept back so that we report our own timeout before the caller gives up

_REFLECTION_RULE = Rule(staff=frozenset({"operator"}))
Task = Callable[[], Awaitable[None]]


class Server:
    """Builds and runs the gRPC server of one process."""

    def __init__(
        self,
        settings: GrpcSettings,
        service: str,
        *,
        clock: Clock,
        actor_keys: actor.KeySource,
        traces: telemetry.Telemetry,
    ) -> None:
        self._settings = settings
        self._service = service
        self._verifier = actor.Verifier(settings.region, service, actor_keys, clock)
        self._traces = traces
        self._handlers: list[grpc.GenericRpcHandler] = []
        self._names: list[str] = []
        self._tasks: list[tuple[str, Task]] = []
        self._running: list[asyncio.Task[None]] = []
        self._draining: list[Callable[[], None]] = []
        self._health = Health(settings.health_listen)
        self._failed = asyncio.Event()
        self._grpc: grpc.aio.Server | None = None
        self.port = 0

    def add(self, service: ServiceDescriptor, servicer: object, rule: Rule | None = None) -> Self:
        """Serve a service; `rule` only for those whose protos others wrote."""
        handlers = {
            method.name: self._handler(method, servicer, rule or rule_of(method))
            for method in service.methods
        }
        self._handlers.append(grpc.method_handlers_generic_handler(service.full_name, handlers))
        self._names.append(service.full_name)
        return self

    def also(self, name: str, task: Task) -> Self:
        """Run a task beside the server; its end is the server's end. The last added ends first."""
        self._tasks.append((name, task))
        return self

    def ready_when(self, probe: Probe) -> Self:
        """Be SERVING only while `probe` does not raise."""
        self._health.probes.append(probe)
        return self

    def tell_health(self, service: ServiceDescriptor) -> Self:
        """Tell the callers of a service that is not served by every replica where it is.

        Theirs are the channels that watch it (`Channel(…, served_by_one=True)`).
        """
        rules = [rule_of(method) for method in service.methods]
        callers = frozenset().union(*(rule.services for rule in rules))
        return self.add(HEALTH, HealthDoor(self._health), Rule(services=callers))

    def offer(self, service: ServiceDescriptor, *, here: bool) -> None:
        """Say whether a service is served here now, or by another replica."""
        self._health.offer(service.full_name, here=here)

    def when_draining(self, action: Callable[[], None]) -> Self:
        """Do `action` when this process is going down: what would serve on for long ends now."""
        self._draining.append(action)
        return self

    async def start(self) -> None:
        """Open the ports; health is SERVING once the probes hold."""
        settings = self._settings
        self.add(REFLECTION, Reflection(self._names), _REFLECTION_RULE)
        server = grpc.aio.server(
            options=_options(settings),
            maximum_concurrent_rpcs=settings.max_concurrent_rpcs,
        )
        server.add_generic_rpc_handlers(tuple(self._handlers))
        self.port = server.add_secure_port(settings.listen, settings.credentials.for_server())
        self._grpc = server
        await self._health.start()
        await server.start()
        self._running = [
            asyncio.create_task(self._own(name, task), name=name)
            for name, task in [*self._tasks, ("health", lambda: self._health.watch(self._names))]
        ]
        log.info("started", address=f"port {self.port}")

    @property
    def health_port(self) -> int:
        """Return the port that serves health."""
        return self._health.port

    async def drain(self) -> None:
        """Say NOT_SERVING for good, so that callers go elsewhere, and let streams end."""
        for action in self._draining:
            action()
        await self._health.drain()

    async def stop(self) -> None:
        """Refuse new calls, let those in progress end within the grace, end the tasks."""
        await self.drain()
        if self._grpc is not None:
            await self._grpc.stop(self._settings.drain_s)
        for task in reversed(self._running):  # one may stand on those before it until its end
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await self._health.stop()
        log.info("stopped")

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT, or until a task of ours fails."""
        loop = asyncio.get_running_loop()
        asked = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, asked.set)
        await self.start()
        ends = [asyncio.create_task(event.wait()) for event in (asked, self._failed)]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for end in ends:
                end.cancel()
            await self.stop()
        if self._failed.is_set():
            raise SystemExit(1)

    async def _own(self, name: str, task: Task) -> None:
        try:
            await task()
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("task failed", task=name)
        self._failed.set()

    # --- the steps -----------------------------------------------------------------------------

    async def _admit(self, path: str, rule: Rule, context: Context, token: str | None) -> Call:
        """Let a call pass, outermost step first, or raise the Fault of the one that refuses."""
        # Who holds the certificate: nothing else is believed before.
        caller = caller_of(context.auth_context(), self._settings.region)
        # Does the method's rule name them: the cheap refusal comes early.
        rule.admit_caller(caller, path)
        # For whom they act: costs a signature, so only for the admitted.
        acting = None if token is None else await self._actor(caller, token)
        rule.admit_actor(caller, acting)
        # Until when: work that cannot finish is not begun.
        deadline = _deadline(context.time_remaining())
        return Call(path, caller, acting, telemetry.current_trace(), deadline)

    async def _actor(self, caller: Caller, token: str) -> Actor:
        if caller.kind != "svc":
            raise Fault("ACTOR_INVALID", "only a service acts for somebody else")
        return await self._verifier.verify(token)

    # --- the one wrapper around each method ----------------------------------------------------

    def _handler(
        self, method: MethodDescriptor, servicer: object, rule: Rule
    ) -> "grpc.RpcMethodHandler[bytes, bytes]":
        implementation = getattr(servicer, snake_case(method.name), None)
        if implementation is None:
            raise PolicyError(f"{method.full_name} is not implemented")
        path = f"/{method.containing_service.full_name}/{method.name}"
        return handler(method, implementation, partial(self._serve, path, rule))

    async def _serve(self, path: str, rule: Rule, context: Context, answer: Answer) -> bytes | None:
        """Serve one call: its span, so that a refused call is seen; every Fault as its status."""
        began = time.monotonic()
        token = parent = state = None
        for key, value in context.invocation_metadata():
            if key == actor.METADATA_KEY:
                token = value
            elif key == telemetry.TRACEPARENT:
                parent = value
            elif key == telemetry.TRACESTATE:
                state = value
        with self._traces.span(path[1:], SpanKind.SERVER, parent, state) as span:
            try:
                call = await self._admit(path, rule, context, token)
                current_call.set(call)  # this task serves this call alone
                async with asyncio.timeout(call.remaining):
                    response = await answer(call)
                self._traces.served(path[1:], "OK", time.monotonic() - began)
                return response  # noqa: TRY300  the error paths share what follows
            except Fault as refusal:
                fault = refusal
            except TimeoutError:
                fault = Fault("DEADLINE_TOO_SHORT", "the deadline passed before the answer")
            except Exception:
                log.exception("bug", method=path)
                fault = Fault("INTERNAL", "a bug of ours; the trace id finds it")
            status = errors.to_status(fault)
            self._traces.served(path[1:], errors.code_of(fault).name, time.monotonic() - began)
            span.note("error.type", fault.reason)
            log.info("refused", method=path, reason=fault.reason, code=errors.code_of(fault).name)
            await context.abort_with_status(rpc_status.to_status(status))
        return None


def _deadline(stated: float | None) -> float:
    remaining = MAX_DEADLINE_S if stated is None else min(stated, MAX_DEADLINE_S)
    if remaining - SHAVE_S < MIN_DEADLINE_S:
        raise Fault("DEADLINE_TOO_SHORT", "too little time is left to answer")
    return time.monotonic() + remaining - SHAVE_S


def _options(settings: GrpcSettings) -> Sequence[tuple[str, int]]:
    return (
        ("grpc.max_receive_message_length", MAX_MESSAGE),
        ("grpc.max_concurrent_streams", 256),
        ("grpc.max_connection_age_ms", settings.max_connection_age_s * 1000),
        ("grpc.max_connection_age_grace_ms", settings.drain_s * 1000),
        ("grpc.keepalive_time_ms", 20_000),
        ("grpc.keepalive_timeout_ms", 5_000),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
        # Only with processes of our own: two services would share a port by mistake.
        ("grpc.so_reuseport", int(settings.processes > 1)),
    )
