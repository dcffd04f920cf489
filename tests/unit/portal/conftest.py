"""The portal's application as main puts it together, with peers that are away."""

from __future__ import annotations

import base64
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx
import pytest
from accord_client.note import Algorithm, VerifierKey
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from runtime.testing import Bench
from services.portal.main import assembled
from services.portal.settings import PortalSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

ORIGIN = "https://portal.test:8443"
FORM_KEY = b"f" * 32
_AWAY = "127.0.0.1:9"  # the discard port: nobody listens


def portal_settings(directory: Path, **more: object) -> PortalSettings:
    bench = Bench(directory)
    public = Ed25519PrivateKey.generate().public_key()
    raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    log_key = directory / "log.vkey"
    log_key.write_text(f"{VerifierKey('nl.accord.internal/audit', Algorithm.ED25519, raw)}\n")
    form_key = directory / "form.key"
    form_key.touch(mode=0o600)
    form_key.write_bytes(base64.b64encode(FORM_KEY))
    form_key.chmod(0o600)
    web = bench.authority.issue("svc/web", dns=["portal.test"])
    web.write(directory / "web")
    values: dict[str, object] = {
        "web_listen": "127.0.0.1:0",
        "web_certificate_file": directory / "web.crt",
        "web_key_file": directory / "web.key",
        "portal_origin": ORIGIN,
        "provider_origins": "https://id.test https://login.test",
        "form_key_file": form_key,
        "log_key_file": log_key,
        "account_address": _AWAY,
        "sharing_address": _AWAY,
        "audit_address": _AWAY,
    }
    return bench.settings(PortalSettings, "portal", **(values | more))


@asynccontextmanager
async def browsing(directory: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Open the portal to a client that sends what a browser would."""
    bench = Bench(directory)
    async with (
        assembled(portal_settings(directory), clock=bench.clock, traces=bench.traces) as app,
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=ORIGIN) as client,
    ):
        yield client


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with browsing(tmp_path) as client:
        yield client
