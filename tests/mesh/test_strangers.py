"""Who has no place in the region is refused before anything is read: certificates and apps."""

from collections.abc import Callable
from pathlib import Path

import grpc
import pytest
from accord.sharing.v1 import decision_pb2, decision_service_pb2

from runtime.authority import Authority, Issued
from sandbox.mesh import Mesh
from tests.mesh.wire import Wire, credentials, identity, method

CHECK = method("DecisionService.Check")
Making = Callable[[Mesh], Issued | None]


def nothing(_region: Mesh) -> None:
    return None


def of_another_root(_region: Mesh) -> Issued:
    return Authority.create("nl.accord.internal").issue("app/mi-store")


def of_another_region(_region: Mesh) -> Issued:
    return Authority.create("sg.accord.internal").issue("app/mi-store")


@pytest.mark.parametrize("make", [nothing, of_another_root, of_another_region])
@pytest.mark.parametrize("service", ["account", "sharing", "audit"])
def test_without_a_certificate_of_this_region_there_is_no_connection(
    region: Mesh, service: str, make: Making
) -> None:
    with Wire(region, service, credentials(region, make(region))) as wire:
        assert wire.call(CHECK, timeout=3).code is grpc.StatusCode.UNAVAILABLE


def root(region: Mesh) -> Authority:
    return Authority.read("nl.accord.internal", region.material.home / "ca" / "root")


def another_trust_domain(region: Mesh) -> Issued:
    ours = root(region)
    return Authority("sg.accord.internal", ours.certificate, ours.key).issue("app/mi-store")


def no_uri(region: Mesh) -> Issued:
    return root(region).issue(dns=["mi-store.nl.accord.internal"])


def no_such_kind(region: Mesh) -> Issued:
    return root(region).issue("robot/mi-store")


@pytest.mark.parametrize("make", [another_trust_domain, no_uri, no_such_kind])
def test_a_certificate_of_our_root_that_names_nobody_here_is_unknown(
    region: Mesh, make: Making
) -> None:
    with Wire(region, "sharing", credentials(region, make(region))) as wire:
        answer = wire.call(CHECK)
    assert (answer.code, answer.reason) == (grpc.StatusCode.UNAUTHENTICATED, "IDENTITY_UNKNOWN")


def test_a_client_refuses_a_service_that_is_another(region: Mesh, tmp_path: Path) -> None:
    stranger = tmp_path / "other.crt"
    stranger.write_bytes(Authority.create("nl.accord.internal").pem)
    certificate, key = region.material.certificate("mi-store")
    issued = Issued(certificate.read_bytes(), key.read_bytes())
    with Wire(region, "sharing", credentials(region, issued, stranger)) as wire:
        assert wire.call(CHECK, timeout=3).code is grpc.StatusCode.UNAVAILABLE


def test_an_app_may_not_ask_for_a_service_that_is_not_its_own(region: Mesh) -> None:
    question = decision_pb2.Question(
        account="accounts/nl-00000000000000000000000000",
        service="mi_store",
        recipient="recipients/dhl",
        purpose="delivery",
        categories=["contact.name"],
    )
    request = decision_service_pb2.CheckRequest(question=question).SerializeToString()
    with Wire(region, "sharing", identity(region, "live-chat")) as wire:
        answer = wire.call(CHECK, request)
    assert (answer.code, answer.reason) == (grpc.StatusCode.PERMISSION_DENIED, "APP_NOT_BOUND")
