"""The only bridge between a Fault and google.rpc.Status.

The reason's canonical code is an option of the enum in error_reason.proto, so there is no table
here to disagree with it. Details: ErrorInfo always, BadRequest with violations, RetryInfo with
`retry_after` (AIP-193).
"""

from datetime import timedelta
from http import HTTPStatus

import grpc
from accord.type.v1 import error_reason_pb2 as reasons
from google.protobuf import duration_pb2
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from runtime.fault import Fault

DOMAIN = "accord"
_PREFIX = "ERROR_REASON_"

CODES: dict[str, int] = {
    value.name.removeprefix(_PREFIX): value.GetOptions().Extensions[reasons.code]
    for value in reasons.ErrorReason.DESCRIPTOR.values
    if value.number
}
_GRPC_CODES = {code.value[0]: code for code in grpc.StatusCode}
# As google.rpc.Code has it.
_HTTP = {
    grpc.StatusCode.INVALID_ARGUMENT: HTTPStatus.BAD_REQUEST,
    grpc.StatusCode.FAILED_PRECONDITION: HTTPStatus.BAD_REQUEST,
    grpc.StatusCode.OUT_OF_RANGE: HTTPStatus.BAD_REQUEST,
    grpc.StatusCode.UNAUTHENTICATED: HTTPStatus.UNAUTHORIZED,
    grpc.StatusCode.PERMISSION_DENIED: HTTPStatus.FORBIDDEN,
    grpc.StatusCode.NOT_FOUND: HTTPStatus.NOT_FOUND,
    grpc.StatusCode.ALREADY_EXISTS: HTTPStatus.CONFLICT,
    grpc.StatusCode.ABORTED: HTTPStatus.CONFLICT,
    grpc.StatusCode.RESOURCE_EXHAUSTED: HTTPStatus.TOO_MANY_REQUESTS,
    grpc.StatusCode.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED: HTTPStatus.GATEWAY_TIMEOUT,
}


def code_of(fault: Fault) -> grpc.StatusCode:
    """Return the canonical code of a fault's reason."""
    return _GRPC_CODES[CODES.get(fault.reason, code_pb2.INTERNAL)]


def http_status_of(fault: Fault) -> int:
    """Return the HTTP status of a fault, for doors that speak HTTPS."""
    if fault.reason == "WRONG_REGION":
        return HTTPStatus.MISDIRECTED_REQUEST
    return _HTTP.get(code_of(fault), HTTPStatus.INTERNAL_SERVER_ERROR)


def to_status(fault: Fault) -> status_pb2.Status:
    """Encode a fault for the wire."""
    status = status_pb2.Status(code=code_of(fault).value[0], message=fault.message)
    info = error_details_pb2.ErrorInfo(reason=fault.reason, domain=DOMAIN, metadata=fault.metadata)
    _attach(status, info)
    if fault.violations:
        bad = error_details_pb2.BadRequest()
        for field, description in fault.violations:
            bad.field_violations.add(field=field, description=description)
        _attach(status, bad)
    if fault.retry_after is not None:
        delay = duration_pb2.Duration()
        delay.FromTimedelta(fault.retry_after)
        _attach(status, error_details_pb2.RetryInfo(retry_delay=delay))
    return status


def from_error(error: grpc.aio.AioRpcError, peer: str) -> Fault:
    """Decode what a peer answered; what carries no ErrorInfo of ours is judged by its code."""
    status = rpc_status.from_call(error)
    reason, metadata, retry_after = "", {}, None
    violations: list[tuple[str, str]] = []
    for detail in status.details if status else ():
        info = error_details_pb2.ErrorInfo()
        bad = error_details_pb2.BadRequest()
        retry = error_details_pb2.RetryInfo()
        if detail.Unpack(info) and info.domain == DOMAIN:
            reason, metadata = info.reason, dict(info.metadata)
        elif detail.Unpack(bad):
            violations = [(v.field, v.description) for v in bad.field_violations]
        elif detail.Unpack(retry):
            retry_after = retry.retry_delay.ToTimedelta()
    if reason in CODES:
        return Fault(
            reason,
            error.details() or "",
            metadata=metadata,
            violations=violations,
            retry_after=retry_after,
        )
    away = {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,
    }
    if error.code() in away:
        return Fault("UNAVAILABLE", f"{peer} does not answer", metadata={"peer": peer})
    if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return Fault("OVERLOADED", f"{peer} takes no more", retry_after=timedelta(seconds=1))
    return Fault("INTERNAL", f"{peer} answered {error.code().name}", metadata={"peer": peer})


def _attach(status: status_pb2.Status, detail: Message) -> None:
    packed = status.details.add()
    packed.Pack(detail)
