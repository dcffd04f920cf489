"""Policies (c2sp.org/tlog-policy): whose cosignatures a checkpoint needs before it counts.

    log <vkey> [<url>]
    witness <name> <vkey> [<url>]
    group <name> all|any|<k> <member>...
    quorum <name>|none

A name is defined on a line before the one that uses it, so that the lines can be judged in order;
it is a member of one group at most, so that a witness counts in one way alone.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, field

from services.audit.domain.note import COSIGNATURE, ED25519, MalformedNoteError, VerifierKey

MAX_BYTES = 1 << 20  # of a file
_NONE = "none"
_MAX_LOGS, _MAX_WITNESSES, _MAX_GROUPS = 64, 64, 64
_FORBIDDEN = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")
_BLANK = re.compile(r"[ \t]+")
_THRESHOLD = re.compile(r"[1-9][0-9]{0,5}")


class PolicyError(ValueError):
    """The text is no policy; says in which line and why."""


@dataclass(frozen=True, slots=True)
class PolicyLog:
    """A log whose checkpoints count; its key's name is its origin."""

    key: VerifierKey
    url: str | None = None


@dataclass(frozen=True, slots=True)
class PolicyWitness:
    """A witness, under a name that means something within the policy alone."""

    name: str
    key: VerifierKey
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Cosigned when `threshold` of its members are."""

    name: str
    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """The lines of a policy, by what they define, in their order."""

    logs: tuple[PolicyLog, ...] = ()
    witnesses: tuple[PolicyWitness, ...] = ()
    groups: tuple[Group, ...] = ()
    quorum: str | None = None  # of a witness or a group; None: no cosignature is needed

    @classmethod
    def parse(cls, text: bytes) -> "Policy":
        """Read a policy; PolicyError, naming the line, when it is none."""
        if len(text) > MAX_BYTES:
            raise PolicyError(f"the policy has more than {MAX_BYTES} bytes")
        reading = _Reading()
        for number, line in enumerate(text.split(b"\n"), start=1):
            try:
                reading.read(line)
            except ValueError as error:
                raise PolicyError(f"line {number}: {error}") from error
        if reading.quorum is None:
            raise PolicyError("no line defines the quorum")
        quorum = None if reading.quorum == _NONE else reading.quorum
        return cls(
            tuple(reading.logs), tuple(reading.witnesses), tuple(reading.groups.values()), quorum
        )

    def satisfied_by(self, cosigned: Collection[str]) -> bool:
        """Tell whether the cosignatures of these witnesses, by name, suffice."""
        held = {witness.name for witness in self.witnesses if witness.name in cosigned}
        for group in self.groups:
            if sum(member in held for member in group.members) >= group.threshold:
                held.add(group.name)
        return self.quorum is None or self.quorum in held


@dataclass(slots=True)
class _Reading:
    """What the lines so far have said."""

    logs: list[PolicyLog] = field(default_factory=list)
    witnesses: list[PolicyWitness] = field(default_factory=list)
    groups: dict[str, Group] = field(default_factory=dict)
    names: set[str] = field(default_factory=lambda: {_NONE})
    members: set[str] = field(default_factory=set)
    quorum: str | None = None

    def read(self, line: bytes) -> None:
        if _FORBIDDEN.search(line):
            raise ValueError("a control character other than tab and newline")
        # Names are octets and nothing else: what is not UTF-8 stays what it was.
        items = _BLANK.split(line.decode("utf-8", "surrogateescape").strip(" \t"))
        match items:
            case [""]:
                return
            case [first, *_] if first.startswith("#"):
                return
            case ["log", vkey, *rest] if len(rest) <= 1:
                self._log(vkey, *rest)
            case ["witness", name, vkey, *rest] if len(rest) <= 1:
                self._witness(name, vkey, *rest)
            case ["group", name, threshold, *members]:
                self._group(name, threshold, members)
            case ["quorum", name]:
                self._quorum(name)
            case ["log" | "witness" | "group" | "quorum" as keyword, *_]:
                raise ValueError(f"a line of {keyword} with too few or too many words")
            case [word, *_]:
                raise ValueError(f"{word!a} is none of log, witness, group and quorum")

    def _log(self, vkey: str, url: str | None = None) -> None:
        key = _key(vkey, ED25519)
        if any(key.public_key == log.key.public_key for log in self.logs):
            raise ValueError("an earlier line has the log of this key")
        if len(self.logs) == _MAX_LOGS:
            raise ValueError(f"more than {_MAX_LOGS} logs")
        self.logs.append(PolicyLog(key, url))

    def _witness(self, name: str, vkey: str, url: str | None = None) -> None:
        key = _key(vkey, COSIGNATURE)
        if any(key.public_key == witness.key.public_key for witness in self.witnesses):
            raise ValueError("an earlier line has the witness of this key")
        if len(self.witnesses) == _MAX_WITNESSES:
            raise ValueError(f"more than {_MAX_WITNESSES} witnesses")
        self._define(name)
        self.witnesses.append(PolicyWitness(name, key, url))

    def _group(self, name: str, threshold: str, members: list[str]) -> None:
        if not members:
            raise ValueError(f"the group {name!a} has no member")
        for member in members:
            if member == _NONE or member not in self.names:
                raise ValueError(f"{member!a} is defined on no line before")
            if member in self.members:
                raise ValueError(f"{member!a} is a member already, and may be one once")
            self.members.add(member)
        if len(self.groups) == _MAX_GROUPS:
            raise ValueError(f"more than {_MAX_GROUPS} groups")
        self._define(name)
        self.groups[name] = Group(name, _threshold(threshold, len(members)), tuple(members))

    def _quorum(self, name: str) -> None:
        if self.quorum is not None:
            raise ValueError("an earlier line has defined the quorum")
        if name not in self.names:
            raise ValueError(f"{name!a} is defined on no line before")
        self.quorum = name

    def _define(self, name: str) -> None:
        if name in self.names:
            raise ValueError(f"{name!a} is defined already")
        self.names.add(name)


def _key(vkey: str, kind: int) -> VerifierKey:
    try:
        key = VerifierKey.parse(vkey)
    except (MalformedNoteError, UnicodeEncodeError) as error:
        raise ValueError(f"no vkey: {error}") from error
    if key.kind != kind:
        raise ValueError(f"the key of {key.name} is of type {key.kind}, not {kind}")
    return key


def _threshold(text: str, members: int) -> int:
    if text in ("any", "all"):
        return 1 if text == "any" else members
    if _THRESHOLD.fullmatch(text) is None or int(text) > members:
        raise ValueError(f"{text!a} is none of any, all, and 1 to {members}")
    return int(text)
