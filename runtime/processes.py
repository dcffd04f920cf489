"""Several processes of a service behind one port: started, told of and ended together.

One process runs Python on one core. With `processes` above 1 the first process serves nothing
itself: it holds the ports, so that no other service can have them, and starts the others, which all
listen there; the kernel gives each connection to one of them (SO_REUSEPORT). Among themselves they
are as replicas are: what one must know of the others it learns from the database.

Their health is one answer, the worst of theirs. A process that ends by itself ends them all, with
exit status 1: whoever runs the container sees it, and has the growing pauses between restarts.
"""

import os
import signal
import socket
import threading
from collections.abc import Callable, Coroutine
from contextlib import ExitStack, suppress
from secrets import token_hex
from typing import TypeVar

import uvloop

from runtime import logs
from runtime.health import serve_health_of
from runtime.settings import GrpcSettings

log = logs.get(__name__)

S = TypeVar("S", bound=GrpcSettings)


def run(service: str, settings: S, serve: Callable[[S], Coroutine[None, None, None]]) -> None:
    """Serve until told to stop, in as many processes as the settings say."""
    if settings.processes > 1:
        settings = _one_of_several(service, settings)
    uvloop.run(serve(settings))


def _one_of_several(service: str, settings: S) -> S:
    """Return, in each of the processes, what it serves; the first one does not return.

    Neither gRPC nor an event loop lives through a fork: none may have begun yet. OSError when a
    port is taken.
    """
    with ExitStack() as stack:
        for door in settings.doors:
            if listen := getattr(settings, door):
                held = stack.enter_context(_held(listen))
                host = listen.rpartition(":")[0]
                settings = settings.model_copy(update={door: f"{host}:{held.getsockname()[1]}"})
        alive, held_open = os.pipe()
        # Not guessable, since whoever is on this machine could take the name before us.
        secret = token_hex(16)
        children = {}
        for number in range(settings.processes):
            health = f"unix-abstract:accord-{secret}-{number}"
            child = os.fork()
            if not child:
                os.close(held_open)
                threading.Thread(target=_die_with, args=(alive,), daemon=True).start()
                return settings.model_copy(update={"health_listen": health})
            children[child] = health
        raise SystemExit(_supervise(service, settings, children))


def _supervise(service: str, settings: GrpcSettings, children: dict[int, str]) -> int:
    """Answer for the children's health, pass signals on, and return the exit status."""
    logs.configure(service, settings.region, settings.log_level)
    told = failed = False

    def stop(*_: object) -> None:
        nonlocal told
        told = True
        for child in children:
            with suppress(ProcessLookupError):  # ended this moment
                os.kill(child, signal.SIGTERM)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    health = serve_health_of(list(children.values()), settings.health_listen)
    while children:
        child, status = os.wait()
        if children.pop(child, None) is None:
            continue  # an orphan of the container, whose first process adopts them
        if not told or status:
            code = os.waitstatus_to_exitcode(status)
            log.error("a process has ended", reason=f"status {code}", count=len(children))
            failed = True
        if not told:
            stop()
    health.stop(None)
    return int(failed)


def _held(listen: str) -> socket.socket:
    """Take an address for ourselves, then let our own processes share it; it is not listened on."""
    host, _, port = listen.rpartition(":")
    family, *_, address = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)[0]
    held = socket.socket(family, socket.SOCK_STREAM)
    # Connections that ended lately stand in nobody's way; whoever holds the address does, also
    # one who starts in the same moment and shares with processes of its own.
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(address)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    return held


def _die_with(alive: int) -> None:
    """End this process when nobody holds the other end of the pipe: the first process is gone."""
    os.read(alive, 1)
    os.kill(os.getpid(), signal.SIGKILL)
