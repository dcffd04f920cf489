"""A channel to one service of the mesh: mTLS, deadlines, retries where a call may be repeated."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Awaitable
from typing import Self, TypeVar

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions

from accord_client.fault import fault_of
from accord_client.profile import Profile, ProfileError

T = TypeVar("T")

_RETRY = {
    "maxAttempts": 4,
    "initialBackoff": "0.05s",
    "maxBackoff": "1s",
    "backoffMultiplier": 2,
    "retryableStatusCodes": ["UNAVAILABLE"],
}
# When most calls fail, repeating them only adds load: below half of the tokens none is repeated.
_THROTTLING = {"maxTokens": 100, "tokenRatio": 0.1}
_LOOK_S = 1.0  # how often the certificate files are looked at
_GRACE_S = 30.0


@contextlib.asynccontextmanager
async def open_channel(
    profile: Profile, service: str, descriptors: tuple[ServiceDescriptor, ...]
) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to ``service``, which must prove to be that service of the profile's region.

    Raises ProfileError when the certificate files cannot be read. Connecting is lazy: an absent
    service shows in the first call.
    """
    async with _opened(profile, service, descriptors) as channel:
        yield channel


class RenewedChannel:
    """A channel for a process that runs for long: opened anew when its certificate was renewed.

    Raises ProfileError on entering when the certificate files cannot be read.
    """

    def __init__(
        self, profile: Profile, service: str, descriptors: tuple[ServiceDescriptor, ...]
    ) -> None:
        self._profile = profile
        self._service = service
        self._descriptors = descriptors
        self._retiring: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._version, self._looked = self._files(), time.monotonic()
        self._open = _opened(self._profile, self._service, self._descriptors)
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._retiring:
            task.cancel()
        await asyncio.gather(*self._retiring, return_exceptions=True)
        await self._open.close()

    def current(self) -> grpc.aio.Channel:
        """The channel; what is in progress on one that is replaced has half a minute to end."""
        moment = time.monotonic()
        if moment - self._looked >= _LOOK_S:
            self._looked = moment
            with contextlib.suppress(ProfileError):  # in the midst of being replaced
                version = self._files()
                if version != self._version:
                    opened = _opened(self._profile, self._service, self._descriptors)
                    retired, self._open, self._version = self._open, opened, version
                    task = asyncio.create_task(retired.close(_GRACE_S))
                    self._retiring.add(task)
                    task.add_done_callback(self._retiring.discard)
        return self._open

    def _files(self) -> tuple[int, ...]:
        profile = self._profile
        files = (profile.certificate_file, profile.key_file, profile.trust_bundle_file)
        try:
            return tuple(file.stat().st_mtime_ns for file in files)
        except OSError as error:
            raise ProfileError(f"cannot read the caller's certificate: {error}") from error


def _opened(
    profile: Profile, service: str, descriptors: tuple[ServiceDescriptor, ...]
) -> grpc.aio.Channel:
    try:
        credentials = grpc.ssl_channel_credentials(
            root_certificates=profile.trust_bundle_file.read_bytes(),
            private_key=profile.key_file.read_bytes(),
            certificate_chain=profile.certificate_file.read_bytes(),
        )
    except OSError as error:
        raise ProfileError(f"cannot read the caller's certificate: {error}") from error
    options: list[tuple[str, str | int]] = [
        # The address says where, the certificate must say who.
        ("grpc.ssl_target_name_override", f"{service}.{profile.region}.accord.internal"),
        ("grpc.service_config", service_config(descriptors)),
        # A service that comes back is found within a second, not when a backoff of minutes ends.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 1_000),
        ("grpc.max_reconnect_backoff_ms", 1_000),
    ]
    return grpc.aio.secure_channel(profile.address(service), credentials, options)


def service_config(descriptors: tuple[ServiceDescriptor, ...]) -> str:
    """The gRPC service config that repeats exactly the methods whose .proto says they may be."""
    repeatable = [
        {"service": descriptor.full_name, "method": method.name}
        for descriptor in descriptors
        for method in descriptor.methods
        if method.GetOptions().idempotency_level != MethodOptions.IDEMPOTENCY_UNKNOWN
    ]
    config: dict[str, object] = {"retryThrottling": _THROTTLING}
    if repeatable:
        config["methodConfig"] = [{"name": repeatable, "retryPolicy": _RETRY}]
    return json.dumps(config)


async def answer(call: Awaitable[T]) -> T:
    """The response of a call; raises Fault."""
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        raise fault_of(error) from error
