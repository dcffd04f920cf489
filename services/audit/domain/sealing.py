"""How an event becomes an entry that names no one, and how the holder of the keys reads it again.

Each party's part is committed to field by field and encrypted under that party's own key *before*
it is hashed. Destroying the key makes the part unreadable and leaves every hash as it was.
"""

import hashlib
import os
import struct
from collections.abc import Callable, Container, Iterator, Mapping
from functools import lru_cache

from runtime.event import Event
from runtime.event import Section as Said
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
_LENGTH = struct.Struct(">I")
_length, _sha256 = _LENGTH.pack, hashlib.sha256


def parties(event: Event) -> tuple[str, ...]:
    """Return who must have keys before the event can be sealed, section by section."""
    subject = event.account or ORGANISATION
    actor = (event.actor,) if event.actor and event.actor != subject else ()
    return (subject, *actor, *(section.account for section in event.sections))


def seal(
    origin: str, producer: str, submission: Submission, keys: Mapping[str, PartyKeys]
) -> SealedEntry:
    """Seal an event for the log `origin` with the keys of its parties."""
    event = submission.event
    place = _place(origin, event.event_id)
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
        sections=tuple(
            _seal_section(place, members, keys[party]) for party, members in _parts(event)
        ),
    )


def open_entry(
    origin: str,
    stored: StoredEntry,
    keys: Mapping[bytes, PartyKeys],
    about: Container[bytes] | None = None,
    may_see: Callable[[Opening], bool] = lambda _: True,
) -> OpenedEntry:
    """Open what the keys, by pseudonym, still open.

    `about` limits it to what is said of these pseudonyms: sections about others among several are
    left out, as if the entry did not have them. What the reader may not see stays closed.
    """
    sealed = stored.sealed
    own = sealed.own_sections
    openings: list[Opening] = []
    wanted = opened = 0
    values: dict[str, str] = {}
    said: list[Said] = []
    for number, section in enumerate(sealed.sections):
        if number >= own and about is not None and section.pseudonym not in about:
            continue
        wanted += 1
        party = keys.get(section.pseudonym)
        shown = _open_section(origin, stored, number, party) if party else []
        shown = [opening for opening in shown if may_see(opening)]
        opened += party is not None
        openings += shown
        members = {opening.name: opening.value for opening in shown}
        if number < own:
            values |= members
        else:
            said.append(Said(members.pop(_ACCOUNT, ""), members))
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
        sections=tuple(said),
    )
    if opened == wanted:
        readability = Readability.FULL
    else:
        readability = Readability.PARTIAL if opened else Readability.NONE
    return OpenedEntry(stored, event, readability, tuple(openings))


def same_content(submission: Submission, opened: OpenedEntry) -> bool:
    """Tell whether a submission repeats an entry, as far as that can still be read.

    A section whose keys are destroyed can no longer be compared beyond its number of fields, and
    must not be: the event id, the rest of the header and the other sections decide.
    """
    event, logged = submission.event, opened.event
    header = (event.event_id, event.action, event.outcome, event.time, event.trace)
    if header != (logged.event_id, logged.action, logged.outcome, logged.time, logged.trace):
        return False
    sections = opened.stored.sealed.sections
    expected = [members for _, members in _parts(event)]
    if [len(members) for members in expected] != [len(s.commitments) for s in sections]:
        return False
    return all(
        expected[opening.section].get(opening.name) == opening.value for opening in opened.openings
    )


def commitment(salt: bytes, name: str, value: str) -> bytes:
    """Commit to a named value; without the 32-byte salt it can be neither read nor guessed."""
    return hashlib.sha256(salt + _prefixed(name) + value.encode()).digest()


def _parts(event: Event) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Return each section's party, and what of the event is sealed with that party's keys."""
    subject = event.account or ORGANISATION
    members = {_ACCOUNT: event.account} if event.account else {}
    if event.actor == subject:
        members[_ACTOR] = event.actor
    if event.resource:
        members[_RESOURCE] = event.resource
    yield subject, members | dict(event.fields)
    if event.actor and event.actor != subject:
        yield event.actor, {_ACTOR: event.actor}
    for section in event.sections:
        yield section.account, {_ACCOUNT: section.account, **section.fields}


def _seal_section(place: bytes, members: Mapping[str, str], keys: PartyKeys) -> Section:
    salts = os.urandom(_SALT_SIZE * len(members))
    at = 0
    commitments: list[bytes] = []
    plain: list[bytes] = []
    for name, value in members.items():
        salted = salts[at : at + _SALT_SIZE] + _prefixed(name)
        at += _SALT_SIZE
        encoded = value.encode()
        commitments.append(_sha256(salted + encoded).digest())
        plain += (salted, _length(len(encoded)), encoded)
    sealed = keys.encrypt(b"".join(plain), place + _counted(keys.pseudonym))
    return Section(keys.pseudonym, tuple(commitments), sealed)


def _open_section(origin: str, stored: StoredEntry, number: int, keys: PartyKeys) -> list[Opening]:
    section = stored.sealed.sections[number]
    context = _place(origin, stored.sealed.event_id) + _counted(section.pseudonym)
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
        (value_size,) = _LENGTH.unpack_from(plain, name_at + name_size)
        value_at = name_at + name_size + 4
        yield (
            plain[at : at + _SALT_SIZE],
            plain[name_at : name_at + name_size].decode(),
            plain[value_at : value_at + value_size].decode(),
        )
        at = value_at + value_size


@lru_cache(maxsize=1024)
def _prefixed(name: str) -> bytes:
    """Return a field's name behind its length; there are few names, and each comes often."""
    encoded = name.encode()
    return struct.pack(">H", len(encoded)) + encoded


def _place(origin: str, event_id: str) -> bytes:
    """Bind a section to its entry: moved to another entry or log it does not open."""
    return _log(origin) + _counted(bytes.fromhex(event_id))


@lru_cache(maxsize=16)
def _log(origin: str) -> bytes:
    return b"".join(map(_counted, (_CONTEXT, _length(FORMAT), origin.encode())))


def _counted(part: bytes) -> bytes:
    return _length(len(part)) + part
