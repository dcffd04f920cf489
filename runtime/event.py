"""What a service says to the audit log: one event of one state change or decision.

Pure vocabulary. A case makes the event, `runtime.outbox.publish` writes it in the case's own
transaction, `runtime.relay` numbers and delivers it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from runtime.randomness import random_bytes

LARGEST = 65_535  # bytes of an entry of the log, sealed
ROOM = 60_000  # of these, what the sections of one event may take together
# Upper bounds of what sealing adds: to an event, to each of its sections, to each value.
_HEADER, _SECTION, _VALUE = 320, 54, 72
_MEMBER = _VALUE + len("@resource")


@dataclass(frozen=True, slots=True)
class Trace:
    """Where in a W3C trace something happened; empty strings outside of any trace."""

    trace_id: str = ""  # 32 lower-case hex digits
    span_id: str = ""  # 16 lower-case hex digits
    flags: int = 0  # bit 0: sampled


@dataclass(frozen=True, slots=True)
class Section:
    """What an event says about one person among several; only that person's keys open it."""

    account: str
    fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Return at most how many bytes it takes in a sealed entry."""
        return _SECTION + _MEMBER + _length(self.account) + _values(self.fields)


@dataclass(frozen=True, slots=True)
class Event:
    """One entry for the log, before it has a number.

    `action` is `source:subject:action`, for example `sharing:contract:activate`. `account` is the
    person whose data it is about (`accounts/…`, empty without one), `actor` who acted (an account
    name or a SPIFFE id), `resource` what was acted on. `fields` are the details; audit encrypts
    their values per person, so personal data may stand there and nowhere else.

    An event about several people has a section for each thing that it says about one of them, and
    in `fields` what concerns them all and names nobody.
    """

    action: str
    outcome: str
    time: datetime
    account: str = ""
    actor: str = ""
    resource: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    trace: Trace = Trace()
    event_id: str = field(default_factory=lambda: random_bytes(16).hex())
    sections: tuple[Section, ...] = ()

    @property
    def size(self) -> int:
        """Return at most how many bytes its sealed entry has; beyond LARGEST it is refused."""
        members = (self.account, self.actor, self.resource)
        own = sum(_MEMBER + _length(member) for member in members if member)
        sections = sum(section.size for section in self.sections)
        return _HEADER + 2 * _SECTION + own + _values(self.fields) + sections


def in_entries(sections: Iterable[Section]) -> Iterator[tuple[Section, ...]]:
    """Divide sections, in their order, among as few events as hold them: at most ROOM bytes each.

    What is left of LARGEST is for the members and fields that each of these events repeats.
    """
    group: list[Section] = []
    taken = 0
    for section in sections:
        size = section.size
        if group and taken + size > ROOM:
            yield tuple(group)
            group, taken = [], 0
        group.append(section)
        taken += size
    if group:
        yield tuple(group)


def _values(fields: Mapping[str, str]) -> int:
    return _VALUE * len(fields) + _length("".join([*fields, *fields.values()]))


def _length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())
