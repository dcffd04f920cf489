"""What stands around every request of an HTTPS door for tools, whatever the door says inside."""

import time
from http import HTTPStatus

from opentelemetry.trace import SpanKind
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runtime import logs
from runtime.errors import http_status_of
from runtime.fault import Fault
from runtime.telemetry import TRACEPARENT, TRACESTATE, Telemetry

log = logs.get(__name__)

_REQUEST_ID = b"x-request-id"
_CACHING = b"cache-control"


class Observed:
    """An application with a trace for each request, its id back, and an answer to our own bugs.

    What does not say how it may be cached may not be.
    """

    def __init__(self, app: ASGIApp, name: str, traces: Telemetry) -> None:
        self._app = app
        self._name = name
        self._traces = traces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        headers = dict(scope["headers"])
        parent = headers.get(TRACEPARENT.encode(), b"").decode("latin-1")
        state = headers.get(TRACESTATE.encode(), b"").decode("latin-1")
        began, status = time.monotonic(), 500

        async def sent(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
                own = list(message["headers"])
                if all(key.lower() != _CACHING for key, _ in own):
                    own.append((_CACHING, b"no-store"))
                if _REQUEST_ID in headers:
                    own.append((_REQUEST_ID, headers[_REQUEST_ID]))
                message["headers"] = own
            await send(message)

        with self._traces.span(self._name, SpanKind.SERVER, parent, state) as span:
            try:
                await self._app(scope, receive, sent)
            except ClientDisconnect:
                return
            except Exception:
                log.exception("bug")
                await said(500, "a bug of ours; the trace id finds it")(scope, receive, sent)
            route = getattr(scope.get("route"), "path", "-")
            span.rename(f"{scope['method']} {route}")
            span.note("http.response.status_code", status)
            duration = round(1000 * (time.monotonic() - began))
            log.info("served", route=route, status=status, duration_ms=duration)


def refused(fault: Fault, method: str) -> Response:
    """Return what a tool is told of a refusal: a status and a message string."""
    log.info("refused", method=method, reason=fault.reason)
    return said(http_status_of(fault), fault.message)


def said(status: int, message: str) -> Response:
    """Return a message string as JSON; with 401, how to do better."""
    headers = (
        {"www-authenticate": 'Bearer realm="accord"'} if status == HTTPStatus.UNAUTHORIZED else None
    )
    return JSONResponse(message, status, headers)


async def http_error(_request: Request, error: Exception) -> Response:
    """Return what a tool is told of a path or method that is none."""
    assert isinstance(error, HTTPException)  # noqa: S101  registered for it alone
    response = said(error.status_code, error.detail)
    response.headers.update(error.headers or {})
    return response
