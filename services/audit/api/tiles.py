"""TileService: the published files, over gRPC."""

from collections.abc import AsyncGenerator

from accord.audit.v1 import tile_service_pb2 as pb

from runtime.call import Call
from runtime.fault import invalid
from services.audit.api.convert import to_checkpoint
from services.audit.cases.read_tiles import ReadTiles
from services.audit.domain.layout import ENTRIES, TilePath
from services.audit.domain.tiles import TILE_WIDTH

_PART = 1 << 20  # bytes of a bundle in one message; a bundle has 16 MiB at the very most
_MAX_LEVEL = 63


class TileServicer:
    """The door of those who verify the whole log."""

    def __init__(self, tiles: ReadTiles) -> None:
        self._tiles = tiles

    async def get_published_checkpoint(
        self, _request: pb.GetPublishedCheckpointRequest, call: Call
    ) -> pb.GetPublishedCheckpointResponse:
        """Return the newest published checkpoint."""
        self._tiles.admit(call.caller)
        checkpoint = await self._tiles.checkpoint()
        return pb.GetPublishedCheckpointResponse(checkpoint=to_checkpoint(checkpoint))

    async def get_tile(self, request: pb.GetTileRequest, call: Call) -> pb.GetTileResponse:
        """Return a tile."""
        self._tiles.admit(call.caller)
        if request.level > _MAX_LEVEL:
            raise invalid("level", f"must be at most {_MAX_LEVEL}")
        path = TilePath(request.level, request.number, _width(request.width))
        return pb.GetTileResponse(hashes=await self._tiles.file(path))

    async def get_entry_bundle(
        self, request: pb.GetEntryBundleRequest, call: Call
    ) -> AsyncGenerator[pb.GetEntryBundleResponse]:
        """Return a bundle in parts."""
        self._tiles.admit(call.caller)
        path = TilePath(ENTRIES, request.number, _width(request.width))
        bundle = await self._tiles.file(path)
        for at in range(0, len(bundle), _PART):
            yield pb.GetEntryBundleResponse(part=bundle[at : at + _PART])


def _width(width: int) -> int:
    if not 0 < width <= TILE_WIDTH:
        raise invalid("width", f"must be 1 to {TILE_WIDTH}")
    return width
