"""Between the wire's Timestamp and an aware datetime, in one place."""

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from runtime.fault import invalid


def to_wire(instant: datetime) -> Timestamp:
    """Encode an aware datetime."""
    timestamp = Timestamp()
    timestamp.FromDatetime(instant)
    return timestamp


def from_wire(timestamp: Timestamp, field: str) -> datetime:
    """Decode, cut to microseconds; INVALID_FIELD for what is no instant of the years 1 to 9999."""
    try:
        return timestamp.ToDatetime(UTC)
    except (ValueError, OverflowError):
        raise invalid(field, "must be an instant between the years 1 and 9999") from None
