"""The wire says who may call and why a call may fail; the stubs are what it compiles to."""

from __future__ import annotations

import filecmp
import subprocess
from typing import TYPE_CHECKING

import pytest
from accord.type.v1 import callers_pb2, error_reason_pb2
from google.protobuf import descriptor_pb2, descriptor_pool
from google.rpc import code_pb2

from deploy import tables
from deploy.wire import methods, rpcs
from runtime.policy import PolicyError, rule_of
from tests.house.repository import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from google.protobuf.descriptor import MethodDescriptor


def test_stubs_are_what_the_protos_compile_to(tmp_path: Path) -> None:
    subprocess.run(["bin/protos", tmp_path], cwd=ROOT, check=True)  # noqa: S603, S607  our own script

    def names(root: Path) -> list[Path]:
        return sorted(path.relative_to(root) for path in root.glob("accord/**/*.py*"))

    made = [path for path in names(tmp_path) if path.suffix != ".pyc"]
    kept = [path for path in names(ROOT / "gen") if path.suffix != ".pyc"]
    assert kept == made, "run bin/protos"
    _, different, broken = filecmp.cmpfiles(ROOT / "gen", tmp_path, made, shallow=False)
    assert (different, broken) == ([], []), "run bin/protos"


def test_every_method_names_its_callers() -> None:
    assert len(rpcs()) == len(methods()) > 0


def test_every_method_says_in_words_what_it_does_and_who_may_call() -> None:
    said = tables.comments()
    silent = [
        method.full_name
        for method in methods()
        if "call" not in said.get(method.full_name, "").lower()
    ]
    assert silent == []


def test_every_reason_has_a_code_and_an_example() -> None:
    said = tables.comments()
    for value in error_reason_pb2.ErrorReason.DESCRIPTOR.values:
        if value.number == 0:
            continue
        assert value.GetOptions().Extensions[error_reason_pb2.code] != code_pb2.OK, value.name
        name = value.name.removeprefix("ERROR_REASON_")
        example = said[f"accord.type.v1.ErrorReason.{value.name}"].partition("Example:")[2]
        assert f'"reason": "{name}"' in example, value.name


def test_a_method_without_callers_has_no_rule() -> None:
    with pytest.raises(PolicyError, match="names no callers"):
        rule_of(_method(callers_pb2.Callers(), named=False))


def test_a_method_whose_callers_are_nobody_has_no_rule() -> None:
    with pytest.raises(PolicyError, match="admits nobody"):
        rule_of(_method(callers_pb2.Callers(actors=[callers_pb2.ROLE_PERSON])))


def test_a_method_that_names_the_unspecified_role_has_no_rule() -> None:
    with pytest.raises(PolicyError, match="unspecified"):
        rule_of(_method(callers_pb2.Callers(staff=[callers_pb2.ROLE_UNSPECIFIED])))


def _method(callers: callers_pb2.Callers, *, named: bool = True) -> MethodDescriptor:
    """A method made for the occasion, with or without the option."""
    file = descriptor_pb2.FileDescriptorProto(name="planted.proto", package="planted")
    file.message_type.add(name="Empty")
    method = file.service.add(name="Planted").method.add(
        name="Call", input_type=".planted.Empty", output_type=".planted.Empty"
    )
    if named:
        method.options.Extensions[callers_pb2.callers].CopyFrom(callers)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return pool.FindServiceByName("planted.Planted").methods[0]
