"""Calls to another service of the mesh: mTLS, a deadline on each, its errors as Faults.

    account = Channel("account", settings.account_address, settings, [SESSION_SERVICE])
    sessions = Peer(SessionServiceStub, account)
    answer = await sessions.call(lambda s: s.Authenticate, request, timeout=1.0)

A Channel renews its connection when the certificate files change, since grpcio's client does not.
Only methods whose proto states an `idempotency_level` are retried, and only when the peer was
UNAVAILABLE.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Generic, TypeVar

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions

from runtime import actor as actor_tokens
from runtime import errors, telemetry
from runtime.call import current_call
from runtime.fault import Fault
from runtime.settings import ServiceSettings

StubT = TypeVar("StubT")
Request = TypeVar("Request")
Response = TypeVar("Response")

_MARGIN_S = 0.02  # of our own deadline, kept to answer our caller
_LOOK_S = 1.0  # how often the certificate files are looked at
_GRACE_S = 30.0  # for calls in progress on a connection that is replaced
_MAX_RESPONSE = 4 << 20  # bytes


class Channel:
    """The connection to one service. Make it inside the running loop; `close` it at the end."""

    def __init__(
        self,
        name: str,
        address: str,
        settings: ServiceSettings,
        services: Sequence[ServiceDescriptor],
        *,
        served_by_one: bool = False,
    ) -> None:
        """Take the services that are called here, for what their methods say of repeating.

        `served_by_one`: of the peer's replicas one serves the first of them at a time. The channel
        watches each replica's health for it and calls the one that serves.
        """
        self.name = name
        self._address = address
        self._credentials = settings.credentials
        watched = services[0].full_name if served_by_one else None
        self._options = _options(f"{name}.{settings.trust_domain}", services, watched)
        self._version = self._credentials.version()
        self._looked = time.monotonic()
        self._open = self._connect()
        self._retiring: set[asyncio.Task[None]] = set()

    def current(self) -> grpc.aio.Channel:
        """Return the connection, a new one when our certificate was renewed."""
        now = time.monotonic()
        if now - self._looked >= _LOOK_S:
            self._looked = now
            version = self._credentials.version()
            if version != self._version:
                self._version = version
                retired, self._open = self._open, self._connect()
                task = asyncio.create_task(retired.close(_GRACE_S))
                self._retiring.add(task)
                task.add_done_callback(self._retiring.discard)
        return self._open

    async def close(self) -> None:
        """Close the connection; calls in progress are cancelled."""
        for task in self._retiring:
            task.cancel()
        await asyncio.gather(*self._retiring, return_exceptions=True)
        await self._open.close()

    def _connect(self) -> grpc.aio.Channel:
        return grpc.aio.secure_channel(
            self._address, self._credentials.for_client(), options=self._options
        )


class Peer(Generic[StubT]):
    """One gRPC service behind a Channel; `stub` is its generated stub class."""

    def __init__(self, stub: Callable[[grpc.aio.Channel], StubT], channel: Channel) -> None:
        self._make = stub
        self._channel = channel
        self._on = channel.current()
        self._stub = stub(self._on)

    async def call(
        self,
        pick: "Callable[[StubT], grpc.aio.UnaryUnaryMultiCallable[Request, Response]]",
        request: Request,
        *,
        timeout: float,  # noqa: ASYNC109  grpc takes the deadline itself
        actor: str | None = None,
    ) -> Response:
        """Call a method within `timeout` seconds, and within our own caller's deadline.

        `actor` is the token of the person for whom the call is made. Raises the peer's Fault;
        UNAVAILABLE when it did not answer in time.
        """
        timeout, metadata = self._begin(timeout, actor)
        try:
            return await pick(self._stub)(request, timeout=timeout, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            raise errors.from_error(error, self._channel.name) from error

    async def stream(
        self,
        pick: "Callable[[StubT], grpc.aio.UnaryStreamMultiCallable[Request, Response]]",
        request: Request,
        *,
        timeout: float,  # noqa: ASYNC109  grpc takes the deadline itself
        actor: str | None = None,
    ) -> AsyncIterator[Response]:
        """Call a method that answers with a stream, the whole of it within `timeout` seconds."""
        timeout, metadata = self._begin(timeout, actor)
        try:
            async for response in pick(self._stub)(request, timeout=timeout, metadata=metadata):
                yield response
        except grpc.aio.AioRpcError as error:
            raise errors.from_error(error, self._channel.name) from error

    def _begin(
        self, timeout: float, actor: str | None
    ) -> tuple[float, tuple[tuple[str, str], ...]]:
        """Return what is left of the time, and what goes with the call."""
        on = self._channel.current()
        if on is not self._on:
            self._on, self._stub = on, self._make(on)
        inbound = current_call.get()
        if inbound is not None:
            timeout = min(timeout, inbound.remaining - _MARGIN_S)
            if timeout <= 0:
                raise Fault("DEADLINE_TOO_SHORT", f"no time is left to ask {self._channel.name}")
        metadata: list[tuple[str, str]] = []
        if (parent := telemetry.traceparent()) is not None:
            metadata.append((telemetry.TRACEPARENT, parent))
            if state := telemetry.tracestate():
                metadata.append((telemetry.TRACESTATE, state))
        if actor is not None:
            metadata.append((actor_tokens.METADATA_KEY, actor))
        return timeout, tuple(metadata)


def _options(
    host: str, services: Sequence[ServiceDescriptor], watched: str | None
) -> list[tuple[str, str | int]]:
    """Pin the name in the peer's certificate, retries where they are safe, and keepalive."""
    safe = [
        {"service": service.full_name, "method": method.name}
        for service in services
        for method in service.methods
        if method.GetOptions().idempotency_level != MethodOptions.IDEMPOTENCY_UNKNOWN
    ]
    config: dict[str, object] = {"loadBalancingConfig": [{"round_robin": {}}]}
    if watched:
        config["healthCheckConfig"] = {"serviceName": watched}
    if safe:
        config["methodConfig"] = [
            {
                "name": safe,
                "retryPolicy": {
                    "maxAttempts": 4,
                    "initialBackoff": "0.05s",
                    "maxBackoff": "1s",
                    "backoffMultiplier": 2,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
        ]
        config["retryThrottling"] = {"maxTokens": 100, "tokenRatio": 0.1}
    return [
        ("grpc.ssl_target_name_override", host),
        ("grpc.service_config", json.dumps(config)),
        ("grpc.enable_retries", 1),
        ("grpc.max_receive_message_length", _MAX_RESPONSE),
        # A peer that comes back is found again within a second, not when a backoff of minutes ends.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 1_000),
        ("grpc.max_reconnect_backoff_ms", 1_000),
        ("grpc.keepalive_time_ms", 20_000),
        ("grpc.keepalive_timeout_ms", 5_000),
    ]
