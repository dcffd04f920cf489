"""grpc.health.v1: NOT_SERVING until every probe holds, on a plaintext port that serves it alone.

The port is for the kubelet, on the pod's address. It tells whether we serve and nothing else.
Liveness asks for `live`, which no dependency turns off; readiness asks whether `""` is SERVING.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import grpc
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health import aio
from grpc_health.v1.health_pb2 import HealthCheckResponse

from runtime import logs
from runtime.fault import Fault

log = logs.get(__name__)

_INTERVAL_S = 5.0
_STARTING_INTERVAL_S = 0.05  # until first ready, so that a mesh is up as soon as it can be
_PROBE_TIMEOUT_S = 4.5

Probe = Callable[[], Awaitable[None]]


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

    async def start(self) -> None:
        """Open the port; everything is NOT_SERVING, but the process lives."""
        await self._servicer.set("", HealthCheckResponse.NOT_SERVING)
        await self._servicer.set(LIVE, HealthCheckResponse.SERVING)
        self._server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, self._server)
        self.port = self._server.add_insecure_port(self._listen)
        await self._server.start()

    async def watch(self, names: Sequence[str]) -> None:
        """Ask the probes for ever; tell of each service by name and of the process as `""`."""
        ready: bool | None = None
        while True:
            was, ready = ready, await self._ready()
            if ready is not was:
                state = HealthCheckResponse.SERVING if ready else HealthCheckResponse.NOT_SERVING
                for name in ("", *names):
                    await self._servicer.set(name, state)
                log.info("health", state=HealthCheckResponse.ServingStatus.Name(state))
            await asyncio.sleep(_INTERVAL_S if ready else _STARTING_INTERVAL_S)

    async def drain(self) -> None:
        """Say NOT_SERVING for good."""
        await self._servicer.enter_graceful_shutdown()

    async def stop(self) -> None:
        """Close the port."""
        if self._server is not None:
            await self._server.stop(None)

    async def _ready(self) -> bool:
        try:
            async with asyncio.timeout(_PROBE_TIMEOUT_S):
                for probe in self.probes:
                    await probe()
        except (Fault, TimeoutError, OSError):
            return False
        return True
