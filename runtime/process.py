"""The life of a service's process, the same for all: logs, telemetry, serve, end.

A service that cannot start says why in one log line and exits 1; the traceback is for bugs.
"""

import asyncio
import gc
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from runtime import logs
from runtime.server import Server
from runtime.settings import ServiceSettings
from runtime.telemetry import Telemetry

log = logs.get(__name__)

_NEW_OBJECTS = 50_000  # between two searches for garbage
# A database's thread gives the interpreter up at each statement and wins it back from a busy loop
# only after so long; by default that is 5 ms, ten times what a commit takes.
_SWITCH_S = 0.0005


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
            sys.setswitchinterval(_SWITCH_S)
            spare_the_collector()
            await server.run()
    except NotReadyError as error:
        log.error("not started", reason=str(error))  # noqa: TRY400  the reason is the message
        raise SystemExit(1) from error
    finally:
        await asyncio.to_thread(traces.close)


def spare_the_collector() -> None:
    """Keep what a service is made of from being looked at again and again for garbage.

    By default each 700 new objects begin a search, and a batch makes thousands that all live until
    it is answered. Cycles are rare here: reference counts free what is served.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS)
