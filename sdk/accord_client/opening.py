"""What shows that a commitment of an entry holds a value, checked and as JSON.

An entry commits to each value by SHA-256(32-byte salt ‖ uint16(length of name) ‖ name ‖ value),
big-endian, UTF-8. An opening is the salt, the name and the value: whoever is given some of an
entry's openings learns nothing of the others.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from accord.audit.v1 import entry_pb2
from accord.audit.v1.log_entry_pb2 import LogEntry

from accord_client.failure import VerificationError
from accord_client.note import decode_base64

_SALT_BYTES = 32
_MAX_NAME_BYTES = 0xFFFF
_TYPES = [int, int, str, str, str]


class Opening(NamedTuple):
    """The claim that a commitment of an entry holds ``value`` under ``name``."""

    section: int
    position: int
    name: str
    salt: bytes
    value: str


def verify_openings(entry: LogEntry, openings: Sequence[Opening]) -> tuple[Opening, ...]:
    """Returns the openings, each once, if the entry commits to every one of them.

    Raises VerificationError(``opening``), or (``format``) for text that UTF-8 cannot spell.
    """
    committed = [section.commitments for section in entry.sections]
    shown: dict[tuple[int, int], Opening] = {}  # the same opening twice opens nothing more
    for opening in openings:
        section, position, name, salt, value = opening
        try:
            encoded, text = name.encode(), value.encode()
        except UnicodeEncodeError as error:  # JSON can
            raise VerificationError("format", "an opening holds text that is none") from error
        if len(salt) != _SALT_BYTES or len(encoded) > _MAX_NAME_BYTES:
            raise VerificationError("opening", f"the opening of {name} is malformed")
        if not (0 <= section < len(committed) and 0 <= position < len(committed[section])):
            raise VerificationError("opening", f"the entry has no place for {name}")
        preimage = salt + len(encoded).to_bytes(2) + encoded + text
        if hashlib.sha256(preimage).digest() != committed[section][position]:
            message = f"the entry does not commit to the value shown for {name}"
            raise VerificationError("opening", message)
        shown[section, position] = opening
    return tuple(shown.values())


def opening_as_json(opening: entry_pb2.Opening) -> list[object]:
    """An opening as proof files and bundles hold it: section, position, name, salt, value."""
    salt = base64.b64encode(opening.salt).decode()
    return [opening.section, opening.position, opening.name, salt, opening.value]


def openings_from_json(items: object) -> tuple[Opening, ...]:
    """Reads what ``opening_as_json`` wrote; raises VerificationError(``format``)."""
    if not isinstance(items, list):
        raise VerificationError("format", "the openings are not a list")
    return tuple(map(_read, items))


def _read(item: object) -> Opening:
    if not isinstance(item, list) or [*map(type, item)] != _TYPES:  # true is no int here
        raise VerificationError("format", "an opening is not what one is made of")
    section, position, name, salt, value = item
    return Opening(section, position, name, decode_base64(salt, "format"), value)
