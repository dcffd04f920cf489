"""What a service says to the audit log: one event of one state change or decision.

Pure vocabulary. A case makes the event, `runtime.outbox.publish` writes it in the case's own
transaction, `runtime.relay` numbers and delivers it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple

from runtime.ids import event_id

LARGEST = 65_535  # bytes of an entry of the log, sealed
ROOM = 60_000  # of these, what the sections of one event may take together
# Upper bounds of what sealing adds: to an event, to each of its sections, to each value, to each
# name that it is found by; a name in clear takes less.
_HEADER, _SECTION, _VALUE, _TAG = 320, 55, 72, 20
_MEMBER = _VALUE + len("@decision.citations")
_OWN_SECTIONS = 3

# Of Trace.flags, as OpenTelemetry's Span.flags has them.
PARENT_KNOWN, PARENT_REMOTE = 0x100, 0x200


@dataclass(frozen=True, slots=True)
class Trace:
    """Where in a W3C trace something happened; empty strings outside of any trace."""

    trace_id: str = ""  # 32 lower-case hex digits
    span_id: str = ""  # 16 lower-case hex digits
    flags: int = 0  # W3C's, of which bit 0 says sampled, and whether the span's parent is remote
    state: str = ""  # what came as `tracestate`


class Section(NamedTuple):
    """What an event says about one person among several; only that person's keys open it."""

    account: str
    fields: Mapping[str, str] = MappingProxyType({})

    @property
    def size(self) -> int:
        """Return at most how many bytes it takes in a sealed entry."""
        return _SECTION + _MEMBER + _length(self.account) + _values(self.fields)


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided, and on what it rests; each part can be shown without the others."""

    name: str = ""
    outcome: str = ""
    reasons: tuple[str, ...] = ()
    citations: tuple[str, ...] = ()
    rulebook: str = ""  # digest


@dataclass(frozen=True, slots=True)
class Event:
    """One entry for the log, before it has a number.

    `action` is the text of an `accord.audit.v1.EventName`, for example `sharing:contract:activate`.
    `account` is the person whose data it is about (`accounts/…`, empty without one), `actor` who
    acted (an account name or a SPIFFE id), `on_behalf_of` for whom if for another, `app` the
    workload that called (`app/…`, `svc/…`), `resource` what was acted on. `fields` are the details;
    audit encrypts their values per person, so personal data may stand there and nowhere else.

    An event about several people has a section for each thing that it says about one of them, and
    in `fields` what concerns them all and names nobody. `recipients` and `contracts` are those of
    all of it: the entry is found by each.
    """

    action: str
    outcome: str
    time: datetime
    account: str = ""
    actor: str = ""
    resource: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    trace: Trace = Trace()
    event_id: str = field(default_factory=event_id)
    sections: tuple[Section, ...] = ()
    on_behalf_of: str = ""
    app: str = ""
    recipients: tuple[str, ...] = ()
    contracts: tuple[str, ...] = ()
    decision: Decision = Decision()

    @property
    def size(self) -> int:
        """Return at most how many bytes its sealed entry has; beyond LARGEST it is refused."""
        decision = self.decision
        members = (
            self.account,
            self.actor,
            self.on_behalf_of,
            self.resource,
            self.trace.state,
            decision.name,
            decision.outcome,
            decision.rulebook,
            "\n".join(decision.reasons),
            "\n".join(decision.citations),
            "\n".join(self.recipients),
            "\n".join(self.contracts),
        )
        own = sum(_MEMBER + _length(member) for member in members if member)
        tags = _TAG * (len(self.recipients) + len(self.contracts)) + _length(self.app)
        sections = sum(section.size for section in self.sections)
        return _HEADER + _OWN_SECTIONS * _SECTION + own + tags + _values(self.fields) + sections


class Part(NamedTuple):
    """A section of an event about several people, and by what else that event is found for it."""

    section: Section
    recipient: str = ""
    contract: str = ""


def in_entries(parts: Iterable[Part]) -> Iterator[tuple[Part, ...]]:
    """Divide parts, in their order, among as few events as hold them: at most ROOM bytes each.

    What is left of LARGEST is for the members and fields that each of these events repeats.
    """
    group: list[Part] = []
    named = {""}
    taken = 0
    for part in parts:
        size = part.section.size
        names = {part.recipient, part.contract}
        more = _found_by(names - named)
        if group and taken + size + more > ROOM:
            yield tuple(group)
            group, named, taken = [], {""}, 0
            more = _found_by(names - named)
        taken += size + more
        group.append(part)
        named |= names
    if group:
        yield tuple(group)


def _found_by(names: Iterable[str]) -> int:
    return sum([_TAG + 1 + _length(name) for name in names])


def _values(fields: Mapping[str, str]) -> int:
    return _VALUE * len(fields) + _length("".join([*fields, *fields.values()]))


def _length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())
