"""grpc.health.v1: NOT_SERVING until every probe holds, on a plaintext port that serves it alone.

The port is for the kubelet, on the pod's address. It tells whether we serve and nothing else.
Liveness asks for `live`, which no dependency turns off; readiness asks whether `""` is SERVING.

A service that one replica serves at a time is withheld on the others: its name alone is
NOT_SERVING there. Its callers watch that name on the mTLS port, through `HealthDoor`, and their
channels pass by the replicas that do not serve it.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import grpc
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health import aio
from grpc_health.v1.health_pb2 import (
    DESCRIPTOR,
    HealthCheckRequest,
    HealthCheckResponse,
    HealthListRequest,
    HealthListResponse,
)

from runtime import logs
from runtime.call import Call
from runtime.fault import Fault, not_found

log = logs.get(__name__)

_INTERVAL_S = 5.0
_STARTING_INTERVAL_S = 0.05  # until first ready, so that a mesh is up as soon as it can be
_PROBE_TIMEOUT_S = 4.5
_LAST_S = 0.25  # kept of the time of a call that watches, so that it ends well

_ASK_S = 1.0  # for the health of another process of ours; the kubelet waits for 2 s
_ASKERS = 4  # questions answered at a time

Probe = Callable[[], Awaitable[None]]
SERVICE = DESCRIPTOR.services_by_name["Health"]

# Asks for nothing but a running event loop: a database that is away must not restart its clients.
LIVE = "live"


class Health:
    """Asks the probes and answers for them."""

    def __init__(self, listen: str) -> None:
        self.probes: list[Probe] = []
        self.port = 0
        self._listen = listen
        self._servicer = aio.HealthServicer()
        self._server: grpc.aio.Server | None = None
        self._states: dict[str, HealthCheckResponse.ServingStatus.ValueType] = {}
        self._withheld: set[str] = set()
        self._look = asyncio.Event()  # sooner than at the next interval
        self._changed = asyncio.Condition()
        self.draining = False

    async def start(self) -> None:
        """Open the port; everything is NOT_SERVING, but the process lives."""
        await self._set("", HealthCheckResponse.NOT_SERVING)
        await self._set(LIVE, HealthCheckResponse.SERVING)
        self._server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, self._server)
        self.port = self._server.add_insecure_port(self._listen)
        await self._server.start()

    async def watch(self, names: Sequence[str]) -> None:
        """Ask the probes for ever; tell of each service by name and of the process as `""`."""
        while True:
            self._look.clear()
            ready = await self._ready()
            for name in ("", *names):
                serving = ready and name not in self._withheld
                state = HealthCheckResponse.SERVING if serving else HealthCheckResponse.NOT_SERVING
                if self._states.get(name) != state:
                    await self._set(name, state)
                    state_name = HealthCheckResponse.ServingStatus.Name(state)
                    log.info("health", service=name, state=state_name)
            interval = _INTERVAL_S if ready else _STARTING_INTERVAL_S
            with suppress(TimeoutError):
                await asyncio.wait_for(self._look.wait(), interval)

    def offer(self, name: str, *, here: bool) -> None:
        """Say whether a service is served here; those not spoken of are."""
        (self._withheld.discard if here else self._withheld.add)(name)
        self._look.set()

    @property
    def names(self) -> Collection[str]:
        """Return the names whose state is told."""
        return self._states.keys()

    def state(self, name: str) -> "HealthCheckResponse.ServingStatus.ValueType":
        """Return a service's state; SERVICE_UNKNOWN while, or when, there is none of that name."""
        state = self._states.get(name, HealthCheckResponse.SERVICE_UNKNOWN)
        return HealthCheckResponse.NOT_SERVING if self.draining else state

    async def another(
        self, name: str, told: "HealthCheckResponse.ServingStatus.ValueType | None"
    ) -> "HealthCheckResponse.ServingStatus.ValueType":
        """Return a service's state once it is not what was told."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.state(name) != told)
            return self.state(name)

    async def drain(self) -> None:
        """Say NOT_SERVING for good."""
        await self._servicer.enter_graceful_shutdown()
        async with self._changed:
            self.draining = True
            self._changed.notify_all()

    async def stop(self) -> None:
        """Close the port."""
        if self._server is not None:
            await self._server.stop(None)

    async def _set(self, name: str, state: HealthCheckResponse.ServingStatus.ValueType) -> None:
        await self._servicer.set(name, state)
        async with self._changed:
            self._states[name] = state
            self._changed.notify_all()

    async def _ready(self) -> bool:
        try:
            async with asyncio.timeout(_PROBE_TIMEOUT_S):
                for probe in self.probes:
                    await probe()
        except (Fault, TimeoutError, OSError):
            return False
        return True


def serve_health_of(addresses: Sequence[str], listen: str) -> grpc.Server:
    """Serve the health of processes that tell theirs at `addresses`: the worst of their answers.

    It is asked for anew each time. From threads, for a process that has no event loop.
    """

    def check(request: HealthCheckRequest, context: grpc.ServicerContext) -> HealthCheckResponse:
        answer = HealthCheckResponse()
        for address in addresses:
            with grpc.insecure_channel(address) as channel:
                try:
                    answer = health_pb2_grpc.HealthStub(channel).Check(request, timeout=_ASK_S)
                except grpc.RpcError as error:
                    context.abort(error.code(), "one of the processes does not tell")
            if answer.status != HealthCheckResponse.SERVING:
                break
        return answer

    handler = grpc.unary_unary_rpc_method_handler(
        check, HealthCheckRequest.FromString, HealthCheckResponse.SerializeToString
    )
    server = grpc.server(ThreadPoolExecutor(_ASKERS), options=(("grpc.so_reuseport", 0),))
    handlers = grpc.method_handlers_generic_handler(SERVICE.full_name, {"Check": handler})
    server.add_generic_rpc_handlers((handlers,))
    server.add_insecure_port(listen)
    server.start()
    return server


class HealthDoor:
    """Health for the callers of a service that one replica serves at a time, over mTLS."""

    def __init__(self, health: Health) -> None:
        self._health = health

    async def check(self, request: HealthCheckRequest, _call: Call) -> HealthCheckResponse:
        """Tell a service's state; NOT_FOUND when there is none of that name."""
        if request.service not in self._health.names:
            raise not_found(f"service {request.service}")
        return HealthCheckResponse(status=self._health.state(request.service))

    async def list(self, _request: HealthListRequest, _call: Call) -> HealthListResponse:
        """Tell the state of every service."""
        statuses = {name: self._health.state(name) for name in self._health.names}
        return HealthListResponse(
            statuses={name: HealthCheckResponse(status=state) for name, state in statuses.items()}
        )

    async def watch(
        self, request: HealthCheckRequest, call: Call
    ) -> "AsyncGenerator[HealthCheckResponse]":
        """Tell a service's state now and whenever it is another; the channel asks again after."""
        told: HealthCheckResponse.ServingStatus.ValueType | None = None
        while True:
            try:
                async with asyncio.timeout(call.remaining - _LAST_S):
                    told = await self._health.another(request.service, told)
            except TimeoutError:
                return
            yield HealthCheckResponse(status=told)
            if self._health.draining:  # a stream that stays would hold up our end
                return
