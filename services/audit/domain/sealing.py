"""How an event becomes an entry that names no one, and how the holder of the keys reads it again.

Each party's part is committed to field by field and encrypted under that party's own key *before*
it is hashed. Destroying the key makes the part unreadable and leaves every hash as it was.
"""

import hashlib
import secrets
import struct
from collections.abc import Iterator, Mapping

from runtime.event import Event
from services.audit.domain.entry import (
    FORMAT,
    OpenedEntry,
    Opening,
    Readability,
    SealedEntry,
    Section,
    StoredEntry,
    Submission,
)
from services.audit.domain.faults import LogDamagedError
from services.audit.domain.ports import PartyKeys

# Seals what concerns no party at all. No producer can name it: names do not begin with '@'.
ORGANISATION = "@organisation"
# The event's own members among the fields of a section.
_ACCOUNT, _ACTOR, _RESOURCE = "@account", "@actor", "@resource"
_SALT_SIZE = 32
_CONTEXT = b"accord-audit-section"


def parties(event: Event) -> tuple[str, ...]:
    """Return who must have keys before the event can be sealed: the subject, then the actor."""
    subject = event.account or ORGANISATION
    if event.actor and event.actor != subject:
        return subject, event.actor
    return (subject,)


def seal(
    origin: str, producer: str, submission: Submission, keys: Mapping[str, PartyKeys]
) -> SealedEntry:
    """Seal an event for the log `origin` with the keys of its parties."""
    event = submission.event
    sections = tuple(
        _seal_section(origin, event.event_id, _members(event, party), keys[party])
        for party in parties(event)
    )
    return SealedEntry(
        producer=producer,
        sequence=submission.sequence,
        event_id=event.event_id,
        action=event.action,
        outcome=event.outcome,
        time=event.time,
        trace=event.trace,
        account_pseudonym=keys[event.account].pseudonym if event.account else b"",
        actor_pseudonym=keys[event.actor].pseudonym if event.actor else b"",
        sections=sections,
    )


def open_entry(origin: str, stored: StoredEntry, keys: Mapping[bytes, PartyKeys]) -> OpenedEntry:
    """Open what the keys, by pseudonym, still open."""
    sealed = stored.sealed
    openings: list[Opening] = []
    opened = 0
    for number, section in enumerate(sealed.sections):
        party = keys.get(section.pseudonym)
        if party is None:
            continue
        opened += 1
        openings += _open_section(origin, stored, number, party)
    values = {opening.name: opening.value for opening in openings}
    event = Event(
        action=sealed.action,
        outcome=sealed.outcome,
        time=sealed.time,
        account=values.pop(_ACCOUNT, ""),
        actor=values.pop(_ACTOR, ""),
        resource=values.pop(_RESOURCE, ""),
        fields=values,
        trace=sealed.trace,
        event_id=sealed.event_id,
    )
    if opened == len(sealed.sections):
        readability = Readability.FULL
    else:
        readability = Readability.PARTIAL if opened else Readability.NONE
    return OpenedEntry(stored, event, readability, tuple(openings))


def same_content(submission: Submission, opened: OpenedEntry) -> bool:
    """Tell whether a submission repeats an entry, as far as that can still be read.

    A section whose keys are destroyed can no longer be compared beyond its number of fields, and
    must not be: the event id, the rest of the header and the other section decide.
    """
    event, logged = submission.event, opened.event
    header = (event.event_id, event.action, event.outcome, event.time, event.trace)
    if header != (logged.event_id, logged.action, logged.outcome, logged.time, logged.trace):
        return False
    sections = opened.stored.sealed.sections
    expected = [_members(event, party) for party in parties(event)]
    if [len(members) for members in expected] != [len(s.commitments) for s in sections]:
        return False
    return all(
        expected[opening.section].get(opening.name) == opening.value for opening in opened.openings
    )


def commitment(salt: bytes, name: str, value: str) -> bytes:
    """Commit to a named value; without the 32-byte salt it can be neither read nor guessed."""
    encoded = name.encode()
    return hashlib.sha256(
        salt + struct.pack(">H", len(encoded)) + encoded + value.encode()
    ).digest()


def _members(event: Event, party: str) -> dict[str, str]:
    """Return what of the event is sealed with a party's keys."""
    members = {_ACTOR: event.actor} if party == event.actor else {}
    if party == parties(event)[0]:
        members = {_ACCOUNT: event.account} | members | {_RESOURCE: event.resource}
        members = {name: value for name, value in members.items() if value}
        members |= event.fields
    return members


def _seal_section(
    origin: str, event_id: str, members: Mapping[str, str], keys: PartyKeys
) -> Section:
    salted = [(secrets.token_bytes(_SALT_SIZE), name, value) for name, value in members.items()]
    plain = b"".join(
        salt
        + struct.pack(">H", len(name.encode()))
        + name.encode()
        + struct.pack(">I", len(value.encode()))
        + value.encode()
        for salt, name, value in salted
    )
    commitments = tuple(commitment(*opening) for opening in salted)
    context = _associated(origin, event_id, keys.pseudonym)
    return Section(keys.pseudonym, commitments, keys.encrypt(plain, context))


def _open_section(origin: str, stored: StoredEntry, number: int, keys: PartyKeys) -> list[Opening]:
    section = stored.sealed.sections[number]
    context = _associated(origin, stored.sealed.event_id, section.pseudonym)
    try:
        parsed = list(_parse(keys.decrypt(section.sealed, context)))
    except (ValueError, struct.error) as error:
        raise LogDamagedError(f"entry {stored.index}: section {number} does not open") from error
    if tuple(commitment(*opening) for opening in parsed) != section.commitments:
        raise LogDamagedError(f"entry {stored.index}: section {number} opens to something else")
    return [
        Opening(number, position, name, salt, value)
        for position, (salt, name, value) in enumerate(parsed)
    ]


def _parse(plain: bytes) -> Iterator[tuple[bytes, str, str]]:
    at = 0
    while at < len(plain):
        (name_size,) = struct.unpack_from(">H", plain, at + _SALT_SIZE)
        name_at = at + _SALT_SIZE + 2
        (value_size,) = struct.unpack_from(">I", plain, name_at + name_size)
        value_at = name_at + name_size + 4
        yield (
            plain[at : at + _SALT_SIZE],
            plain[name_at : name_at + name_size].decode(),
            plain[value_at : value_at + value_size].decode(),
        )
        at = value_at + value_size


def _associated(origin: str, event_id: str, pseudonym: bytes) -> bytes:
    """Bind a section to its place: moved to another entry, person or log it does not open."""
    parts = (
        _CONTEXT,
        struct.pack(">I", FORMAT),
        origin.encode(),
        bytes.fromhex(event_id),
        pseudonym,
    )
    return b"".join(struct.pack(">I", len(part)) + part for part in parts)
