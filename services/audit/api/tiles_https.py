"""The published files over HTTPS (c2sp.org/tlog-tiles): an ASGI application for `runtime.https`.

Tools that nobody here wrote read it. Who may is who may call TileService: by client certificate, or
by a bearer token that stands for an app.
"""

import asyncio
import gzip
import hashlib

from accord.audit.v1 import tile_service_pb2
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from runtime.bearers import Bearers
from runtime.fault import Fault, not_found
from runtime.https import CALLER
from runtime.policy import rule_of
from runtime.telemetry import Telemetry
from runtime.tools import Observed, http_error, refused, said
from services.audit.cases.read_tiles import ReadTiles
from services.audit.domain.layout import ENTRIES, TilePath

_SERVICE = tile_service_pb2.DESCRIPTOR.services_by_name["TileService"]
_DEADLINE_S = 10.0
# A tile never changes. `private`: what was given to a member is not for a cache that serves others.
_IMMUTABLE = "private, max-age=31536000, immutable"
_NEW_EACH_TIME = "no-cache"
_GZIP_LEVEL = 1  # most of an entry is cipher text, which no level makes smaller


def application(tiles: ReadTiles, *, bearers: Bearers, traces: Telemetry) -> ASGIApp:
    """Make the application; the log's prefix is its root."""
    door = _Door(tiles, bearers)
    app = Starlette(
        routes=[
            Route("/checkpoint", door.checkpoint, methods=["GET"]),
            Route("/tile/{path:path}", door.tile, methods=["GET"]),
        ],
        exception_handlers={HTTPException: http_error, Fault: _refused, TimeoutError: _too_late},
    )
    app.router.redirect_slashes = False  # a path has one spelling, and there are no directories
    return Observed(app, "tiles", traces)


class _Door:
    def __init__(self, tiles: ReadTiles, bearers: Bearers) -> None:
        self._tiles = tiles
        self._bearers = bearers

    async def checkpoint(self, request: Request) -> Response:
        """Answer with the published checkpoint."""
        self._admit(request, "GetPublishedCheckpoint")
        async with asyncio.timeout(_DEADLINE_S):
            note = (await self._tiles.checkpoint()).note.encode()
        headers = {"content-type": "text/plain; charset=utf-8", "cache-control": _NEW_EACH_TIME}
        return _answer(request, note, headers)

    async def tile(self, request: Request) -> Response:
        """Answer with a tile or a bundle of entries."""
        name = f"tile/{request.path_params['path']}"
        path = TilePath.parse(name)
        bundle = path is not None and path.level == ENTRIES
        self._admit(request, "GetEntryBundle" if bundle else "GetTile")
        if path is None:
            raise not_found("tile")
        async with asyncio.timeout(_DEADLINE_S):
            content = await self._tiles.file(path)
        headers = {"content-type": "application/octet-stream", "cache-control": _IMMUTABLE}
        if not bundle:
            return _answer(request, content, headers)
        headers["vary"] = "accept-encoding"
        if _accepts_gzip(request):
            content = await asyncio.to_thread(gzip.compress, content, _GZIP_LEVEL, mtime=0)
            headers["content-encoding"] = "gzip"
        return _answer(request, content, headers)

    def _admit(self, request: Request, method: str) -> None:
        authorization = request.headers.get("authorization")
        caller = self._bearers.caller(request.scope[CALLER], authorization)
        rule_of(_SERVICE.methods_by_name[method]).admit_caller(caller, method)
        self._tiles.admit(caller)


def _answer(request: Request, content: bytes, headers: dict[str, str]) -> Response:
    """Return the content, or 304 to who has it."""
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers["etag"] = tag
    known = {each.strip() for each in request.headers.get("if-none-match", "").split(",")}
    if known & {tag, f"W/{tag}", "*"}:
        del headers["content-type"]
        return Response(None, 304, headers)
    return Response(content, 200, headers)


def _accepts_gzip(request: Request) -> bool:
    """Tell whether gzip is named, and not with weight 0; unnamed it is not wanted (RFC 9110)."""
    for each in request.headers.get("accept-encoding", "").lower().split(","):
        coding, *parameters = (part.strip() for part in each.split(";"))
        if coding == "gzip":
            weights = [p.removeprefix("q=") for p in parameters if p.startswith("q=")]
            return not any(weight.strip("0.") == "" for weight in weights)
    return False


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Fault)  # noqa: S101  registered for it alone
    return refused(error, request.url.path.split("/")[1])


async def _too_late(_request: Request, _error: Exception) -> Response:
    return said(504, "the time was over before the answer")
