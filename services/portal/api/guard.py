"""What every request passes before a page sees it, and what every answer carries.

Pure ASGI, outermost. Browsers are not trusted: a `traceparent` of theirs is ignored and each
request begins a trace of its own, whose id is the reference that people are shown.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import urlsplit

from opentelemetry.trace import SpanKind
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runtime import logs
from runtime.telemetry import Telemetry

log = logs.get(__name__)

REFERENCE_HEADER = "accord-reference"
_LONGEST_TARGET = 2048  # bytes of path and query
_METHODS = frozenset({"GET", "HEAD", "POST"})

Refuse = Callable[[Request, int], Awaitable[Response]]


class Guard:
    """Refuses what no browser of ours would send; adds the security headers to every answer."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        origin: str,
        form_origins: Sequence[str],
        traces: Telemetry,
        refuse: Refuse,
    ) -> None:
        self._app = app
        self._origin = origin
        self._host = urlsplit(origin).netloc
        self._headers = security_headers(form_origins)
        self._traces = traces
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection event; anything but HTTP and the process's lifespan is refused."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.monotonic()
        status = 500
        started = False
        with self._traces.span("portal request", SpanKind.SERVER) as span:
            scope.setdefault("state", {})["reference"] = span.trace.trace_id

            async def guarded(message: Message) -> None:
                nonlocal status, started
                if message["type"] == "http.response.start":
                    status, started = message["status"], True
                    headers = MutableHeaders(scope=message)
                    for name, value in self._headers:
                        headers[name] = value
                    headers.setdefault("cache-control", "no-store")
                    headers[REFERENCE_HEADER] = scope["state"]["reference"]
                await send(message)

            request = Request(scope, receive)
            try:
                refused = self._refused(scope)
                if refused:
                    response = await self._refuse(request, refused)
                    await response(scope, receive, guarded)
                else:
                    await self._app(scope, receive, guarded)
            except Exception:
                log.exception("bug")
                if started:
                    raise
                response = await self._refuse(request, 500)
                await response(scope, receive, guarded)
            route = getattr(scope.get("route"), "path", "-")
            span.rename(f"{scope['method']} {route}")
            span.note("http.response.status_code", status)
            log.info(
                "served",
                method=scope["method"],
                route=route,  # the pattern: what fills it may be a secret
                status=status,
                duration_ms=round(1000 * (time.monotonic() - began)),
            )

    def _refused(self, scope: Scope) -> int | None:
        """Return the status of a refusal, or None to let the request pass."""
        headers = Headers(scope=scope)
        if scope["method"] not in _METHODS:
            return 405
        if len(scope.get("raw_path", b"")) + len(scope["query_string"]) > _LONGEST_TARGET:
            return 414
        if headers.get("host") != self._host:
            return 421  # another name for this address: rebinding, or a proxy gone wrong
        if scope["method"] == "POST" and not self._same_origin(headers):
            return 403
        return None

    def _same_origin(self, headers: Headers) -> bool:
        """Tell whether a post comes from a page of ours.

        Browsers say so in Sec-Fetch-Site. Those that do not know it must at least name our origin;
        whoever says nothing is refused. The form token is checked besides.
        """
        site = headers.get("sec-fetch-site")
        if site is not None:
            return site == "same-origin"
        return headers.get("origin") == self._origin


def security_headers(form_origins: Sequence[str]) -> list[tuple[str, str]]:
    """Return the headers of every answer.

    `form_origins` are the providers' authorize origins: Chromium applies `form-action` to the
    redirect that follows a post, so the sign-in buttons need them.
    """
    policy = "; ".join(
        [
            "default-src 'none'",
            "style-src 'self'",
            "img-src 'self' data:",
            " ".join(["form-action 'self'", *form_origins]),
            "frame-ancestors 'none'",
            "base-uri 'none'",
        ]
    )
    return [
        ("content-security-policy", policy),
        ("strict-transport-security", "max-age=63072000"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ]
