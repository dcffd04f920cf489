"""Calls with any certificate, any bytes, any metadata: what an attacker inside could send."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import grpc
from accord.account.v1 import (
    account_service_pb2,
    key_service_pb2,
    link_service_pb2,
    session_service_pb2,
    staff_service_pb2,
)
from accord.audit.v1 import (
    append_service_pb2,
    own_entry_service_pb2,
    read_service_pb2,
)
from accord.sharing.foreign import authzen_pb2, ext_authz_pb2
from accord.sharing.v1 import (
    analysis_service_pb2,
    consent_service_pb2,
    contract_service_pb2,
    decision_service_pb2,
    disclosure_service_pb2,
    instrument_service_pb2,
    preference_service_pb2,
    reach_service_pb2,
    recipient_service_pb2,
    revocation_service_pb2,
    rulebook_service_pb2,
    subject_service_pb2,
    watch_service_pb2,
)
from accord.sharing.v1 import key_service_pb2 as sharing_key_service_pb2
from accord.type.v1 import callers_pb2
from google.protobuf.descriptor import MethodDescriptor
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from runtime.authority import Issued
from sandbox.mesh import Mesh

_FILES = (
    analysis_service_pb2,
    account_service_pb2,
    key_service_pb2,
    link_service_pb2,
    session_service_pb2,
    staff_service_pb2,
    append_service_pb2,
    authzen_pb2,
    ext_authz_pb2,
    read_service_pb2,
    own_entry_service_pb2,
    consent_service_pb2,
    contract_service_pb2,
    decision_service_pb2,
    disclosure_service_pb2,
    instrument_service_pb2,
    preference_service_pb2,
    reach_service_pb2,
    recipient_service_pb2,
    revocation_service_pb2,
    rulebook_service_pb2,
    sharing_key_service_pb2,
    subject_service_pb2,
    watch_service_pb2,
)
METHODS: list[MethodDescriptor] = [
    method
    for file in _FILES
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
]


def rule(method: MethodDescriptor) -> callers_pb2.Callers:
    """The method's rule, as its .proto states it, beside the method or for the whole file."""
    own = method.GetOptions()
    if own.HasExtension(callers_pb2.callers):
        return own.Extensions[callers_pb2.callers]
    return method.containing_service.file.GetOptions().Extensions[callers_pb2.file_callers]


def service_of(method: MethodDescriptor) -> str:
    """The service that serves the method: `accord/audit/v1/read_service.proto` → `audit`."""
    return method.containing_service.file.name.split("/")[1]


@dataclass(frozen=True)
class Answer:
    """How a call ended: code and reason; OK has neither reason nor message."""

    code: grpc.StatusCode
    reason: str = ""
    message: str = ""
    body: bytes = b""


class Wire:
    """A connection to one service under one identity."""

    def __init__(self, region: Mesh, service: str, credentials: grpc.ChannelCredentials) -> None:
        name = f"{service}.{region.region}.accord.internal"
        options = [("grpc.ssl_target_name_override", name), ("grpc.enable_retries", 0)]
        self._channel = grpc.secure_channel(region.address(service), credentials, options)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()

    def call(
        self,
        method: MethodDescriptor,
        body: bytes = b"",
        actor: str = "",
        timeout: float = 10.0,
    ) -> Answer:
        """Send bytes to a method; of a stream the first message is taken."""
        path = f"/{method.containing_service.full_name}/{method.name}"
        metadata = (("accord-actor", actor),) if actor else ()
        ask: grpc.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(path)
        try:
            if method.server_streaming:
                many: Any = self._channel.unary_stream(path)
                stream = many(body, timeout=timeout, metadata=metadata)
                first: bytes = next(stream)
                stream.cancel()
                return Answer(grpc.StatusCode.OK, body=first)
            return Answer(grpc.StatusCode.OK, body=ask(body, timeout=timeout, metadata=metadata))
        except grpc.RpcError as error:
            return _answer(error)


def identity(region: Mesh, name: str) -> grpc.ChannelCredentials:
    """The credentials of a holder of the region: `portal`, `mi-store`, `officer`, and so on."""
    certificate, key = region.material.certificate(name)
    return credentials(region, Issued(certificate.read_bytes(), key.read_bytes()))


def credentials(
    region: Mesh, issued: Issued | None, trusted: Path | None = None
) -> grpc.ChannelCredentials:
    """The credentials over any certificate, or none."""
    roots = (trusted or region.material.trust_bundle).read_bytes()
    if issued is None:
        return grpc.ssl_channel_credentials(roots)
    return grpc.ssl_channel_credentials(roots, issued.key, issued.certificate)


def method(name: str) -> MethodDescriptor:
    """One method by its short name: `DecisionService.Check`."""
    return next(each for each in METHODS if each.full_name.endswith(f".{name}"))


def _answer(error: Any) -> Answer:  # what is raised is a call too, which the stubs do not say
    info = error_details_pb2.ErrorInfo()
    status = rpc_status.from_call(error)
    for detail in status.details if status else ():
        if detail.Unpack(info):
            break
    return Answer(error.code(), info.reason, error.details() or "")
