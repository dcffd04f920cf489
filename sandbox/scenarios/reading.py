"""Reads YAML strictly: each part knows the line it stands on, and refuses what is not meant.

Only `true` and `false` are booleans, so that `NO` is Norway; days stay text until they are read.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import yaml

_STR = "tag:yaml.org,2002:str"
_BOOL = "tag:yaml.org,2002:bool"
_NULL = "tag:yaml.org,2002:null"
_DAY = "tag:yaml.org,2002:timestamp"
_MERGE = "tag:yaml.org,2002:merge"
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_TIMESTAMP = re.compile(
    rf"{_DATE.pattern}[Tt ]\d{{2}}:\d{{2}}(:\d{{2}}(\.\d+)?)?([Zz]|[+-]\d{{2}}:\d{{2}})?"
)
_MIDNIGHT = time(tzinfo=UTC)
_DAY_LONG = timedelta(days=1)
_NEVER = datetime.max.replace(tzinfo=UTC)


class FileError(Exception):
    """A file is not as the format wants it; its text begins with file and line."""


class _Loader(yaml.SafeLoader):
    """YAML whose plain scalars are text, but for numbers, null, true and false."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in {_BOOL, _DAY}]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(_BOOL, re.compile("^(?:true|True|TRUE|false|False|FALSE)$"), None)


def documents(path: Path) -> list["Part"]:
    """Parse a file; FileError when it cannot be read."""
    try:
        loader = _Loader(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(f"{path}:1: {error}") from error
    found = []
    try:
        while loader.check_node():
            node = loader.get_node()
            if node is not None:
                found.append(Part(str(path), node))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise FileError(f"{path}:{line}: {error.problem or error.context}") from error
    except yaml.YAMLError as error:  # characters that YAML does not allow
        raise FileError(f"{path}:1: {error}") from error
    if not found:
        raise FileError(f"{path}:1: the file is empty")
    return found


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a file."""

    file: str
    node: yaml.Node

    @property
    def line(self) -> int:
        """Return the line it begins on, from 1."""
        return self.node.start_mark.line + 1

    def wrong(self, why: str) -> FileError:
        """Say what is wrong with it."""
        return FileError(f"{self.file}:{self.line}: {why}")

    def mapping(self, required: Collection[str], optional: Collection[str] = ()) -> "Mapping":
        """Read a mapping that has no other keys, and each at most once."""
        known = {*required, *optional}
        values = {}
        for key, value in self.pairs():
            name = key.text()
            if name not in known:
                raise key.wrong(f"{name}: unknown key; known are {', '.join(sorted(known))}")
            values[name] = value
        missing = [name for name in required if name not in values]
        if missing:
            raise self.wrong(f"{', '.join(missing)}: missing")
        return Mapping(self, values)

    def pairs(self) -> Iterator[tuple["Part", "Part"]]:
        """Read a mapping of any keys, each at most once; what `<<` brings in comes last."""
        if not isinstance(self.node, yaml.MappingNode):
            raise self.wrong("a mapping is needed here")
        seen = set()
        bases = []
        for key_node, value_node in self.node.value:
            key, value = Part(self.file, key_node), Part(self.file, value_node)
            if key_node.tag == _MERGE:
                bases = value.list() if value.is_list() else [value]
            elif key.text() in seen:
                raise key.wrong(f"{key.text()}: stands here twice")
            else:
                seen.add(key.text())
                yield key, value
        for base in bases:
            for key, value in base.pairs():
                if key.text() not in seen:
                    seen.add(key.text())
                    yield key, value

    def said(self) -> str:
        """Return it as it is written, on one line."""
        if isinstance(self.node, yaml.MappingNode):
            return " ".join(f"{key.text()}={value.said()}" for key, value in self.pairs())
        if self.is_list():
            return f"[{', '.join(part.said() for part in self.list())}]"
        return str(self.node.value)

    def is_list(self) -> bool:
        """Tell whether it is a list."""
        return isinstance(self.node, yaml.SequenceNode)

    def list(self) -> "list[Part]":
        """Read a list."""
        if not self.is_list():
            raise self.wrong("a list is needed here")
        return [Part(self.file, node) for node in self.node.value]

    def texts(self) -> tuple[str, ...]:
        """Read a list of texts."""
        return tuple(part.text() for part in self.list())

    def text(self) -> str:
        """Read a text; a number is taken as it is written."""
        if not isinstance(self.node, yaml.ScalarNode) or self.node.tag in {_BOOL, _NULL}:
            raise self.wrong("a text is needed here")
        return str(self.node.value)

    def one_of(self, known: Collection[str]) -> str:
        """Read one of some words."""
        word = self.text()
        if word not in known:
            raise self.wrong(f"{word}: must be one of {', '.join(known)}")
        return word

    def flag(self) -> bool:
        """Read true or false."""
        if self.node.tag != _BOOL:
            raise self.wrong("true or false is needed here")
        return str(self.node.value).lower() == "true"

    def ordinal(self) -> int:
        """Read a number that counts from 1."""
        if self.node.tag == _STR or not re.fullmatch(r"[1-9]\d{0,5}", self.text()):
            raise self.wrong("a number from 1 is needed here")
        return int(self.text())

    def day(self) -> date:
        """Read a calendar date."""
        text = self.text()
        if not _DATE.fullmatch(text):
            raise self.wrong("a date, YYYY-MM-DD, is needed here")
        try:
            return date.fromisoformat(text)
        except ValueError:
            raise self.wrong(f"{text} is no date of the calendar") from None

    def moment(self) -> datetime:
        """Read an instant: a timestamp, or a date, which begins at its 00:00 UTC."""
        if _DATE.fullmatch(self.text()):
            return datetime.combine(self.day(), _MIDNIGHT)
        if not _TIMESTAMP.fullmatch(self.text()):
            raise self.wrong("a timestamp such as 2025-06-01T00:00:00Z is needed here")
        try:
            read = datetime.fromisoformat(self.text().upper())
        except ValueError:
            raise self.wrong(f"{self.text()} is no instant of the calendar") from None
        return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)

    def end(self) -> datetime:
        """Read the first instant at which something counts no more: a date counts to its end."""
        if _DATE.fullmatch(self.text()):
            day = self.day()
            return _NEVER if day == date.max else datetime.combine(day + _DAY_LONG, _MIDNIGHT)
        return self.moment()


@dataclass(frozen=True, slots=True)
class Mapping:
    """A mapping whose keys are known."""

    part: Part
    values: dict[str, Part]

    def __getitem__(self, key: str) -> Part:
        return self.values[key]

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def text(self, key: str, default: str = "") -> str:
        """Read a text that may be absent."""
        return self[key].text() if key in self else default

    def texts(self, key: str) -> tuple[str, ...]:
        """Read a list of texts that may be absent."""
        return self[key].texts() if key in self else ()

    def list(self, key: str) -> "list[Part]":
        """Read a list that may be absent."""
        return self[key].list() if key in self else []

    def flag(self, key: str) -> bool:
        """Read a flag that is false when absent."""
        return key in self and self[key].flag()
