"""The published files over HTTPS and gRPC: to whom, with what headers, and byte for byte."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc
import httpx
import pytest
from accord.audit.v1 import tile_service_pb2 as pb
from accord.audit.v1.tile_service_pb2_grpc import TileServiceStub

from runtime.bearers import Bearers
from runtime.errors import from_error
from runtime.fault import Fault
from runtime.https import Https
from runtime.server import Server
from runtime.settings import GrpcSettings
from runtime.testing import ANY_PORT, Bench, serving
from services.audit.api.tiles import TileServicer
from services.audit.api.tiles_https import application
from services.audit.cases.read_tiles import ReadTiles
from services.audit.domain.layout import TilePath
from services.audit.store.tile_directory import TileDirectory
from tests.contract.audit.stranger import place, walk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from google.protobuf.message import Message

    from tests.contract.audit.published import Published

TOKEN = "a-monitor-without-a-certificate-has-32-random-bytes"
MONITOR = {"authorization": f"Bearer {TOKEN}"}
AUDITOR = "staff/auditor/ines"
PLAIN = {"accept-encoding": "identity"}


class Calls:
    """Calls of TileService; a refusal is raised as the Fault that it was."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub: Any = TileServiceStub(channel)

    async def checkpoint(self) -> str:
        request = pb.GetPublishedCheckpointRequest()
        return str((await self._answer("GetPublishedCheckpoint", request)).checkpoint.note)

    async def tile(self, level: int = 0, number: int = 0, width: int = 256) -> bytes:
        request = pb.GetTileRequest(level=level, number=number, width=width)
        return bytes((await self._answer("GetTile", request)).hashes)

    async def bundle(self, number: int = 0, width: int = 256) -> bytes:
        request = pb.GetEntryBundleRequest(number=number, width=width)
        try:
            return b"".join([p.part async for p in self._stub.GetEntryBundle(request, timeout=10)])
        except grpc.aio.AioRpcError as error:
            raise from_error(error, "audit") from error

    async def _answer(self, method: str, request: Message) -> Any:
        try:
            return await getattr(self._stub, method)(request, timeout=10)
        except grpc.aio.AioRpcError as error:
            raise from_error(error, "audit") from error


@dataclass
class Doors:
    """Both doors of a published log of 600 entries."""

    bench: Bench
    made: Published
    port: int
    server: Server

    def tool(self, identity: str = "", **headers: str) -> httpx.AsyncClient:
        """A client of the HTTPS door, with a certificate if it has an identity."""
        context = ssl.create_default_context(cafile=self.bench.bundle)
        context.check_hostname = False  # the certificate has the mesh's name
        if identity:
            stem = self.bench.directory / identity.replace("/", "-")
            self.bench.authority.issue(identity).write(stem)
            context.load_cert_chain(stem.with_suffix(".crt"), stem.with_suffix(".key"))
        origin = f"https://127.0.0.1:{self.port}"
        return httpx.AsyncClient(verify=context, base_url=origin, headers=headers, timeout=10)

    @contextlib.asynccontextmanager
    async def calls(self, identity: str = AUDITOR) -> AsyncIterator[Calls]:
        """A client of the gRPC door."""
        async with self.bench.client(self.server, "audit", identity) as channel:
            yield Calls(channel)

    @property
    def vkey(self) -> str:
        return str(self.made.log.signer.key)


@pytest.fixture
async def doors(made: Published, tmp_path: Path) -> AsyncIterator[Doors]:
    """The doors of a log whose app `log-monitor` is a reader, by certificate or by token."""
    for count in (250, 350):
        await made.grow(count)
        await made.publish()
    directory = tmp_path / "region"
    directory.mkdir()
    bench = Bench(directory)
    tokens = directory / "tokens"
    tokens.touch(mode=0o600)
    tokens.write_text(f"{hashlib.sha256(TOKEN.encode()).hexdigest()} log-monitor\n")
    tiles = ReadTiles(TileDirectory(made.path), made.log.signer, {"log-monitor"})
    settings = bench.settings(GrpcSettings, "audit")
    app = application(tiles, bearers=Bearers(tokens, {"log-monitor"}, "nl"), traces=bench.traces)
    server = Server(
        settings, "audit", clock=bench.clock, actor_keys=bench.actor_keys, traces=bench.traces
    ).add(pb.DESCRIPTOR.services_by_name["TileService"], TileServicer(tiles))
    with Https.beside(settings, ANY_PORT, app) as door:
        async with serving(server.also("https", door.run)):
            yield Doors(bench, made, door.port, server)


async def test_a_stranger_walks_the_log_over_https(doors: Doors) -> None:
    async with doors.tool(**MONITOR) as client:

        async def fetch(path: str) -> bytes:
            response = await client.get(f"/{path}")
            assert response.status_code == 200, path
            return response.content

        head, entries = await walk(fetch, doors.vkey)
    assert (head.size, len(entries)) == (600, 600)


async def test_a_stranger_walks_the_log_over_grpc(doors: Doors) -> None:
    async with doors.calls() as calls:

        async def fetch(path: str) -> bytes:
            if path == "checkpoint":
                return (await calls.checkpoint()).encode()
            _, level, named = path.split("/", 2)
            digits, _, width = named.partition(".p/")
            number = int(digits.replace("x", "").replace("/", ""))
            if level == "entries":
                return await calls.bundle(number, int(width or 256))
            return await calls.tile(int(level), number, int(width or 256))

        head, _ = await walk(fetch, doors.vkey)
    assert head.size == 600


async def test_bytes_are_those_of_the_files(doors: Doors) -> None:
    files = {file for file in doors.made.files() if file.startswith("tile/")}
    assert len(files) > 5
    async with doors.tool(**MONITOR, **PLAIN) as client:
        for file in files | {"checkpoint"}:
            response = await client.get(f"/{file}")
            assert response.content == (doors.made.path / file).read_bytes(), file
            assert int(response.headers["content-length"]) == len(response.content)


async def test_headers_let_what_is_immutable_be_kept_and_the_checkpoint_not(doors: Doors) -> None:
    async with doors.tool(**MONITOR) as client:
        checkpoint = await client.get("/checkpoint")
        assert checkpoint.headers["content-type"] == "text/plain; charset=utf-8"
        assert checkpoint.headers["cache-control"] == "no-cache"
        for path in ("/tile/0/000", "/tile/entries/000", "/tile/0/002.p/88", "/tile/1/000.p/2"):
            tile = await client.get(path)
            assert tile.headers["content-type"] == "application/octet-stream"
            kept = tile.headers["cache-control"].split(", ")
            assert kept == ["private", "max-age=31536000", "immutable"]
        for missing in ("/tile/0/009", "/nothing"):
            assert (await client.get(missing)).headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["/checkpoint", "/tile/0/000", "/tile/entries/000"])
async def test_who_has_it_is_not_sent_it_again(doors: Doors, path: str) -> None:
    async with doors.tool(**MONITOR) as client:
        first = await client.get(path)
        tag = first.headers["etag"]
        for known in (tag, f'"other", {tag}', f"W/{tag}", "*"):
            again = await client.get(path, headers={"if-none-match": known})
            assert (again.status_code, again.content) == (304, b"")
            assert again.headers["etag"] == tag
            assert again.headers["cache-control"] == first.headers["cache-control"]
        assert (await client.get(path, headers={"if-none-match": '"x"'})).content == first.content
        head = await client.head(path)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == first.headers["content-length"]


async def test_entries_are_compressed_for_who_asks_and_hashes_never(doors: Doors) -> None:
    async with doors.tool(**MONITOR) as client:
        plain = await client.get("/tile/entries/000", headers=PLAIN)
        assert "content-encoding" not in plain.headers
        for asked in ("gzip", "br, gzip;q=0.5", "GZIP"):
            request = client.build_request("GET", "/tile/entries/000")
            request.headers["accept-encoding"] = asked
            packed = await client.send(request, stream=True)
            raw = b"".join([chunk async for chunk in packed.aiter_raw()])
            assert packed.headers["content-encoding"] == "gzip"
            assert gzip.decompress(raw) == plain.content
            assert len(raw) < len(plain.content)
            assert packed.headers["etag"] != plain.headers["etag"]
            assert packed.headers["vary"] == plain.headers["vary"] == "accept-encoding"
        for asked in ("", "br", "gzip;q=0", "gzip; q=0.000", "*"):
            other = await client.get("/tile/entries/000", headers={"accept-encoding": asked})
            assert "content-encoding" not in other.headers, asked
        tile = await client.get("/tile/0/000", headers={"accept-encoding": "gzip"})
        assert "content-encoding" not in tile.headers


async def test_what_is_not_published_is_not_there(doors: Doors) -> None:
    """Neither what is beyond, nor what is written and waits for its cosignatures."""
    await doors.made.grow(300)
    ahead = TileDirectory(doors.made.path)
    await ahead.write({TilePath(0, 2): bytes(8192), TilePath(0, 2, 100): bytes(3200)})
    beyond = [
        place("0", 2),
        place("0", 2, 100),
        place("0", 3, 1),
        place("entries", 2),
        place("entries", 2, 89),
        place("1", 0),
        place("1", 0, 3),
        place("2", 0, 1),
        place("63", 0, 1),
        place("0", 10**12),
    ]
    odd = ["tile/0/000.p/256", "tile/0/000.p/0", "tile/0/0", "tile/0/x000/000", "tile/64/000"]
    odd += ["tile/data/000", "tile/0/000/", "tile//0/000", "tile/0/000.p/", "checkpoints.jsonl"]
    odd += [".new", "tile", "tile/", "", "tile/0/%2e%2e/%2e%2e/checkpoint"]
    async with doors.tool(**MONITOR) as client:
        for path in beyond + odd:
            assert (await client.get(f"/{path}")).status_code == 404, path
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
            assert (await client.request(method, "/checkpoint")).status_code == 405
    async with doors.calls() as calls:
        for tile in ((0, 2, 256), (0, 2, 100), (63, 2**64 - 1, 256)):
            with pytest.raises(Fault) as refused:
                await calls.tile(*tile)
            assert refused.value.reason == "NOT_FOUND"
        with pytest.raises(Fault) as refused:
            await calls.bundle(2, 256)
        assert refused.value.reason == "NOT_FOUND"
        for odd_tile in ((64, 0, 1), (0, 0, 0), (0, 0, 257)):
            with pytest.raises(Fault) as refused:
                await calls.tile(*odd_tile)
            assert refused.value.reason == "INVALID_FIELD"


async def test_a_partial_tile_of_an_older_checkpoint_is_served_from_the_full_one(
    doors: Doors,
) -> None:
    async with doors.tool(**MONITOR, **PLAIN) as client:
        for level in ("0", "entries"):
            whole = (await client.get(f"/{place(level, 0)}")).content
            part = (await client.get(f"/{place(level, 0, 250)}")).content
            assert part
            assert whole.startswith(part)


async def test_nobody_else_reads_over_https(doors: Doors) -> None:
    for path in ("/checkpoint", "/tile/0/000", "/tile/entries/000"):
        for identity, headers, status in (
            ("", {}, 401),
            ("", {"authorization": "Bearer other"}, 401),
            ("", {"authorization": f"Basic {TOKEN}"}, 401),
            ("svc/sharing", {}, 403),
            ("svc/audit", {}, 403),
            ("staff/officer/otto", {}, 403),
            ("staff/operator/olivia", {}, 403),
            ("app/mi-store", {}, 403),
            ("app/mi-store", MONITOR, 401),  # a certificate and a token that name two
            (AUDITOR, MONITOR, 401),
            (AUDITOR, {}, 200),
            ("app/log-monitor", {}, 200),
            ("app/log-monitor", MONITOR, 200),
            ("", MONITOR, 200),
        ):
            async with doors.tool(identity, **headers) as client:
                response = await client.get(path)
                assert response.status_code == status, (path, identity, headers)
                if status == 401:
                    assert response.headers["www-authenticate"].startswith("Bearer")
                if status != 200:
                    assert len(response.content) < 200


async def test_nobody_else_reads_over_grpc(doors: Doors) -> None:
    for identity, reason in (
        ("app/log-monitor", ""),
        ("app/mi-store", "NOT_A_LOG_READER"),
        ("svc/sharing", "CALLER_NOT_ALLOWED"),
        ("staff/officer/otto", "CALLER_NOT_ALLOWED"),
    ):
        async with doors.calls(identity) as calls:
            for call in (calls.checkpoint, calls.tile, calls.bundle):
                if not reason:
                    assert await call()
                    continue
                with pytest.raises(Fault) as refused:
                    await call()
                assert refused.value.reason == reason, identity


async def test_readers_see_what_is_published_while_they_read(doors: Doors) -> None:
    """A reader that began with an older checkpoint finishes with it."""
    async with doors.tool(**MONITOR) as client:
        old = (await client.get("/checkpoint")).content

        async def fetch(path: str) -> bytes:
            if path == "checkpoint":
                return old
            response = await client.get(f"/{path}")
            assert response.status_code == 200, path
            return response.content

        for count in (100, 200, 300):
            await doors.made.grow(count)
            await doors.made.publish()
            head, _ = await walk(fetch, doors.vkey)
            assert head.size == 600
        assert b"\n1200\n" in (await client.get("/checkpoint")).content
