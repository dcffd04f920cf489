"""The names of events: a closed table of the wire, by number as entries hold it and by text.

`accord.audit.v1.EventName` says what each records, and the grammar of the texts.
"""

from accord.audit.v1 import event_pb2

_TEXTS: dict[int, str] = {
    value.number: value.GetOptions().Extensions[event_pb2.text]
    for value in event_pb2.EventName.DESCRIPTOR.values
    if value.number
}
_NUMBERS = {text: number for number, text in _TEXTS.items()}


def is_known(number: int) -> bool:
    """Tell whether a number is a name's."""
    return number in _TEXTS


def text_of(number: int) -> str:
    """Return a name's text; of one that a newer release gave, its number in digits."""
    return _TEXTS.get(number) or str(number)


def number_of(text: str) -> int:
    """Return a name's number; ValueError for a text that is none's."""
    try:
        return _NUMBERS[text]
    except KeyError:
        raise ValueError("an event is named in accord.audit.v1.EventName") from None


def beginning(prefix: str) -> list[int]:
    """Return the numbers of the names whose text begins so, in order."""
    return [number for number, text in _TEXTS.items() if text.startswith(prefix)]
