"""What shows that a commitment of an entry holds a value, checked and as JSON.

An entry commits to each value by SHA-256(32-byte salt ‖ uint16(length of name) ‖ name ‖ value),
big-endian, UTF-8. An opening is the salt, the name and the value: whoever is given some of an
entry's openings learns nothing of the others.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from accord.audit.v1 import entry_pb2
from accord.audit.v1.log_entry_pb2 import LogEntry

from accord_client.failure import VerificationError
from accord_client.note import decode_base64

_SALT_BYTES = 32
_MAX_NAME_BYTES = 0xFFFF
_MEMBERS = {"section", "position", "name", "salt", "value"}


@dataclass(frozen=True)
class Opening:
    """The claim that a commitment of an entry holds ``value`` under ``name``."""

    section: int
    position: int
    name: str
    salt: bytes
    value: str


def verify_openings(entry: LogEntry, openings: Sequence[Opening]) -> tuple[Opening, ...]:
    """Returns the openings, each once, if the entry commits to every one of them.

    Raises VerificationError(``opening``).
    """
    for opening in openings:
        _verify(entry, opening)
    # The same opening twice opens nothing more.
    return tuple({(o.section, o.position): o for o in openings}.values())


def _verify(entry: LogEntry, opening: Opening) -> None:
    name, value = opening.name.encode(), opening.value.encode()
    if len(opening.salt) != _SALT_BYTES or len(name) > _MAX_NAME_BYTES:
        raise VerificationError("opening", f"the opening of {opening.name} is malformed")
    if not (
        0 <= opening.section < len(entry.sections)
        and 0 <= opening.position < len(entry.sections[opening.section].commitments)
    ):
        raise VerificationError("opening", f"the entry has no place for {opening.name}")
    preimage = opening.salt + len(name).to_bytes(2) + name + value
    committed = entry.sections[opening.section].commitments[opening.position]
    if hashlib.sha256(preimage).digest() != committed:
        message = f"the entry does not commit to the value shown for {opening.name}"
        raise VerificationError("opening", message)


def opening_as_json(opening: entry_pb2.Opening) -> dict[str, object]:
    """An opening as proof files and bundles hold it."""
    return {
        "section": opening.section,
        "position": opening.position,
        "name": opening.name,
        "salt": base64.b64encode(opening.salt).decode(),
        "value": opening.value,
    }


def openings_from_json(items: object) -> tuple[Opening, ...]:
    """Reads what ``opening_as_json`` wrote; raises VerificationError(``format``)."""
    if not isinstance(items, list):
        raise VerificationError("format", "the openings are not a list")
    return tuple(map(_read, items))


def _read(item: object) -> Opening:
    malformed = VerificationError("format", "an opening is not what one is made of")
    if not isinstance(item, dict) or set(item) != _MEMBERS:
        raise malformed
    section, position = item["section"], item["position"]
    name, salt, value = item["name"], item["salt"], item["value"]
    if type(section) is not int or type(position) is not int:  # true is an int, too
        raise malformed
    if not (isinstance(name, str) and isinstance(salt, str) and isinstance(value, str)):
        raise malformed
    try:
        (name + value).encode()  # JSON can spell text that UTF-8 cannot
    except UnicodeEncodeError as error:
        raise malformed from error
    return Opening(section, position, name, decode_base64(salt, "format"), value)
