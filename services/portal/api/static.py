"""The two files that are the same for everyone, served from memory and cached for ever."""

import hashlib
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_FOLDER = Path(__file__).parent / "static"
_TYPES = {"portal.css": "text/css; charset=utf-8", "icon.svg": "image/svg+xml"}


class StaticFiles:
    """Serves the closed list of files; an address changes with its content."""

    def __init__(self) -> None:
        self._files = {name: (_FOLDER / name).read_bytes() for name in _TYPES}
        digest = hashlib.sha256(self._files["portal.css"]).hexdigest()[:12]
        self.style = f"/static/portal.css?{digest}"

    def route(self) -> Route:
        """Return the route."""
        return Route("/static/{name}", self._serve)

    async def _serve(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self._files:
            raise HTTPException(404)
        return Response(
            self._files[name],
            media_type=_TYPES[name],
            headers={"cache-control": "public, max-age=31536000, immutable"},
        )
