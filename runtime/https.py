"""An HTTPS port beside the gRPC port, for tools that speak JSON.

    server.also("https", Https(settings, "0.0.0.0:7444", app).run)

TLS asks for a client certificate and does not demand one; whoever shows one proves it against the
roots of the region, or against those of `trust`. uvicorn tells an application nothing of it, so the
connection itself puts the holder into the scope of each of its requests, under a key that no header
can reach.

Certificates and roots are read at each handshake, as on the gRPC port. Nothing is resumed, and a
connection ends at its age, so that a certificate is looked at again.
"""

import asyncio
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self, cast

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from runtime.call import Caller
from runtime.credentials import Credentials
from runtime.settings import GrpcSettings
from runtime.trust import OneRegion, Trust

CALLER = "accord.caller"  # key of the scope: the Caller whom the certificate names, or None

_MAX_HEAD = 16 * 1024  # bytes of request line and headers
_IDLE_S = 30
_BACKLOG = 512


class Https:
    """Serves an application on a port; the port is open from the first and closed by `close`."""

    def __init__(
        self, settings: GrpcSettings, listen: str, app: ASGIApp, trust: Trust | None = None
    ) -> None:
        self._socket = _listening(listen)
        credentials = settings.credentials
        trusted = trust or OneRegion(credentials, settings.region)
        config = uvicorn.Config(
            app,
            loop="none",
            http=_connection(trusted, settings.max_connection_age_s),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            h11_max_incomplete_event_size=_MAX_HEAD,
            limit_concurrency=settings.max_concurrent_rpcs,
            timeout_keep_alive=_IDLE_S,
            timeout_graceful_shutdown=settings.drain_s,
            ssl_context_factory=lambda *_: _following(credentials, trusted),
        )
        self._server = _Server(config)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    @property
    def port(self) -> int:
        """Return the port that is open."""
        port: int = self._socket.getsockname()[1]
        return port

    async def run(self) -> None:
        """Serve until cancelled, then let what is in progress end within the grace."""
        serving = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        try:
            await asyncio.shield(serving)
        finally:
            self._server.should_exit = True
            await serving


class _Server(uvicorn.Server):
    """Uvicorn without its signal handlers: the process has its own."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _connection(trust: Trust, age_s: int) -> type[H11Protocol]:
    """Make the protocol of a port: who holds the connection, and for how long."""

    class Connection(H11Protocol):
        def connection_made(
            self,
            transport: asyncio.Transport,  # type: ignore[override]  # as uvicorn has it
        ) -> None:
            super().connection_made(transport)
            # uvicorn types what ASGI calls a mapping; Starlette does not.
            app: Any = self.app
            self.app = cast("Any", _held(app, _holder(transport, trust)))
            self._end = self.loop.call_later(age_s, self._retire)

        def connection_lost(self, exc: Exception | None) -> None:
            self._end.cancel()
            super().connection_lost(exc)

        def _retire(self) -> None:
            if not self.transport.is_closing():
                self.shutdown()

    return Connection


def _held(app: ASGIApp, caller: Caller | None) -> ASGIApp:
    async def held(scope: Scope, receive: Receive, send: Send) -> None:
        scope[CALLER] = caller
        await app(scope, receive, send)

    return held


def _holder(transport: asyncio.Transport, trust: Trust) -> Caller | None:
    """Return whom a verified certificate names; None without one, or if that is nobody of ours."""
    connection: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
    certificate = connection.getpeercert(binary_form=True) if connection else None
    return trust.holder(certificate) if certificate else None


def _following(credentials: Credentials, trust: Trust) -> ssl.SSLContext:
    """Make a context that answers each handshake with the files as they are then."""
    first = _context(credentials, trust)
    seen, current = (credentials.version(), trust.version()), first

    def renew(connection: ssl.SSLObject, *_: object) -> None:
        nonlocal seen, current
        try:
            version = credentials.version(), trust.version()
            if version != seen:
                current = _context(credentials, trust)
                seen = version
        except OSError:  # being written this moment (SSLError is one): the next handshake
            pass
        connection.context = current

    first.sni_callback = renew  # called whether or not the client names a host
    return first


def _context(credentials: Credentials, trust: Trust) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0  # a resumed session would not look at the certificate again
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_cert_chain(credentials.certificate_file, credentials.key_file)
    trust.load(context)
    return context


def _listening(listen: str) -> socket.socket:
    host, _, port = listen.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, int(port)), family=family, backlog=_BACKLOG)
