"""Writes the tables of docs/ that are made from the protos and the settings, so that none can lie.

docs/callers.md: every RPC and who may call it; docs/errors.md: every reason, its code, an example;
docs/events.md: everything the log can say that happened; docs/settings.md: every environment
variable of every service.
"""

from __future__ import annotations

import argparse
import importlib
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from accord.audit.v1 import event_pb2
from accord.type.v1 import error_reason_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.rpc import code_pb2

from deploy.wire import ROOT, rpcs
from runtime.settings import DatabaseSettings, GrpcSettings, ServiceSettings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic.fields import FieldInfo

SERVICES = ("account", "audit", "portal", "sharing")
_RANGES = {"The mesh": range(1, 100), "Account": range(100, 200), "Sharing": range(200, 300)}
_RANGES |= {"Audit": range(300, 400)}


def comments() -> dict[str, str]:
    """The leading comment of every service, method and enum value, by full name."""
    with tempfile.NamedTemporaryFile(suffix=".binpb") as output:
        sources = sorted(str(path) for path in (ROOT / "protos").rglob("*.proto"))
        compiler = [sys.executable, "-m", "grpc_tools.protoc"]
        roots = [f"-I{ROOT / 'protos'}", f"-I{ROOT / 'third_party/googleapis'}"]
        wanted = ["--include_source_info", f"--descriptor_set_out={output.name}"]
        subprocess.run([*compiler, *roots, *wanted, *sources], check=True)  # noqa: S603  our own files
        files = FileDescriptorSet.FromString(Path(output.name).read_bytes())
    found = {}
    for file in files.file:
        for location in file.source_code_info.location:
            # Field numbers of descriptor.proto: enums are 5, services 6, and 2 what they hold.
            match list(location.path):
                case [5, number]:
                    name = file.enum_type[number].name
                case [5, enum, 2, number]:
                    name = f"{file.enum_type[enum].name}.{file.enum_type[enum].value[number].name}"
                case [6, number]:
                    name = file.service[number].name
                case [6, service, 2, number]:
                    name = (
                        f"{file.service[service].name}.{file.service[service].method[number].name}"
                    )
                case _:
                    continue
            found[f"{file.package}.{name}"] = location.leading_comments.strip()
    return found


def callers() -> str:
    """docs/callers.md: a section per gRPC service, a row per method."""
    said = comments()
    sections = defaultdict(list)
    for rpc in rpcs():
        rule = rpc.rule
        who = [f"`{name}`" for name in sorted(rule.services)]
        who += ["apps"] if rule.apps else []
        who += [f"{role}s (certificate)" for role in sorted(rule.staff)]
        sections[rpc.descriptor.containing_service.full_name].append(
            (
                f"`{rpc.descriptor.name}`",
                ", ".join(who),
                " or ".join(sorted(rule.actors)) or "nobody",
                _sentence(said[rpc.descriptor.full_name]),
            )
        )
    lines = [
        "# Who may call what",
        "",
        "Made by `bin/docs` from the `callers` options of the protos.",
        "Whoever is not named is refused with `CALLER_NOT_ALLOWED`.",
        "A service that acts for someone sends their token, with a role of the third column.",
    ]
    for name, rows in sections.items():
        lines += ["", f"## {name}", "", _sentence(said[name]), ""]
        lines += _table(("method", "callers", "acting for", "what it does"), rows)
    return "\n".join(lines) + "\n"


def errors() -> str:
    """docs/errors.md: a section per range of numbers, a row per reason."""
    said = comments()
    reasons = error_reason_pb2.ErrorReason.DESCRIPTOR
    lines = [
        "# Why a call was refused",
        "",
        "Made by `bin/docs` from `accord/type/v1/error_reason.proto`.",
        "Each refusal carries one `google.rpc.ErrorInfo` with domain `accord`.",
        "Its messages hold no personal data.",
    ]
    for title, numbers in _RANGES.items():
        rows = []
        for value in reasons.values:
            if value.number not in numbers:
                continue
            comment = said[f"accord.type.v1.ErrorReason.{value.name}"]
            meaning, _, example = comment.partition("Example:")
            code = value.GetOptions().Extensions[error_reason_pb2.code]
            rows.append(
                (
                    f"`{value.name.removeprefix('ERROR_REASON_')}`",
                    f"`{code_pb2.Code.Name(code)}`",
                    " ".join(meaning.split()),
                    f"`{' '.join(example.split())}`",
                )
            )
        if rows:
            lines += ["", f"## {title}", ""]
            lines += _table(("reason", "code", "when", "ErrorInfo"), rows)
    return "\n".join(lines) + "\n"


def events() -> str:
    """docs/events.md: a section per source, a row per name."""
    said = comments()
    lines = [
        "# What the log can say that happened",
        "",
        "Made by `bin/docs` from `accord/audit/v1/event.proto`, where the grammar stands.",
        "An entry holds the number; people read and search the text.",
        "Besides its fields every event has, where they apply, its account, its actor and for whom",
        "that one acted, the app that called, the resource, recipients, contracts and decision.",
    ]
    sections = defaultdict(list)
    for value in event_pb2.EventName.DESCRIPTOR.values:
        if not value.number:
            continue
        text = value.GetOptions().Extensions[event_pb2.text]
        comment = " ".join(said[f"accord.audit.v1.EventName.{value.name}"].split())
        records, _, fields = comment.partition(" Fields: ")
        fields = fields.removesuffix(".") or "none"
        row = (f"`{text}`", str(value.number), records.removesuffix(" No fields."), fields)
        sections[text.partition(":")[0]].append(row)
    for source, rows in sections.items():
        lines += ["", f"## {source}", ""]
        lines += _table(("event", "number", "what it records", "fields"), rows)
    return "\n".join(lines) + "\n"


def settings() -> str:
    """docs/settings.md: what all services share, then what each adds."""
    lines = [
        "# Settings",
        "",
        "Made by `bin/docs` from the settings classes.",
        "Each process reads them once, from its environment, and ends with a sentence per mistake",
        "and exit status 78 before a port is opened.",
        "Secrets are never values: they are paths of files.",
    ]
    told: set[str] = set()
    kinds: dict[str, type[ServiceSettings]] = {
        "Every service": ServiceSettings,
        "Services that serve gRPC: account, audit, sharing": GrpcSettings,
        "Services with a database: account, audit, sharing": DatabaseSettings,
    }
    for title, kind in (kinds | {name: settings_class(name) for name in SERVICES}).items():
        added = {name: field for name, field in _fields(kind).items() if name not in told}
        if kind in kinds.values():
            told |= added.keys()
        lines += ["", f"## {title}", "", *_settings_table(added)]
    return "\n".join(lines) + "\n"


def settings_class(service: str) -> type[ServiceSettings]:
    """The settings of a service: the one class of its settings.py that is a process's."""
    module = importlib.import_module(f"services.{service}.settings")
    (kind,) = (
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, ServiceSettings)
        and value.__module__ == module.__name__
    )
    return kind


def _fields(kind: type[ServiceSettings]) -> dict[str, FieldInfo]:
    prefix = kind.model_config.get("env_prefix", "")
    return {f"{prefix}{field}".upper(): info for field, info in kind.model_fields.items()}


def _settings_table(fields: dict[str, FieldInfo]) -> list[str]:
    rows = []
    for name, field in fields.items():
        default = "required" if field.is_required() else _default(field)
        rows.append((f"`{name}`", default, field.description or ""))
    return _table(("variable", "default", "meaning"), rows)


def _default(field: FieldInfo) -> str:
    """What an environment would have to say for the same: a text as it is, all else as JSON."""
    value = field.get_default(call_default_factory=True)
    if value is None:
        return "none"
    return f"`{value if isinstance(value, str) else json.dumps(value, default=sorted)}`"


def _sentence(comment: str) -> str:
    """Everything up to the first full stop that ends a sentence, on one line."""
    text = " ".join(comment.split())
    first, stop, _ = text.partition(". ")
    return first + stop.strip() if stop else text


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    cells = [head, tuple("---" for _ in head), *rows]
    return ["| " + " | ".join(_cell(text) for text in row) + " |" for row in cells]


def _cell(text: str) -> str:
    """A text that Markdown shows as it is, on one line of a table: `<` is safe within backticks."""
    parts = text.replace("|", "\\|").split("`")
    return "`".join(part if n % 2 else part.replace("<", "\\<") for n, part in enumerate(parts))


TABLES = {
    "callers.md": callers,
    "errors.md": errors,
    "events.md": events,
    "settings.md": settings,
}


def write(directory: Path) -> None:
    """Write every table into the directory."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, table in TABLES.items():
        (directory / name).write_text(table())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", nargs="?", type=Path, default=ROOT / "docs")
    write(parser.parse_args().directory)
