"""Reads every RPC and its caller rule from the generated stubs: the source of all that is compiled.

The NetworkPolicies, the tables in docs/ and the house rules are made from this one reading.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.policy import Rule, rule_of

if TYPE_CHECKING:
    from google.protobuf.descriptor import FileDescriptor, MethodDescriptor

ROOT = Path(__file__).resolve().parent.parent
STUBS = ROOT / "gen"


@dataclass(frozen=True)
class Rpc:
    """One method: which service of the mesh serves it, and who may call."""

    server: str  # account, sharing, audit
    descriptor: MethodDescriptor
    rule: Rule

    @property
    def path(self) -> str:
        """The method as gRPC writes it: ``/package.Service/Method``."""
        return f"/{self.descriptor.containing_service.full_name}/{self.descriptor.name}"


def files() -> list[FileDescriptor]:
    """Every file of ours, those included that write down what others specified."""
    modules = sorted(
        ".".join(path.relative_to(STUBS).with_suffix("").parts)
        for path in STUBS.glob("accord/*/*/*_pb2.py")
    )
    return [importlib.import_module(module).DESCRIPTOR for module in modules]


def methods() -> list[MethodDescriptor]:
    """Every method of every service of ours, in the order of the files."""
    return [
        method
        for file in files()
        for service in file.services_by_name.values()
        for method in service.methods
    ]


def rpcs() -> list[Rpc]:
    """Every method with its rule; PolicyError when one has none."""
    return [
        Rpc(method.containing_service.file.name.split("/")[1], method, rule_of(method))
        for method in methods()
    ]
