"""Where regions meet: a root speaks for its own trust domain, and for no other."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from typing import TYPE_CHECKING

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from runtime.authority import Authority
from runtime.https import CALLER, Https
from runtime.settings import GrpcSettings
from runtime.testing import ANY_PORT, Bench
from runtime.trust import Regions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from starlette.types import Receive, Scope, Send

NL_AUDIT = "spiffe://nl.accord.internal/svc/audit"


class Meeting:
    """Roots of three regions, two of which are trusted."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.roots = {
            name: Authority.create(f"{name}.accord.internal") for name in ("nl", "in", "sg")
        }
        for name in ("nl", "in"):
            self.trust(name, self.roots[name])

    def trust(self, region: str, *roots: Authority) -> None:
        (self.directory / f"{region}.pem").write_bytes(b"".join(root.pem for root in roots))


@pytest.fixture
def meeting(tmp_path: Path) -> Meeting:
    directory = tmp_path / "regions"
    directory.mkdir()
    return Meeting(directory)


def der(authority: Authority, path: str) -> bytes:
    """Issues a certificate and returns it as TLS gives it to a server."""
    certificate = x509.load_pem_x509_certificate(authority.issue(path, dns=["x"]).certificate)
    return certificate.public_bytes(Encoding.DER)


def impostor(issuer: Authority, domain: str) -> Authority:
    """Lets a root issue under the name of another domain, as whoever holds its key can."""
    return Authority(domain, issuer.certificate, issuer.key)


def test_a_root_names_the_holders_of_its_own_domain(meeting: Meeting) -> None:
    trust = Regions(meeting.directory)
    for region in ("nl", "in"):
        holder = trust.holder(der(meeting.roots[region], "svc/audit"))
        assert holder
        assert holder.spiffe_id == f"spiffe://{region}.accord.internal/svc/audit"


def test_a_root_names_nobody_of_another_domain(meeting: Meeting) -> None:
    """The certificate says nl, and in's root has issued it: TLS alone would let it pass."""
    trust = Regions(meeting.directory)
    forged = impostor(meeting.roots["in"], "nl.accord.internal")
    assert trust.holder(der(forged, "svc/audit")) is None
    assert trust.holder(der(meeting.roots["sg"], "svc/audit")) is None
    assert trust.holder(der(meeting.roots["nl"], "")) is None
    # A root of the same name, made by somebody else.
    assert trust.holder(der(Authority.create("nl.accord.internal"), "svc/audit")) is None
    assert trust.holder(b"no certificate") is None


def test_while_a_root_is_replaced_both_speak_and_then_the_new_one_alone(meeting: Meeting) -> None:
    old, new = meeting.roots["nl"], Authority.create("nl.accord.internal")
    trust = Regions(meeting.directory)
    meeting.trust("nl", old, new)
    assert all(trust.holder(der(root, "svc/audit")) for root in (old, new))
    meeting.trust("nl", new)
    assert trust.holder(der(new, "svc/audit"))
    assert trust.holder(der(old, "svc/audit")) is None
    meeting.trust("nl")  # cut short while it was written: what was known holds
    assert trust.holder(der(new, "svc/audit"))


def test_a_bundle_that_is_none_is_refused_at_the_start(meeting: Meeting) -> None:
    (meeting.directory / "ru.pem").write_text("no certificate")
    with pytest.raises(ValueError, match="PEM"):
        Regions(meeting.directory)


async def who(scope: Scope, _receive: Receive, send: Send) -> None:
    """Answers with the SPIFFE id of the holder."""
    body = json.dumps(scope[CALLER] and scope[CALLER].spiffe_id).encode()
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": body})


@contextlib.asynccontextmanager
async def door(bench: Bench, trust: Regions) -> AsyncIterator[str]:
    settings = bench.settings(GrpcSettings, "audit")
    with Https.beside(settings, ANY_PORT, who, trust) as https:
        task = asyncio.create_task(https.run())
        yield f"https://127.0.0.1:{https.port}"
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_a_port_that_trusts_regions_knows_who_came(tmp_path: Path, meeting: Meeting) -> None:
    bench = Bench(tmp_path)

    async def asked(authority: Authority) -> object:
        context = ssl.create_default_context(cafile=bench.bundle)
        context.check_hostname = False
        stem = tmp_path / "client"
        authority.issue("svc/audit").write(stem)
        context.load_cert_chain(stem.with_suffix(".crt"), stem.with_suffix(".key"))
        async with httpx.AsyncClient(verify=context) as client:
            return (await client.get(origin)).json()

    async with door(bench, Regions(meeting.directory)) as origin:
        assert await asked(meeting.roots["nl"]) == NL_AUDIT
        assert await asked(impostor(meeting.roots["in"], "nl.accord.internal")) is None
        with pytest.raises(httpx.TransportError):
            await asked(meeting.roots["sg"])
        meeting.trust("sg", meeting.roots["sg"])  # a region that joins needs no restart
        assert await asked(meeting.roots["sg"]) == "spiffe://sg.accord.internal/svc/audit"
