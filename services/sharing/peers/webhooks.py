"""Hands notices in at the endpoints of recipients: Security Event Tokens over HTTP (RFC 8935).

An endpoint is somebody else's machine at an address that somebody entered. So: the name is
resolved at each sending, every address that it resolves to must be one that may be called, and the
connection goes to one of those and nowhere else; TLS is held to the name. Time and size are
bounded, redirects are refused, proxies of the environment and cookies play no part.
"""

import asyncio
import json
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

import httpx

from runtime.fault import Fault
from services.sharing.domain.agreement_ports import Delivery
from services.sharing.domain.endpoint import callable_address, check_url

_ATTEMPT_S = 15.0  # of everything
_TIMEOUT = httpx.Timeout(10.0, connect=5.0)
_MAX_ANSWER = 4 << 10
_TYPE = "application/secevent+jwt"
# Refusals that pass by themselves; every other 4xx needs a human.
_COME_AGAIN = frozenset(
    {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
)

Resolve = Callable[[str, int], Awaitable[list[str]]]


class _Unanswered(Exception):  # noqa: N818  it is what came of an attempt
    def __init__(self, problem: str, *, final: bool = False) -> None:
        super().__init__(problem)
        self.delivery = Delivery(problem, final)


class Webhooks:
    """`domain.agreement_ports.Post`."""

    def __init__(
        self, ca_file: Path | None, *, loopback: bool, resolve: Resolve | None = None
    ) -> None:
        self._trust = ssl.create_default_context()
        if ca_file is not None:
            self._trust.load_verify_locations(cafile=ca_file)
        self._loopback = loopback
        self._resolve = resolve or _resolve
        # httpx writes whole addresses at INFO.
        logging.getLogger("httpx").setLevel(logging.WARNING)
        logging.getLogger("httpcore").setLevel(logging.WARNING)

    async def deliver(self, url: str, token: str, name: str) -> Delivery:
        """Hand in the signed notice of that name; acknowledged when the answer repeats it."""
        try:
            async with asyncio.timeout(_ATTEMPT_S):
                return await self._deliver(url, token, name)
        except _Unanswered as answer:
            return answer.delivery
        except (TimeoutError, httpx.TimeoutException):
            return Delivery("timeout")
        except httpx.HTTPError as error:
            return Delivery("tls_failed" if _of_tls(error) else "unreachable")

    async def _deliver(self, url: str, token: str, name: str) -> Delivery:
        try:
            check_url("url", url, loopback=self._loopback)
            target = httpx.URL(url)
        except (Fault, httpx.InvalidURL):
            raise _Unanswered("address_forbidden", final=True) from None
        address = await self._address(target)
        # A client for each: a connection to an address may not be shared by the names behind it.
        async with httpx.AsyncClient(
            verify=self._trust, timeout=_TIMEOUT, follow_redirects=False, trust_env=False
        ) as client:
            request = client.build_request(
                "POST",
                target.copy_with(host=str(address)),
                content=token,
                headers={
                    "Host": target.netloc.decode("ascii"),
                    "Content-Type": _TYPE,
                    "Accept": "application/json",
                    "Accept-Encoding": "identity",
                },
                extensions={"sni_hostname": target.host},
            )
            response = await client.send(request, stream=True)
            try:
                return await _judge(response, name)
            finally:
                await response.aclose()

    async def _address(self, target: httpx.URL) -> IPv4Address | IPv6Address:
        """Return the address to connect to; none is called unless all may be."""
        port = target.port or (443 if target.scheme == "https" else 80)
        try:
            found = await self._resolve(target.host, port)
        except (OSError, UnicodeError):  # a name that no resolver takes has no address either
            found = []
        if not found:
            raise _Unanswered("name_unknown")
        addresses = [ip_address(each) for each in found]
        if not all(callable_address(each, loopback=self._loopback) for each in addresses):
            raise _Unanswered("address_forbidden", final=True)
        return addresses[0]


async def _judge(response: httpx.Response, name: str) -> Delivery:
    status = response.status_code
    if response.is_success:
        return Delivery() if await _repeats(response, name) else Delivery("not_acknowledged")
    if response.is_redirect or 300 <= status < 400:  # noqa: PLR2004  the class of redirects
        return Delivery("redirect", final=True)
    final = response.is_client_error and status not in _COME_AGAIN
    return Delivery(f"status_{status}", final=final)


async def _repeats(response: httpx.Response, name: str) -> bool:
    """Tell whether the answer is the notice's own; whatever answers 200 to all does not count."""
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > _MAX_ANSWER:
            return False
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(answer, dict) and answer.get("jti") == name


def _of_tls(error: BaseException) -> bool:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


async def _resolve(host: str, port: int) -> list[str]:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(sockaddr[0]) for *_, sockaddr in found]
