"""Between an aware datetime and the wire's Timestamp."""

from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp

from runtime.fault import invalid

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NANOS = 1_000_000_000


def to_wire(instant: datetime) -> Timestamp:
    """Encode an aware datetime."""
    since = instant - _EPOCH
    return Timestamp(seconds=since.days * 86_400 + since.seconds, nanos=since.microseconds * 1_000)


def from_wire(timestamp: Timestamp, field: str) -> datetime:
    """Decode, cut to microseconds; INVALID_FIELD for what is no instant of the years 1 to 9999."""
    seconds, nanos = timestamp.seconds, timestamp.nanos
    try:
        if 0 <= nanos < _NANOS:
            return _EPOCH + timedelta(seconds=seconds, microseconds=nanos // 1_000)
    except OverflowError:
        pass
    raise invalid(field, "must be an instant between the years 1 and 9999")
