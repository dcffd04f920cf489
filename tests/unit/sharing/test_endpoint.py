"""Which addresses notices may go to: public ones, and the loopback in a sandbox alone."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from runtime.fault import Fault
from services.sharing.domain.endpoint import callable_address, check_url

NEVER = [
    "0.0.0.0",  # noqa: S104  an address to refuse
    "10.1.2.3",
    "100.64.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "fc00::1",
    "fe80::1",
    "ff02::1",
    "2001:db8::1",
    "::ffff:10.0.0.1",  # of IPv4 in a coat
    "64:ff9b::a00:1",
    "2002:0a00:0001::1",
    "2001:0:0a00:0001::1",
]
LOOPBACK = ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"]
PUBLIC = ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "::ffff:93.184.215.14"]


@pytest.mark.parametrize("sandbox", [False, True])
def test_which_addresses_are_called(sandbox: bool) -> None:
    for text in NEVER:
        assert not callable_address(ip_address(text), loopback=sandbox), text
    for text in LOOPBACK:
        assert callable_address(ip_address(text), loopback=sandbox) is sandbox, text
    for text in PUBLIC:
        assert callable_address(ip_address(text), loopback=sandbox), text


def accepted(url: str, *, loopback: bool = False) -> bool:
    try:
        check_url("url", url, loopback=loopback)
    except Fault as fault:
        return fault.reason != "INVALID_FIELD"
    return True


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example/accord",
        "https://hooks.example:443/a?tenant=1",
        "https://hooks.example./",
        f"https://{'a' * 63}.example/",
        "https://93.184.215.14/",
        "https://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]/",
    ],
)
def test_an_address_of_the_public_net_is_accepted(url: str) -> None:
    assert accepted(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/",
        "ftp://hooks.example/",
        "https://",
        "https:///path",
        "https://user@hooks.example/",
        "https://user:secret@hooks.example/",
        "https://hooks.example/#part",
        "https://hooks.example:99999/",
        "https://hooks.example:8443/",
        "https://hooks.example\\@10.0.0.1/",
        "https://hooks.example/ a",
        "https://hooks.example/\r\nX: 1",
        "https://höoks.example/",
        "https://10.0.0.1/",
        "https://[::1]/",
        "https://127.0.0.1/",
        "https://[::ffff:10.0.0.1]/",
        "https://hooks.example/" + "a" * 400,
        "https://hooks..example/",
        "https://.hooks.example/",
        "https://hooks.example../",
        f"https://{'a' * 64}.example/",
        "javascript:alert(1)",
    ],
)
def test_everything_else_is_refused(url: str) -> None:
    assert not accepted(url)


def test_a_sandbox_reaches_itself_and_only_there_by_http() -> None:
    assert accepted("http://127.0.0.1:8080/", loopback=True)
    assert accepted("https://localhost:8080/", loopback=True)
    assert not accepted("http://localhost:8080/", loopback=True)  # a name may lead anywhere
    assert not accepted("http://93.184.215.14/", loopback=True)
    assert not accepted("https://10.0.0.1/", loopback=True)
