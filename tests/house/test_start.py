"""A server that holds a method without a caller rule does not start."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool

from runtime.policy import PolicyError
from runtime.server import Server
from runtime.settings import GrpcSettings
from runtime.testing import Bench

if TYPE_CHECKING:
    from pathlib import Path


def test_a_method_without_callers_does_not_start(tmp_path: Path) -> None:
    file = descriptor_pb2.FileDescriptorProto(name="open.proto", package="planted.open")
    file.message_type.add(name="Empty")
    file.service.add(name="Open").method.add(
        name="Call", input_type=".planted.open.Empty", output_type=".planted.open.Empty"
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    bench = Bench(tmp_path)
    server = Server(
        bench.settings(GrpcSettings, "sharing"),
        "sharing",
        clock=bench.clock,
        actor_keys=bench.actor_keys,
        traces=bench.traces,
    )
    with pytest.raises(PolicyError, match=r"planted\.open\.Open\.Call names no callers"):
        server.add(pool.FindServiceByName("planted.open.Open"), object())
