"""How a notice is handed in: to the address that was judged, and what counts as acknowledged."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest

from runtime.authority import Authority
from services.sharing.domain.agreement_ports import Delivery
from services.sharing.peers.webhooks import Webhooks
from tests.contract.sharing.receiver import Push, acknowledging, answer, receiving

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAME = "revocations/nl-1"
TOKEN = "e30.eyJqdGkiOiJyZXZvY2F0aW9ucy9ubC0xIn0.sig"


async def resolved(*addresses: str) -> list[str]:
    return list(addresses)


async def test_the_notice_is_handed_in_and_acknowledged() -> None:
    async with receiving() as endpoint:
        delivery = await Webhooks(None, loopback=True).deliver(endpoint.url, TOKEN, NAME)
        assert delivery == Delivery()
        push = endpoint.came.get_nowait()
    assert (push.path, push.token) == ("/notices", TOKEN)
    assert push.headers["content-type"] == "application/secevent+jwt"
    assert push.headers["host"] == f"127.0.0.1:{endpoint.port}"
    assert "cookie" not in push.headers


@pytest.mark.parametrize(
    ("behave", "delivery"),
    [
        (lambda _: answer(200, b"ok"), Delivery("not_acknowledged")),
        (lambda _: answer(202), Delivery("not_acknowledged")),
        (lambda _: answer(200, b'{"jti": "revocations/nl-2"}'), Delivery("not_acknowledged")),
        (lambda _: answer(200, b" " * 5000), Delivery("not_acknowledged")),
        (lambda _: answer(200, b"[" * 4000), Delivery("not_acknowledged")),
        (lambda _: answer(307, b"", "Location: /other"), Delivery("redirect", final=True)),
        (lambda _: answer(304), Delivery("redirect", final=True)),
        (lambda _: answer(400), Delivery("status_400", final=True)),
        (lambda _: answer(404), Delivery("status_404", final=True)),
        (lambda _: answer(410), Delivery("status_410", final=True)),
        (lambda _: answer(429), Delivery("status_429")),
        (lambda _: answer(503), Delivery("status_503")),
        (lambda _: b"no http at all\r\n\r\n", Delivery("unreachable")),
        (lambda _: b"", Delivery("unreachable")),
    ],
)
async def test_what_else_an_endpoint_does(
    behave: Callable[[Push], bytes], delivery: Delivery
) -> None:
    async with receiving(behave) as endpoint:
        assert await Webhooks(None, loopback=True).deliver(endpoint.url, TOKEN, NAME) == delivery


async def test_nobody_listens() -> None:
    async with receiving() as endpoint:
        url = endpoint.url
    delivery = await Webhooks(None, loopback=True).deliver(url, TOKEN, NAME)
    assert delivery == Delivery("unreachable")


async def test_an_address_of_our_own_network_is_never_called() -> None:
    """Whatever the name resolved to when the address was set: it is judged at each sending."""
    async with receiving() as endpoint:
        inside = Delivery("address_forbidden", final=True)
        url = "https://hooks.example/"
        for found in (["127.0.0.1"], ["93.184.215.14", "127.0.0.1"], ["10.0.0.1"]):
            posts = Webhooks(None, loopback=False, resolve=lambda *_, found=found: resolved(*found))
            assert await posts.deliver(url, TOKEN, NAME) == inside
        outside = Webhooks(None, loopback=False)
        assert await outside.deliver(endpoint.url, TOKEN, NAME) == inside  # set in a sandbox
        assert endpoint.came.empty()
    nobody = Webhooks(None, loopback=False, resolve=lambda *_: resolved())
    assert await nobody.deliver(url, TOKEN, NAME) == Delivery("name_unknown")


async def test_a_name_that_no_resolver_takes_has_no_address() -> None:
    async def untaken(host: str, port: int) -> list[str]:
        raise UnicodeEncodeError("idna", host, 0, 1, f"label too long at {port}")

    delivery = await Webhooks(None, loopback=False, resolve=untaken).deliver(
        "https://hooks.example/", TOKEN, NAME
    )
    assert delivery == Delivery("name_unknown")


async def test_tls_is_held_to_the_name_while_the_connection_goes_to_the_address(
    tmp_path: Path,
) -> None:
    authority = Authority.create("nl.accord.internal")
    (tmp_path / "root.pem").write_bytes(authority.pem)
    issued = authority.issue("svc/hooks", dns=["hooks.example"])
    issued.write(tmp_path / "hooks")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(tmp_path / "hooks.crt", tmp_path / "hooks.key")

    def posts(ca_file: Path | None) -> Webhooks:
        return Webhooks(ca_file, loopback=True, resolve=lambda *_: resolved("127.0.0.1"))

    async with receiving(acknowledging, tls) as endpoint:
        url = f"https://hooks.example:{endpoint.port}/"
        assert await posts(tmp_path / "root.pem").deliver(url, TOKEN, NAME) == Delivery()
        push = endpoint.came.get_nowait()
        assert push.headers["host"] == f"hooks.example:{endpoint.port}"

        assert await posts(None).deliver(url, TOKEN, NAME) == Delivery("tls_failed")
        other = url.replace("hooks", "others")
        assert await posts(tmp_path / "root.pem").deliver(other, TOKEN, NAME) == (
            Delivery("tls_failed")
        )
