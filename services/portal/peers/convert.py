"""Pieces that every peer's answers are made of."""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeVar

from google.protobuf.timestamp_pb2 import Timestamp

from runtime.fault import Fault

_K = TypeVar("_K", bound=int)
_E = TypeVar("_E", bound=StrEnum)


def moment(stamp: Timestamp) -> datetime:
    """Return a timestamp as an aware UTC datetime."""
    return stamp.ToDatetime(tzinfo=UTC)


def stamp(moment: datetime) -> Timestamp:
    """Return an aware datetime as a timestamp."""
    message = Timestamp()
    message.FromDatetime(moment.astimezone(UTC))
    return message


def known(values: Mapping[_K, _E], value: _K) -> _E:
    """Return our word for an enum value; a value from a newer peer is that peer's fault, not ours.

    It is answered as UNAVAILABLE: the pages of this release cannot show what they do not know.
    """
    try:
        return values[value]
    except KeyError:
        raise Fault("UNAVAILABLE", "a peer answered with a value of a newer release") from None
