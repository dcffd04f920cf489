"""The names of events as people read them: `source:subject:action`."""

from __future__ import annotations

from accord.audit.v1 import event_pb2

_TEXTS: dict[int, str] = {
    value.number: value.GetOptions().Extensions[event_pb2.text]
    for value in event_pb2.EventName.DESCRIPTOR.values
    if value.number
}


def text_of(number: int) -> str:
    """The text of an event's name; of one that this release does not know, its number in digits."""
    return _TEXTS.get(number) or str(number)
