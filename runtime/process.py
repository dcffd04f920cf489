"""The life of a service's process, the same for all: logs, telemetry, serve, end.

A service that cannot start says why in one log line and exits 1; the traceback is for bugs.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from runtime import logs
from runtime.server import Server
from runtime.settings import ServiceSettings
from runtime.telemetry import Telemetry

log = logs.get(__name__)


class NotReadyError(Exception):
    """The service must not start; the message says what to do about it, and names no secret."""


async def serve(
    service: str,
    settings: ServiceSettings,
    assemble: Callable[[Telemetry], AbstractAsyncContextManager[Server]],
) -> None:
    """Assemble the service's server and run it until told to stop."""
    logs.configure(service, settings.region, settings.log_level)
    traces = Telemetry(service, settings.region, settings.otlp_endpoint)
    try:
        async with assemble(traces) as server:
            await server.run()
    except NotReadyError as error:
        log.error("not started", reason=str(error))  # noqa: TRY400  the reason is the message
        raise SystemExit(1) from error
    finally:
        await asyncio.to_thread(traces.close)
