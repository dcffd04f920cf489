"""How an event becomes an entry that names no one, and how the holder of the keys reads it again.

Each party's part is committed to field by field and encrypted under that party's own key *before*
it is hashed. Destroying the key makes the part unreadable and leaves every hash as it was.
"""

import hashlib
import struct
from collections.abc import Callable, Container, Mapping
from dataclasses import replace
from functools import lru_cache
from io import BytesIO
from typing import NamedTuple

from runtime.event import Decision, Event, Trace
from runtime.event import Section as Said
from runtime.event_names import number_of
from runtime.identity import is_workload
from runtime.randomness import random_bytes
from services.audit.domain.entry import (
    FORMAT,
    Facet,
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
# The event's own members among the fields of a section. A list has a line feed between its parts.
_ACCOUNT, _ACTOR, _BEHALF = "@account", "@actor", "@on_behalf_of"
_RESOURCE, _RECIPIENTS, _CONTRACTS = "@resource", "@recipients", "@contracts"
_DECISION = "@decision."
_STATE = "@tracestate"
_SALT_SIZE, _NONCE_SIZE = 32, 12
_CONTEXT = b"accord-audit-section"
_TAG_CONTEXT = b"accord-audit-tag\0"
_length, _sha256 = struct.Struct(">I").pack, hashlib.sha256
_UNDECIDED = Decision()
# Fields of audit's own events that stand in clear too: what they say must hold without any key.
_IN_CLEAR = {"audit:person:erase": "pseudonym", "audit:key:destroy": "key"}


def parties(event: Event) -> tuple[str, ...]:
    """Return whose keys sealing needs; some of them more than once."""
    named = [event.account, _person(event.actor), event.on_behalf_of]
    if not event.account or event.recipients or event.contracts:
        named.append(ORGANISATION)
    named += [section.account for section in event.sections]
    return tuple(filter(None, named))


def seal(
    origin: str, producer: str, submission: Submission, keys: Mapping[str, PartyKeys]
) -> SealedEntry:
    """Seal an event for the log `origin` with the keys of its parties."""
    event = submission.event
    acting = _person(event.actor)
    own = _own_parts(event)
    parts = [*own.items(), *_others(event)]
    place = _place(origin, event.event_id)
    # One call for the randomness of all sections.
    sizes = [_NONCE_SIZE + _SALT_SIZE * len(members) for _, members in parts]
    fresh = random_bytes(sum(sizes))
    sections = []
    at = 0
    for (party, members), size in zip(parts, sizes, strict=True):
        sections.append(_seal_section(fresh[at : at + size], place, members, keys[party]))
        at += size
    trace = event.trace
    return SealedEntry(
        producer,
        submission.sequence,
        event.event_id,
        number_of(event.action),
        event.outcome,
        event.time,
        Trace(trace.trace_id, trace.span_id, trace.flags) if trace.state else trace,
        keys[event.account].pseudonym if event.account else b"",
        keys[acting].pseudonym if acting else b"",
        keys[event.on_behalf_of].pseudonym if event.on_behalf_of else b"",
        "" if acting else event.actor,
        event.app,
        tuple([tag(keys[ORGANISATION], Facet.RECIPIENT, name) for name in event.recipients]),
        tuple([tag(keys[ORGANISATION], Facet.CONTRACT, name) for name in event.contracts]),
        len(own),
        tuple(sections),
        _destroyed(producer, event),
    )


def tag(organisation: PartyKeys, facet: Facet, name: str) -> bytes:
    """Return by what an entry is found that is about a recipient or a contract."""
    return organisation.tag(_TAG_CONTEXT + bytes((facet,)) + name.encode())


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
        actor=sealed.actor or values.pop(_ACTOR, ""),
        on_behalf_of=values.pop(_BEHALF, ""),
        app=sealed.app,
        resource=values.pop(_RESOURCE, ""),
        recipients=_parted(values.pop(_RECIPIENTS, "")),
        contracts=_parted(values.pop(_CONTRACTS, "")),
        decision=Decision(
            name=values.pop(_DECISION + "name", ""),
            outcome=values.pop(_DECISION + "outcome", ""),
            reasons=_parted(values.pop(_DECISION + "reasons", "")),
            citations=_parted(values.pop(_DECISION + "citations", "")),
            rulebook=values.pop(_DECISION + "rulebook", ""),
        ),
        trace=replace(sealed.trace, state=values.pop(_STATE, "")),
        fields=values,
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
    event, sealed = submission.event, opened.stored.sealed
    trace, logged = event.trace, sealed.trace
    header = (event.event_id, event.action, event.outcome, event.time, event.app)
    if header != (sealed.event_id, sealed.action, sealed.outcome, sealed.time, sealed.app):
        return False
    if sealed.actor != ("" if _person(event.actor) else event.actor):
        return False
    if (trace.trace_id, trace.span_id, trace.flags) != (
        logged.trace_id,
        logged.span_id,
        logged.flags,
    ):
        return False
    own = _own_parts(event)
    expected = [*own.values(), *(members for _, members in _others(event))]
    shape = (len(own), [len(members) for members in expected])
    if shape != (sealed.own_sections, [len(section.commitments) for section in sealed.sections]):
        return False
    return all(
        expected[opening.section].get(opening.name) == opening.value for opening in opened.openings
    )


def _destroyed(producer: str, event: Event) -> str:
    if (producer, event.outcome) != ("audit", "ok"):
        return ""
    return event.fields.get(_IN_CLEAR.get(event.action, ""), "")


def _own_parts(event: Event) -> dict[str, dict[str, str]]:
    """Return what of the event is sealed with whose keys: the subject's, the actor's and so on.

    In the order of the sections; what is empty is not there.
    """
    subject = event.account or ORGANISATION
    members: dict[str, str] = {}
    parts = {subject: members}
    if event.account:
        members[_ACCOUNT] = event.account
    if acting := _person(event.actor):
        parts.setdefault(acting, {})[_ACTOR] = acting
    if event.on_behalf_of:
        parts.setdefault(event.on_behalf_of, {})[_BEHALF] = event.on_behalf_of
    if event.resource:
        members[_RESOURCE] = event.resource
    if event.recipients:
        members[_RECIPIENTS] = "\n".join(event.recipients)
    if event.contracts:
        members[_CONTRACTS] = "\n".join(event.contracts)
    if event.decision != _UNDECIDED:
        members |= _decided(event.decision)
    if event.trace.state:
        members[_STATE] = event.trace.state
    members |= event.fields
    return parts


def _person(actor: str) -> str:
    """Return who acted when it is somebody whose name must be sealed, or "": no workload is."""
    return "" if is_workload(actor) else actor


def _decided(decision: Decision) -> dict[str, str]:
    said = {
        "name": decision.name,
        "outcome": decision.outcome,
        "reasons": "\n".join(decision.reasons),
        "citations": "\n".join(decision.citations),
        "rulebook": decision.rulebook,
    }
    return {_DECISION + name: value for name, value in said.items() if value}


def _parted(value: str) -> tuple[str, ...]:
    return tuple(value.split("\n")) if value else ()


def _others(event: Event) -> list[tuple[str, dict[str, str]]]:
    """Return each person among several, and what the event says about them."""
    return [
        (section.account, {_ACCOUNT: section.account, **section.fields})
        for section in event.sections
    ]


def _seal_section(
    fresh: bytes, place: bytes, members: Mapping[str, str], keys: PartyKeys
) -> Section:
    """Commit to each member and encrypt the openings; `fresh` is the nonce, then the salts."""
    layout = _layout(tuple(members))
    nonce, *salts = layout.random.unpack(fresh)
    committed = [
        salt + name + value.encode()
        for salt, name, value in zip(salts, layout.names, members.values(), strict=True)
    ]
    plain = b"".join((layout.sizes.pack(*map(len, committed)), *committed))
    pseudonym = keys.pseudonym
    return Section(
        pseudonym,
        tuple([_sha256(each).digest() for each in committed]),
        keys.encrypt(plain, place + _counted(pseudonym), nonce),
    )


def _open_section(origin: str, stored: StoredEntry, number: int, keys: PartyKeys) -> list[Opening]:
    section = stored.sealed.sections[number]
    context = _place(origin, stored.sealed.event_id) + _counted(section.pseudonym)
    try:
        given = BytesIO(keys.decrypt(section.sealed, context))
    except ValueError as error:
        raise LogDamagedError(f"entry {stored.index}: section {number} does not open") from error
    sizes = [int.from_bytes(given.read(4)) for _ in section.commitments]
    committed = [given.read(size) for size in sizes]
    hashes = tuple([_sha256(each).digest() for each in committed])
    if hashes != section.commitments or given.read(1):
        raise LogDamagedError(f"entry {stored.index}: section {number} opens to something else")
    return [_opening(number, position, each) for position, each in enumerate(committed)]


def _opening(section: int, position: int, committed: bytes) -> Opening:
    """Divide what was committed to: the salt, the name behind its length, the value."""
    at = _SALT_SIZE + 2
    end = at + int.from_bytes(committed[_SALT_SIZE:at])
    name, value = committed[at:end].decode(), committed[end:].decode()
    return Opening(section, position, name, committed[:_SALT_SIZE], value)


class _Layout(NamedTuple):
    """What sections have in common whose members have the same names; most events have."""

    random: struct.Struct  # a nonce, then a salt for each member
    names: tuple[bytes, ...]
    sizes: struct.Struct


@lru_cache(maxsize=256)
def _layout(names: tuple[str, ...]) -> _Layout:
    return _Layout(
        struct.Struct(f"{_NONCE_SIZE}s" + f"{_SALT_SIZE}s" * len(names)),
        tuple(map(_prefixed, names)),
        struct.Struct(f">{len(names)}I"),
    )


def _prefixed(name: str) -> bytes:
    """Return a field's name behind its length."""
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
