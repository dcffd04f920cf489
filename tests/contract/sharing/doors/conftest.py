"""What the tests of the doors share: their settings, their clients, the usual request."""

from __future__ import annotations

import hashlib
import socket
import ssl
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from runtime.testing import Bench

if TYPE_CHECKING:
    from pathlib import Path

    from runtime.authority import Authority
    from tests.contract.sharing.conftest import Sharing

EVALUATION = "/access/v1/evaluation"
EVALUATIONS = "/access/v1/evaluations"
SUBJECTS = "/access/v1/search/subject"
RESOURCES = "/access/v1/search/resource"
ACTIONS = "/access/v1/search/action"
METADATA = "/.well-known/authzen-configuration"
TOKEN = "x9J3mWc0pQ-a-tool-without-a-certificate-has-32-random-bytes"
DHL = {"type": "service_provider.delivery", "id": "dhl"}
DELIVERY = {"name": "share", "properties": {"purpose": "delivery"}}
NEWSLETTER = {"name": "share", "properties": {"purpose": "newsletter"}}
CIRCUMSTANCES = {"service": "mi_store", "relation": "order-4711"}


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """One engine: a door knows neither."""
    return f"sqlite:///{tmp_path / 'store.db'}"


@pytest.fixture
def tools(tmp_path: Path) -> dict[str, object]:
    """The HTTPS door opened on a port of its own, with one bearer token, of mi-store."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    tokens = tmp_path / "tokens"
    tokens.touch(mode=0o600)
    tokens.write_text(f"# of tools\n{hashlib.sha256(TOKEN.encode()).hexdigest()} mi-store\n")
    listen = f"127.0.0.1:{port}"
    return {
        "tools_listen": listen,
        "tools_origin": f"https://{listen}",
        "tools_tokens_file": tokens,
    }


def trusting(
    bench: Bench, identity: str = "", authority: Authority | None = None
) -> ssl.SSLContext:
    """TLS of a tool: the region's roots, and a certificate if it has an identity."""
    context = ssl.create_default_context(cafile=bench.bundle)
    context.check_hostname = (
        False  # the certificate has the mesh's name, the tests loopback's number
    )
    if identity:
        stem = bench.directory / identity.replace("/", "-")
        (authority or bench.authority).issue(identity).write(stem)
        context.load_cert_chain(stem.with_suffix(".crt"), stem.with_suffix(".key"))
    return context


async def tool(
    sharing: Sharing, identity: str = "app/mi-store", **headers: str
) -> httpx.AsyncClient:
    """A client of the door, closed with the service."""
    client = httpx.AsyncClient(
        verify=trusting(sharing.bench, identity),
        base_url=sharing.settings.tools_origin or "",
        headers=headers,
        timeout=10,
    )
    return await sharing.stack.enter_async_context(client)


def data(sharing: Sharing, *categories: str) -> dict[str, Any]:
    """The person's data as a resource."""
    return {
        "type": "personal_data",
        "id": sharing.person,
        "properties": {"categories": list(categories or ("contact.name", "contact.phone"))},
    }


def request(sharing: Sharing, **changed: Any) -> dict[str, Any]:
    """May DHL have the name and number for a delivery? A key given as None is left out."""
    usual = {
        "subject": DHL,
        "action": DELIVERY,
        "resource": data(sharing),
        "context": CIRCUMSTANCES,
    }
    return deepcopy({key: value for key, value in (usual | changed).items() if value is not None})


def wanted(sharing: Sharing, endpoint: str, **changed: Any) -> dict[str, Any]:
    """A request that the endpoint accepts."""
    if endpoint == RESOURCES:
        named = {"account": sharing.person, "categories": ["contact.name", "contact.email"]}
        changed.setdefault("resource", {"type": "personal_data", "properties": named})
    if endpoint == SUBJECTS:
        changed.setdefault("subject", {"type": "service_provider.delivery"})
    if endpoint == ACTIONS:
        changed.setdefault("action", None)
    return request(sharing, **changed)


async def delivering(sharing: Sharing) -> None:
    """A person, a carrier and a contract, so that a delivery is permitted."""
    await sharing.know_person()
    await sharing.in_force(await sharing.register())


@pytest.fixture
async def client(sharing: Sharing) -> httpx.AsyncClient:
    """The tool of mi-store, where a delivery is permitted."""
    await delivering(sharing)
    return await tool(sharing)
