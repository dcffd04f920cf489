"""A channel to one service of the mesh: mTLS, deadlines, retries where a call may be repeated."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Awaitable
from typing import TypeVar

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


@contextlib.asynccontextmanager
async def open_channel(
    profile: Profile, service: str, descriptors: tuple[ServiceDescriptor, ...]
) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to ``service``, which must prove to be that service of the profile's region.

    Raises ProfileError when the certificate files cannot be read. Connecting is lazy: an absent
    service shows in the first call.
    """
    try:
        credentials = grpc.ssl_channel_credentials(
            root_certificates=profile.trust_bundle_file.read_bytes(),
            private_key=profile.key_file.read_bytes(),
            certificate_chain=profile.certificate_file.read_bytes(),
        )
    except OSError as error:
        raise ProfileError(f"cannot read the caller's certificate: {error}") from error
    options = [
        # The address says where, the certificate must say who.
        ("grpc.ssl_target_name_override", f"{service}.{profile.region}.accord.internal"),
        ("grpc.service_config", service_config(descriptors)),
    ]
    async with grpc.aio.secure_channel(profile.address(service), credentials, options) as channel:
        yield channel


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
