"""Bundles: many entries of one log in one file, provable with no log at hand (docs/bundle.md).

A bundle is JSON, an object a line: a head (the checkpoint that all proofs lead to, and what was
asked for), the entries by ascending index, and an end that counts them. Written and read line by
line, it takes the same memory whether it holds ten entries or ten million.

What ``BundleReader`` proves, in this order:

1. **Key.** The checkpoint carries a valid signature of a pinned key that speaks for its origin.
2. **Witnesses.** It is cosigned as the policy requires, when one is given.

and of every entry:

3. **Inclusion.** Its bytes, hashed, lead to the checkpoint's root from the index given.
4. **Format.** Those bytes are an entry of the one format that is defined.
5. **Openings.** Each value shown is the one the entry commits to.

Not proved: that these are all the entries that were asked for, and that any of them tells the
truth. What the head says was asked for, and a policy that the file carries, are claims of whoever
made the file.
"""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any, NoReturn

from accord.audit.v1 import entry_pb2

from accord_client.checkpoint import read_unverified
from accord_client.entry import parse_entry
from accord_client.failure import VerificationError
from accord_client.merkle import ProvenTree, leaf_hash
from accord_client.note import decode_base64
from accord_client.opening import opening_as_json, openings_from_json, verify_openings
from accord_client.trust import Attested, Trust
from accord_client.verify import VerifiedEntry

FORMAT = "accord.audit.bundle/1"
PART = (
    1024  # entries; the first of so many has a path to the root, so that a reader can begin there
)
MAX_LINE = 1 << 20  # bytes; the largest entry, with all its openings, takes less
_HEAD = {"format", "checkpoint", "asked", "only", "policy"}
_ENTRY = {"index", "leaf", "path", "openings"}
_END = {"entries"}


@dataclass(frozen=True)
class Head:
    """The first line. All but the checkpoint is what the maker of the file says.

    ``asked`` holds the filters of the export; ``only`` the names of the values that were left in
    it, None for all of them; ``policy`` the text of the policy that the maker went by.
    """

    checkpoint: str
    asked: Mapping[str, str]
    only: tuple[str, ...] | None = None
    policy: str | None = None

    def as_json(self) -> dict[str, object]:
        """The object of the first line."""
        line: dict[str, object] = {
            "format": FORMAT,
            "checkpoint": self.checkpoint,
            "asked": dict(self.asked),
        }
        if self.only is not None:
            line["only"] = list(self.only)
        if self.policy is not None:
            line["policy"] = self.policy
        return line


class BundleWriter:
    """Writes a bundle as its entries arrive; ``end`` makes it whole."""

    def __init__(self, stream: IO[bytes], head: Head) -> None:
        """Writes the head; raises VerificationError if its checkpoint is none."""
        self._stream = stream
        self._only = None if head.only is None else frozenset(head.only)
        self._count = 0
        _, size, root = read_unverified(head.checkpoint.encode())
        self._tree = ProvenTree(size, root)
        self._write(head.as_json())

    def add(
        self, entry: entry_pb2.Entry, openings: Collection[entry_pb2.Opening], path: Sequence[bytes]
    ) -> None:
        """Writes the next entry, by ascending index, with its path up to the root.

        Raises VerificationError if the path does not lead there: nobody is handed a file that
        does not hold.
        """
        if not self._count % PART:
            self._tree.begin_anew()
        needed = self._tree.needed(entry.index, path)
        self._tree.prove(entry.index, leaf_hash(entry.leaf), needed)
        self._write(
            {
                "index": entry.index,
                "leaf": base64.b64encode(entry.leaf).decode(),
                "path": [base64.b64encode(value).decode() for value in needed],
                "openings": [
                    opening_as_json(opening)
                    for opening in openings
                    if self._only is None or opening.name in self._only
                ],
            }
        )
        self._count += 1

    def end(self) -> int:
        """Writes the last line; returns how many entries there are."""
        self._write({"entries": self._count})
        return self._count

    def _write(self, value: Mapping[str, object]) -> None:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        self._stream.write(text.encode() + b"\n")


class BundleReader:
    """Verifies a bundle from pinned keys alone, entry by entry, in bounded memory."""

    def __init__(self, stream: IO[bytes], trust: Trust) -> None:
        """Reads and verifies the head; raises VerificationError."""
        self._lines = _Lines(stream)
        self.head = _read_head(self._lines.next())
        # 1. Key.
        self.attested: Attested = trust.open(self.head.checkpoint.encode())
        # 2. Witnesses.
        self.attested.require_quorum()

    def entries(self) -> Iterator[VerifiedEntry]:
        """Each entry once it is verified; ends when the file's end says as many.

        Raises VerificationError, which names the line and the entry that do not hold.
        """
        return _verified(self._lines, self.attested, after=-1)


def entries_behind(number: int, stream: IO[bytes], attested: Attested) -> Iterator[VerifiedEntry]:
    """The entries behind line ``number``, at which the stream stands, as ``entries`` has them.

    ``number`` is 1 more than a multiple of PART. Of that line itself the index alone is read: it is
    for whoever reads the part before to verify.
    """
    lines = _Lines(stream, number - 1)
    before = lines.next().get("index")
    return _verified(lines, attested, before if type(before) is int else -1)


def _verified(lines: _Lines, attested: Attested, after: int) -> Iterator[VerifiedEntry]:
    tree = ProvenTree(attested.checkpoint.size, attested.checkpoint.root, after)
    for count in itertools.count(lines.number - 1):
        line = lines.next()
        if line.keys() == _END:
            lines.finish(line["entries"], count)
            return
        if not count % PART:
            tree.begin_anew()
        index = line.get("index")
        try:
            verified = _verify(line, tree, attested)
        except VerificationError as error:
            what = f", entry {index}" if type(index) is int else ""
            message = f"line {lines.number}{what}: {error}"
            raise VerificationError(error.obligation, message) from error
        yield verified


def _verify(line: dict[str, Any], tree: ProvenTree, attested: Attested) -> VerifiedEntry:
    index, path = line.get("index"), line.get("path")
    leaf = line.get("leaf")
    if line.keys() != _ENTRY or type(index) is not int:
        _malformed("it is no entry of a bundle")
    if not isinstance(leaf, str) or not isinstance(path, list):
        _malformed("its leaf or its path is none")
    if not all(isinstance(value, str) for value in path):
        _malformed("its path is none")
    data = decode_base64(leaf, "format")
    # 3. Inclusion.
    digest = leaf_hash(data)
    tree.prove(index, digest, [decode_base64(value, "format") for value in path])
    # 4. Format.
    entry = parse_entry(data)
    # 5. Openings.
    openings = verify_openings(entry, openings_from_json(line["openings"]))
    return VerifiedEntry(attested, index, digest, entry, openings)


class _Lines:
    """The lines of a bundle, from the one behind line ``number`` on."""

    def __init__(self, stream: IO[bytes], number: int = 0) -> None:
        self._stream = stream
        self.number = number

    def next(self) -> dict[str, Any]:
        """The object of the next line."""
        self.number += 1
        data = self._stream.readline(MAX_LINE + 1)
        if not data:
            _malformed(
                f"the file is cut off: it has no end behind line {self.number - 1}"
                if self.number > 1
                else "the file is empty"
            )
        if len(data) > MAX_LINE:
            _malformed(f"line {self.number} is longer than {MAX_LINE} bytes")
        if not data.endswith(b"\n"):
            _malformed(f"the file is cut off in line {self.number}")
        try:
            value = _JSON.decode(data.decode())
        except (ValueError, RecursionError) as error:
            raise VerificationError("format", f"line {self.number} is not JSON") from error
        if not isinstance(value, dict):
            _malformed(f"line {self.number} is no object")
        return value

    def finish(self, stated: object, count: int) -> None:
        """Looks at what the end says, and that it is the end."""
        if type(stated) is not int or stated != count:
            _malformed(f"line {self.number}: it says {stated!s:.20} entries, and holds {count}")
        if self._stream.read(1):
            _malformed(f"line {self.number}: the file goes on behind its end")


def _read_head(line: dict[str, Any]) -> Head:
    if line.get("format") != FORMAT:
        _malformed(f"the file is no bundle of the format {FORMAT}")
    if unknown := set(line) - _HEAD:
        _malformed(f"the head holds what is not defined: {min(unknown)!r:.50}")
    checkpoint, asked, only = line.get("checkpoint"), line.get("asked"), line.get("only")
    policy = line.get("policy")
    if not isinstance(checkpoint, str) or not isinstance(policy, str | None):
        _malformed("the head's checkpoint or policy is not text")
    if not isinstance(asked, dict) or not all(isinstance(v, str) for v in asked.values()):
        _malformed("the head does not say what was asked for")
    if only is not None and not (
        isinstance(only, list) and all(isinstance(name, str) for name in only)
    ):
        _malformed("the head's list of names is none")
    try:
        json.dumps(line, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        _malformed("the head holds text that is none")
    return Head(checkpoint, asked, None if only is None else tuple(only), policy)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Of two members of one name, one reader takes the first and another the last.
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member occurs twice")
    return found


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text:.20} is no whole number")


_JSON = json.JSONDecoder(
    object_pairs_hook=_unique, parse_float=_no_number, parse_constant=_no_number
)


def _malformed(message: str) -> NoReturn:
    raise VerificationError("format", message)
