"""The HTTPS port: who holds a connection, for how long, and that no header says otherwise."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from runtime.authority import Authority
from runtime.https import CALLER, Bounds, Https
from runtime.server import Server
from runtime.settings import GrpcSettings
from runtime.testing import ANY_PORT, Bench
from runtime.testing import serving as running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from starlette.types import Receive, Scope, Send


async def who(scope: Scope, _receive: Receive, send: Send) -> None:
    """Answer with the SPIFFE id of the holder."""
    holder = scope[CALLER]
    body = json.dumps(holder and holder.spiffe_id).encode()
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": body})


@contextlib.asynccontextmanager
async def serving(
    bench: Bench, *, bounds: Bounds | None = None, anonymous: bool = True, **settings: Any
) -> AsyncIterator[str]:
    """Serve for the length of a block."""
    told = bench.settings(GrpcSettings, "sharing", **settings)
    bounds = bounds or Bounds()
    with Https.beside(told, ANY_PORT, who, anonymous=anonymous, bounds=bounds) as door:
        task = asyncio.create_task(door.run())
        yield f"https://127.0.0.1:{door.port}"
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def tls(bench: Bench, identity: str, authority: Authority | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=bench.bundle)
    context.check_hostname = False
    if identity:
        stem = bench.directory / "client"
        (authority or bench.authority).issue(identity).write(stem)
        context.load_cert_chain(stem.with_suffix(".crt"), stem.with_suffix(".key"))
    return context


async def test_the_certificate_names_the_holder_and_nothing_else_does(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    app = "spiffe://nl.accord.internal/app/mi-store"
    async with serving(bench) as origin:
        for identity, holder in (
            ("app/mi-store", app),
            ("staff/officer/otto", "spiffe://nl.accord.internal/staff/officer/otto"),
            ("nobody", None),
            ("", None),
        ):
            async with httpx.AsyncClient(verify=tls(bench, identity)) as client:
                headers = {CALLER: app, "x-forwarded-client-cert": f"URI={app}"}
                assert (await client.get(origin, headers=headers)).json() == holder


async def test_browsers_are_asked_for_no_certificate(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.authority.issue("svc/web").write(tmp_path / "web")
    pair = (tmp_path / "web.crt", tmp_path / "web.key")
    with Https(ANY_PORT, who, pair, None, Bounds()) as door:
        task = asyncio.create_task(door.run())
        async with httpx.AsyncClient(verify=tls(bench, "app/mi-store")) as client:
            assert (await client.get(f"https://127.0.0.1:{door.port}")).json() is None
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_a_certificate_of_another_root_ends_the_handshake(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    stranger = Authority.create("nl.accord.internal")
    known_elsewhere = tls(bench, "app/mi-store", stranger)
    async with serving(bench) as origin, httpx.AsyncClient(verify=known_elsewhere) as client:
        with pytest.raises(httpx.TransportError):
            await client.get(origin)


async def test_a_connection_ends_at_its_age(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    async with serving(bench, max_connection_age_s=1) as origin:
        port = int(origin.rpartition(":")[2])
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=tls(bench, "app/mi-store")
        )
        writer.write(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
        async with asyncio.timeout(20):  # of an idle connection it would be thirty
            answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 200")
        writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()


REQUEST = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"


@contextlib.asynccontextmanager
async def connected(
    origin: str, context: ssl.SSLContext | None
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    port = int(origin.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    yield reader, writer
    writer.transport.abort()
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        await writer.wait_closed()


async def rest(reader: asyncio.StreamReader) -> bytes:
    """Read until the other side has ended the connection, however it does."""
    async with asyncio.timeout(20):
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            return await reader.read()
    return b""


@pytest.mark.parametrize("begun", [b"", b"GET / HT", REQUEST + b"GET / HT"])
async def test_who_does_not_say_what_he_wants_is_not_waited_for(
    tmp_path: Path, begun: bytes
) -> None:
    """Neither at first nor after a request: of an idle connection it would be thirty seconds."""
    bench = Bench(tmp_path)
    async with (
        serving(bench, bounds=Bounds(head_s=0.5)) as origin,
        connected(origin, tls(bench, "")) as (reader, writer),
    ):
        writer.write(begun)
        answer = await rest(reader)
        assert answer.startswith(b"HTTP/1.1 200") is begun.startswith(REQUEST)


async def test_who_does_not_shake_hands_is_not_waited_for(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    async with (
        serving(bench, bounds=Bounds(head_s=0.5)) as origin,
        connected(origin, None) as (reader, _),
    ):
        assert await rest(reader) == b""


async def test_one_address_has_so_many_connections_and_no_more(tmp_path: Path) -> None:
    """And those that rest take no request's place."""
    bench = Bench(tmp_path)
    bounds = Bounds(head_s=60, per_peer=3)
    async with (
        serving(bench, bounds=bounds, max_concurrent_rpcs=1) as origin,
        contextlib.AsyncExitStack() as stack,
    ):
        for _ in range(3):
            kept = connected(origin, tls(bench, ""))
            reader, writer = await stack.enter_async_context(kept)
            writer.write(REQUEST)
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        async with connected(origin, tls(bench, "")) as (reader, _):
            assert await rest(reader) == b""


async def test_a_port_may_be_shut_to_whoever_shows_no_certificate(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bounds = Bounds(head_s=60)
    async with serving(bench, bounds=bounds, anonymous=False) as origin:
        async with connected(origin, tls(bench, "")) as (reader, _):
            assert await rest(reader) == b""
        async with httpx.AsyncClient(verify=tls(bench, "app/mi-store")) as client:
            assert (await client.get(origin)).status_code == 200


async def test_only_tls_1_3_is_spoken(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    old = tls(bench, "app/mi-store")
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    async with serving(bench) as origin, httpx.AsyncClient(verify=old) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(origin)


async def test_a_door_closes_before_what_it_stands_on(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    ended: list[str] = []
    begun = asyncio.Event()

    async def task(name: str) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append(name)

    server = Server(
        bench.settings(GrpcSettings, "sharing"),
        "sharing",
        clock=bench.clock,
        actor_keys=bench.actor_keys,
        traces=bench.traces,
    )
    for name in ("feed", "relay", "door"):
        server.also(name, partial(task, name))
    async with running(server):
        await begun.wait()
    assert ended == ["door", "relay", "feed"]
