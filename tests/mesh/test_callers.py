"""Invariant 6: every method refuses every caller that its option does not name."""

from collections.abc import Iterator

import grpc
import pytest
from accord.account.v1 import session_service_pb2
from accord.type.v1.callers_pb2 import Role
from google.protobuf.descriptor import MethodDescriptor

from sandbox.mesh import Mesh
from tests.mesh.people import Person
from tests.mesh.wire import METHODS, Wire, identity, method, rule, service_of

SERVICES = ("account", "sharing", "audit", "portal")
IDENTITIES = (*SERVICES, "mi-store", "operator", "officer", "auditor")


@pytest.fixture(scope="module")
def wires(region: Mesh) -> Iterator[dict[tuple[str, str], Wire]]:
    """A connection for each identity to each service."""
    opened = {
        (who, where): Wire(region, where, identity(region, who))
        for who in IDENTITIES
        for where in ("account", "sharing", "audit")
    }
    yield opened
    for wire in opened.values():
        wire.__exit__()


def named(who: str, option: object) -> bool:
    callers = rule(option) if isinstance(option, MethodDescriptor) else None
    assert callers is not None
    if who in SERVICES:
        return who in callers.services
    if who == "mi-store":
        return callers.apps
    return Role.Value(f"ROLE_{who.upper()}") in callers.staff


@pytest.mark.parametrize("each", METHODS, ids=lambda each: each.full_name)
def test_invariant_6_every_method_refuses_every_caller_that_its_option_does_not_name(
    wires: dict[tuple[str, str], Wire], each: MethodDescriptor
) -> None:
    for who in IDENTITIES:
        answer = wires[who, service_of(each)].call(each)
        if not named(who, each):
            assert (answer.code, answer.reason) == (
                grpc.StatusCode.PERMISSION_DENIED,
                "CALLER_NOT_ALLOWED",
            ), who
        elif who in SERVICES and rule(each).actors:
            assert (answer.code, answer.reason) == (
                grpc.StatusCode.UNAUTHENTICATED,
                "ACTOR_REQUIRED",
            ), who
        else:
            assert answer.reason not in {"CALLER_NOT_ALLOWED", "IDENTITY_UNKNOWN", "INTERNAL"}, who


def test_every_method_names_its_callers() -> None:
    for each in METHODS:
        callers = rule(each)
        assert callers.services or callers.apps or callers.staff, each.full_name


@pytest.fixture(scope="module")
def token(region: Mesh, arjun: Person) -> str:
    """A token of a person who is no staff, as the portal gets it."""
    with Wire(region, "account", identity(region, "portal")) as wire:
        request = session_service_pb2.AuthenticateRequest(
            session_secret=arjun.session, audiences=["account", "sharing", "audit"]
        )
        answer = wire.call(method("SessionService.Authenticate"), request.SerializeToString())
    assert answer.code is grpc.StatusCode.OK, answer
    return session_service_pb2.AuthenticateResponse.FromString(answer.body).actor_token


def test_a_person_is_no_officer_and_no_auditor(
    wires: dict[tuple[str, str], Wire], token: str
) -> None:
    for each in METHODS:
        roles = set(rule(each).actors)
        if not roles:
            continue
        answer = wires["portal", service_of(each)].call(each, actor=token)
        if Role.ROLE_PERSON in roles:
            assert answer.reason != "ACTOR_ROLE_MISSING", each.full_name
        else:
            assert answer.reason == "ACTOR_ROLE_MISSING", each.full_name


def test_a_token_that_was_touched_or_cut_is_refused(
    wires: dict[tuple[str, str], Wire], token: str
) -> None:
    head, payload, signature = token.split(".")
    unsigned = "eyJhbGciOiJub25lIn0"  # {"alg":"none"}
    for forged in (
        f"{head}.{payload}.{signature[:-8]}AAAAAAAA",
        f"{head}.{payload[:-4]}AAAA.{signature}",
        f"{unsigned}.{payload}.",
        token[:40],
        "x" * 5000,
    ):
        answer = wires["portal", "account"].call(method("AccountService.GetAccount"), actor=forged)
        assert answer.reason == "ACTOR_INVALID", forged


def test_a_token_for_one_service_is_not_good_for_another(region: Mesh, arjun: Person) -> None:
    with Wire(region, "account", identity(region, "portal")) as wire:
        request = session_service_pb2.AuthenticateRequest(
            session_secret=arjun.session, audiences=["sharing"]
        )
        answer = wire.call(method("SessionService.Authenticate"), request.SerializeToString())
        token = session_service_pb2.AuthenticateResponse.FromString(answer.body).actor_token
        answer = wire.call(method("AccountService.GetAccount"), actor=token)
    assert answer.reason == "ACTOR_INVALID"
