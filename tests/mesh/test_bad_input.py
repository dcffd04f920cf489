"""Bytes that are no message, messages that are too large: a typed error, never INTERNAL."""

import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor

from sandbox.mesh import Mesh
from tests.mesh.wire import METHODS, Wire, identity, method, rule, service_of

GARBAGE = [
    b"\xff" * 20,
    b"\x0a\x05ab",  # a string shorter than it says
    b"\x0a\x02\xff\xfe",  # not UTF-8
    b"\x0b" * 200,  # groups without an end
    b"\x0a" + b"\x80" * 12,  # a length without an end
    bytes(range(256)),
]
STAFF = {4: "operator", 2: "officer", 3: "auditor"}


def holder(each: MethodDescriptor) -> str:
    """Somebody whom the method's rule names."""
    callers = rule(each)
    if callers.apps:
        return "mi-store"
    return STAFF[callers.staff[0]] if callers.staff else str(callers.services[0])


@pytest.mark.parametrize("each", METHODS, ids=lambda each: each.full_name)
def test_garbage_is_answered_with_a_reason(region: Mesh, each: MethodDescriptor) -> None:
    with Wire(region, service_of(each), identity(region, holder(each))) as wire:
        for body in GARBAGE:
            answer = wire.call(each, body)
            assert answer.code is not grpc.StatusCode.INTERNAL, (body, answer)
            assert answer.code is not grpc.StatusCode.UNKNOWN, (body, answer)
            assert answer.code is grpc.StatusCode.OK or answer.reason, (body, answer)


def test_a_message_beyond_the_limit_is_refused_and_the_service_goes_on(region: Mesh) -> None:
    check = method("DecisionService.Check")
    with Wire(region, "sharing", identity(region, "mi-store")) as wire:
        assert wire.call(check, bytes(20 << 20)).code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert wire.call(check).reason == "INVALID_FIELD"


def test_too_little_time_is_said_and_not_tried(region: Mesh) -> None:
    with Wire(region, "sharing", identity(region, "mi-store")) as wire:
        wire.call(method("DecisionService.Check"))  # the connection is up
        answer = wire.call(method("DecisionService.Check"), timeout=0.005)
    assert answer.code is grpc.StatusCode.DEADLINE_EXCEEDED
