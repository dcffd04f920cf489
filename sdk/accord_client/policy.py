"""Which logs and which witnesses are trusted, and how many of them it takes (c2sp.org/tlog-policy).

A policy file is made of lines::

    log <vkey> [<url>]
    witness <name> <vkey> [<url>]
    group <name> all|any|<k> <member>…
    quorum <name>|none

A policy file must come from elsewhere than the log, as pinned keys must: a log that names its own
witnesses is watched by nobody.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from accord_client.checkpoint import Checkpoint
from accord_client.failure import VerificationError
from accord_client.note import Algorithm, VerifierKey

MAX_POLICY_BYTES = 1 << 20
_MAX_LINES = 10_000
_MAX_MEMBERS = 1_000
_NONE = "none"
_THRESHOLD = re.compile(r"[1-9][0-9]{0,3}", re.ASCII)
_FORBIDDEN = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True)
class Group:
    """Witnesses a checkpoint once ``threshold`` of its members do."""

    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True)
class Cosigner:
    """A witness of a policy that cosigned; ``time`` is when it had seen no larger tree."""

    name: str
    key: VerifierKey
    time: datetime


@dataclass(frozen=True)
class Standing:
    """Who of a policy's witnesses cosigned a checkpoint, and whether that is enough.

    ``rule`` says the quorum in words.
    """

    cosigners: tuple[Cosigner, ...]
    missing: tuple[str, ...]
    satisfied: bool
    rule: str


@dataclass(frozen=True)
class Policy:
    """A parsed policy file. ``urls`` are those of witnesses, by name."""

    logs: tuple[VerifierKey, ...] = ()
    witnesses: Mapping[str, VerifierKey] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)
    quorum: str = _NONE

    @classmethod
    def parse(cls, data: bytes) -> Policy:
        """Reads a policy file; raises VerificationError(``policy``), naming the line."""
        return _Reader().read(data)

    @property
    def keys(self) -> tuple[VerifierKey, ...]:
        """Every key that it names, for opening a note with."""
        return (*self.logs, *self.witnesses.values())

    def judge(self, checkpoint: Checkpoint) -> Standing:
        """Says who cosigned a checkpoint that was opened with the policy's keys among others.

        Raises VerificationError(``policy``) for a log that it does not list, if it lists any.
        """
        if self.logs and not set(checkpoint.log_keys) & set(self.logs):
            message = f"the policy lists no key with which {checkpoint.origin} signed"
            raise VerificationError("policy", message)
        times = {one.key: one.time for one in checkpoint.cosignatures}
        witnessed = {name for name, key in self.witnesses.items() if times.get(key) is not None}
        cosigners = tuple(
            Cosigner(_shown(name), key, time)
            for name, key in self.witnesses.items()
            if (time := times.get(key)) is not None
        )
        for name, group in self.groups.items():  # each refers to what stands before it
            if sum(member in witnessed for member in group.members) >= group.threshold:
                witnessed.add(name)
        return Standing(
            cosigners=cosigners,
            missing=tuple(_shown(name) for name in self.witnesses if name not in witnessed),
            satisfied=self.quorum == _NONE or self.quorum in witnessed,
            rule=self.rule(),
        )

    def rule(self) -> str:
        """The quorum in words, such as ``2 of a, b, c``."""
        words = {name: _shown(name) for name in self.witnesses}
        several: set[str] = set()
        for name, group in self.groups.items():
            if len(group.members) == 1:
                (member,) = group.members
                words[name] = words[member]
                several |= {name} if member in several else set()
            else:
                inner = (f"({words[m]})" if m in several else words[m] for m in group.members)
                words[name] = f"{group.threshold} of {', '.join(inner)}"
                several.add(name)
        return words.get(self.quorum, "no cosignature is required")


def _shown(name: str) -> str:
    """A name as text that can be printed: its octets need not be UTF-8."""
    return name.encode(errors="surrogateescape").decode(errors="backslashreplace")


class _Reader:
    """Reads one file, line after line; what a line refers to stands before it."""

    def __init__(self) -> None:
        self._logs: list[VerifierKey] = []
        self._witnesses: dict[str, VerifierKey] = {}
        self._groups: dict[str, Group] = {}
        self._members: set[str] = set()
        self._quorum: str | None = None

    def read(self, data: bytes) -> Policy:
        if len(data) > MAX_POLICY_BYTES or data.count(b"\n") > _MAX_LINES:
            raise VerificationError("policy", "the policy is larger than any that is read here")
        for number, line in enumerate(data.split(b"\n"), 1):
            if _FORBIDDEN.search(line):
                raise VerificationError("policy", f"line {number} holds a control character")
            # Octets are opaque: two names are the same when their bytes are.
            words = [word.decode(errors="surrogateescape") for word in line.split()]
            if words and not words[0].startswith("#"):
                try:
                    self._line(words)
                except (VerificationError, UnicodeEncodeError) as error:
                    raise VerificationError("policy", f"line {number}: {error}") from error
        if self._quorum is None:
            raise VerificationError("policy", "the policy has no quorum line")
        return Policy(tuple(self._logs), self._witnesses, self._groups, self._quorum)

    def _line(self, words: Sequence[str]) -> None:
        match words:
            case ["log", key] | ["log", key, _]:
                self._log(VerifierKey.parse(key))
            case ["witness", name, key] | ["witness", name, key, _]:
                self._witness(name, VerifierKey.parse(key))
            case ["group", name, threshold, *members] if members:
                self._group(name, threshold, members)
            case ["quorum", name]:
                if self._quorum is not None:
                    raise VerificationError("policy", "the quorum is defined twice")
                if name != _NONE:
                    self._known(name)
                self._quorum = name
            case _:
                message = "must be a log, witness, group or quorum line as tlog-policy defines it"
                raise VerificationError("policy", message)

    def _log(self, key: VerifierKey) -> None:
        if key.algorithm is not Algorithm.ED25519:
            raise VerificationError("policy", f"{key.name} is no key of a log: it cosigns")
        if any(key.public_key == other.public_key for other in self._logs):
            raise VerificationError("policy", f"the key of log {key.name} is listed twice")
        self._logs.append(key)

    def _witness(self, name: str, key: VerifierKey) -> None:
        self._new(name)
        if not key.algorithm.cosigns:
            message = f"{key.name} is no key of a witness: its type signs no time"
            raise VerificationError("policy", message)
        # Two names for one key would let one witness count twice.
        if any(key.public_key == other.public_key for other in self._witnesses.values()):
            raise VerificationError("policy", f"the key of witness {name} is listed twice")
        self._witnesses[name] = key

    def _group(self, name: str, threshold: str, members: Sequence[str]) -> None:
        self._new(name)
        if len(members) > _MAX_MEMBERS:
            raise VerificationError("policy", f"group {name} has more than {_MAX_MEMBERS} members")
        for member in members:
            self._known(member)
            if member in self._members:
                raise VerificationError("policy", f"{member} is a member of a group already")
            self._members.add(member)
        needed = {"all": len(members), "any": 1}.get(threshold)
        if needed is None:
            needed = int(threshold) if _THRESHOLD.fullmatch(threshold) else 0
        if not 1 <= needed <= len(members):
            message = f"group {name} needs all, any or 1 to {len(members)} of its members"
            raise VerificationError("policy", message)
        self._groups[name] = Group(needed, tuple(members))

    def _new(self, name: str) -> None:
        if name == _NONE or name in self._witnesses or name in self._groups:
            raise VerificationError("policy", f"the name {name} is taken")

    def _known(self, name: str) -> None:
        if name not in self._witnesses and name not in self._groups:
            raise VerificationError("policy", f"{name} is not defined on a line before")
