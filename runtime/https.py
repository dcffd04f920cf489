"""An HTTPS port: for browsers, or beside a gRPC port for tools that speak JSON.

    server.also("https", Https.beside(settings, "0.0.0.0:7444", app).run)

Beside a gRPC port TLS asks for a client certificate and does not demand one; whoever shows one
proves it against the roots of the region, or against those of `trust`. uvicorn tells an application
nothing of it, so the connection itself puts the holder into the scope of each of its requests,
under a key that no header can reach. Browsers are asked for none.

Whoever connects must say what he wants: without a whole request head within seconds a connection
ends, and one network address has so many of them and no more. What rests between two requests
takes nobody's place: the limit is of requests.

Certificates and roots are read at each handshake, as on the gRPC port. Nothing is resumed, and a
connection ends at its age, so that a certificate is looked at again.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Self, cast

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.flow_control import service_unavailable
from uvicorn.protocols.http.h11_impl import H11Protocol

from runtime.call import Caller
from runtime.settings import GrpcSettings
from runtime.trust import OneRegion, Trust

CALLER = "accord.caller"  # key of the scope: the Caller whom the certificate names, or None
CONNECTIONS = 4096  # of everybody

_MAX_HEAD = 16 * 1024  # bytes of request line and headers
_IDLE_S = 30
_BACKLOG = 512


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a port puts up with."""

    head_s: float = 5  # to shake hands, and as much for each request's head, from its first byte on
    per_peer: int = 128  # connections of an address; of IPv6, of a /64. A gateway is one address
    requests: int = 512  # at a time
    age_s: int = 30  # of a connection
    drain_s: int = 10  # for what is in progress at the end


Pair = tuple[Path, Path]  # files of the port's own certificate chain and of its key, PEM


class Https:
    """Serves an application on a port; the port is open from the first and closed by `close`."""

    def __init__(
        self,
        listen: str,
        app: ASGIApp,
        pair: Pair,
        trust: Trust | None,
        bounds: Bounds,
        *,
        anonymous: bool = True,
        shared: bool = False,
    ) -> None:
        """Open the port; without `trust` no certificate is asked for.

        Without `anonymous` it is shut to whoever shows none. `shared` with other processes of ours.
        """
        self._socket = _listening(listen, shared=shared)
        config = uvicorn.Config(
            app,
            loop="none",
            http=type("Connection", (_Connection,), {"port": _Port(trust, bounds, anonymous)}),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,  # paths may hold secrets
            proxy_headers=False,
            server_header=False,
            h11_max_incomplete_event_size=_MAX_HEAD,
            timeout_keep_alive=_IDLE_S,
            timeout_graceful_shutdown=bounds.drain_s,
            ssl_context_factory=lambda *_: _following(pair, trust),
        )
        self._server = _Server(config, bounds.head_s)

    @classmethod
    def beside(
        cls,
        settings: GrpcSettings,
        listen: str,
        app: ASGIApp,
        trust: Trust | None = None,
        *,
        anonymous: bool = True,
        bounds: Bounds = Bounds(),
    ) -> Self:
        """Open a port beside the gRPC port of the settings, with its certificate and bounds."""
        credentials = settings.credentials
        return cls(
            listen,
            app,
            (credentials.certificate_file, credentials.key_file),
            trust or OneRegion(credentials, settings.region),
            replace(
                bounds,
                requests=settings.max_concurrent_rpcs,
                age_s=settings.max_connection_age_s,
                drain_s=settings.drain_s,
            ),
            anonymous=anonymous,
            shared=settings.processes > 1,
        )

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
    """Uvicorn without its signal handlers, and with a bound on handshakes."""

    def __init__(self, config: uvicorn.Config, handshake_s: float) -> None:
        super().__init__(config)
        self._handshake_s = handshake_s

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen on sockets that are open; uvicorn itself leaves handshakes a minute."""
        await self.lifespan.startup()
        loop, config = asyncio.get_running_loop(), self.config

        def connected() -> asyncio.Protocol:
            made: asyncio.Protocol = config.http_protocol_class(  # type: ignore[call-arg]  # of ours
                config=config, server_state=self.server_state, app_state=self.lifespan.state
            )
            return made

        self.servers = [
            await loop.create_server(
                connected,
                sock=each,
                ssl=config.ssl,
                backlog=_BACKLOG,
                ssl_handshake_timeout=self._handshake_s,
                ssl_shutdown_timeout=self._handshake_s,
            )
            for each in sockets or ()
        ]
        self.started = True

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@dataclass(frozen=True, slots=True)
class _Port:
    """What the connections of a port have in common."""

    trust: Trust | None
    bounds: Bounds
    anonymous: bool
    peers: Counter[str] = field(default_factory=Counter)  # their connections


class _Connection(H11Protocol):
    """A connection of a port: who holds it, and for how long."""

    port: ClassVar[_Port]

    def connection_made(
        self,
        transport: asyncio.Transport,  # type: ignore[override]  # as uvicorn has it
    ) -> None:
        super().connection_made(transport)
        # uvicorn types what ASGI calls a mapping; Starlette does not.
        app: Any = self.app
        trust, shown = self.port.trust, _shown(transport)
        # None also if it names nobody of ours.
        self._holder: Caller | None = trust.holder(shown) if trust and shown else None
        self.app = cast("Any", self._held(app))
        self._end = self.loop.call_later(self.port.bounds.age_s, self._retire)
        self._peer = _network(self.client[0] if self.client else "")
        peers = self.port.peers
        peers[self._peer] += 1
        self._late: asyncio.TimerHandle | None = None
        if (
            peers[self._peer] > self.port.bounds.per_peer
            or len(self.connections) > CONNECTIONS
            or not (self.port.anonymous or shown)
        ):
            transport.abort()
        else:
            self._await_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._await_head()

    def on_response_complete(self) -> None:
        """Wait for the rest of a request that came with the one before."""
        super().on_response_complete()
        if self.conn.trailing_data[0]:
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end.cancel()
        if self._late is not None:
            self._late.cancel()
        peers = self.port.peers
        peers[self._peer] -= 1
        if not peers[self._peer]:
            del peers[self._peer]
        super().connection_lost(exc)

    def _await_head(self) -> None:
        """Bound how long a head may take: what is complete has begun a request."""
        if self.cycle is not None and not self.cycle.response_complete:
            if self._late is not None:
                self._late.cancel()
                self._late = None
        elif self._late is None:
            self._late = self.loop.call_later(self.port.bounds.head_s, self.transport.abort)

    def _held(self, app: ASGIApp) -> ASGIApp:
        async def held(scope: Scope, receive: Receive, send: Send) -> None:
            scope[CALLER] = self._holder
            if len(self.tasks) > self.port.bounds.requests:
                await service_unavailable(scope, receive, send)  # type: ignore[arg-type]  # as above
            else:
                await app(scope, receive, send)

        return held

    def _retire(self) -> None:
        if not self.transport.is_closing():
            self.shutdown()


def _shown(transport: asyncio.Transport) -> bytes | None:
    """Return the certificate that the other side proved to hold, if it did."""
    connection: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
    return connection.getpeercert(binary_form=True) if connection else None


def _network(address: str) -> str:
    """Return what one holder has: an IPv4 address, or the /64 of an IPv6 one."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))


def _following(pair: Pair, trust: Trust | None) -> ssl.SSLContext:
    """Make a context that answers each handshake with the files as they are then."""
    first = _context(pair, trust)
    seen, current = _version(pair, trust), first

    def renew(connection: ssl.SSLObject, *_: object) -> None:
        nonlocal seen, current
        try:
            version = _version(pair, trust)
            if version != seen:
                current = _context(pair, trust)
                seen = version
        except OSError:  # being written this moment (SSLError is one): the next handshake
            pass
        connection.context = current

    first.sni_callback = renew  # called whether or not the client names a host
    return first


def _version(pair: Pair, trust: Trust | None) -> tuple[object, ...]:
    return *(path.stat().st_mtime_ns for path in pair), *(trust.version() if trust else ())


def _context(pair: Pair, trust: Trust | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0  # a resumed session would not look at the certificate again
    context.load_cert_chain(*pair)
    if trust:
        context.verify_mode = ssl.CERT_OPTIONAL
        trust.load(context)
    return context


def _listening(listen: str, *, shared: bool) -> socket.socket:
    host, _, port = listen.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server(
        (host, int(port)), family=family, backlog=_BACKLOG, reuse_port=shared
    )
    # Head and body are two writes; who accepts inherits that the second does not wait for an ACK.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening
