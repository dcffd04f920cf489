"""The one exception that crosses the wire: a refusal with a reason that callers can act on.

Pure vocabulary, so that a domain may raise it. `runtime/errors.py` alone turns it into a
google.rpc.Status and back. What is lost on the way: the cause (`__cause__`), which stays in the
process that raised it.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta


class Fault(Exception):  # noqa: N818  it is the field's word for a refused call, not a crash
    """A refusal.

    `reason` is the name of an `accord.type.v1.ErrorReason` without its prefix; it decides the
    status code. `message` is for developers and holds no personal data. `metadata` is for
    programs. `violations` are (field, what is wrong with it) of a malformed request.
    `retry_after` is set only when coming again can help.
    """

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        metadata: Mapping[str, str] | None = None,
        violations: Sequence[tuple[str, str]] = (),
        retry_after: timedelta | None = None,
    ) -> None:
        super().__init__(reason, message)
        self.reason = reason
        self.message = message
        self.metadata = dict(metadata or {})
        self.violations = tuple(violations)
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}"


def invalid(field: str, description: str) -> Fault:
    """Refuse one field of a request: INVALID_FIELD with its violation."""
    return Fault(
        "INVALID_FIELD",
        f"{field}: {description}",
        metadata={"field": field},
        violations=[(field, description)],
    )


def not_found(resource: str) -> Fault:
    """Refuse for want of a resource that this caller may know of."""
    return Fault("NOT_FOUND", f"no {resource}", metadata={"resource": resource})
