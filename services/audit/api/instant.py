"""Instants on the wire: google.protobuf.Timestamp and aware UTC datetimes, in microseconds."""

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp


def to_timestamp(time: datetime) -> Timestamp:
    """Encode an instant."""
    stamp = Timestamp()
    stamp.FromDatetime(time)
    return stamp


def from_timestamp(stamp: Timestamp) -> datetime:
    """Decode an instant, dropping what is finer than a microsecond; ValueError out of range."""
    try:
        return stamp.ToDatetime(tzinfo=UTC)
    except (OverflowError, ValueError):
        raise ValueError("not an instant of the years 1 to 9999") from None
