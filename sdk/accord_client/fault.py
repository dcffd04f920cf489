"""What the mesh answers when it refuses a call: one exception with a reason to act on."""

from __future__ import annotations

from datetime import timedelta

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

_DOMAIN = "accord"


class Fault(Exception):  # noqa: N818 -- the field's word for a refused call, not a crash
    """A refused or failed call.

    ``reason`` names an ``accord.type.v1.ErrorReason`` without its prefix; it is empty when the
    answer came from the transport and not from Accord. ``violations`` are (field, what is wrong).
    ``retry_after`` is set when coming again can help.
    """

    def __init__(
        self,
        code: grpc.StatusCode,
        reason: str,
        message: str,
        *,
        metadata: dict[str, str] | None = None,
        violations: tuple[tuple[str, str], ...] = (),
        retry_after: timedelta | None = None,
    ) -> None:
        super().__init__(f"{reason or code.name}: {message}")
        self.code = code
        self.reason = reason
        self.message = message
        self.metadata = metadata or {}
        self.violations = violations
        self.retry_after = retry_after


def fault_of(error: grpc.aio.AioRpcError) -> Fault:
    """Reads the details of a failed call (AIP-193): ErrorInfo, BadRequest, RetryInfo."""
    reason, metadata, retry_after = "", {}, None
    violations: tuple[tuple[str, str], ...] = ()
    status = rpc_status.from_call(error)
    for detail in status.details if status else ():
        info = error_details_pb2.ErrorInfo()
        bad = error_details_pb2.BadRequest()
        retry = error_details_pb2.RetryInfo()
        if detail.Unpack(info) and info.domain == _DOMAIN:
            reason, metadata = info.reason, dict(info.metadata)
        elif detail.Unpack(bad):
            violations = tuple((v.field, v.description) for v in bad.field_violations)
        elif detail.Unpack(retry):
            retry_after = retry.retry_delay.ToTimedelta()
    return Fault(
        error.code(),
        reason,
        error.details() or "",
        metadata=metadata,
        violations=violations,
        retry_after=retry_after,
    )
