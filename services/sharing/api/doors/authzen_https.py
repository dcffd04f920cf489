"""AuthZEN's HTTPS binding: an ASGI application for `runtime.https`.

Who calls is an app: by its client certificate, or by a bearer token that stands for it. Errors are
a status and a message string; a denial is none, it is 200 and `"decision": false`.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus
from typing import Protocol

from accord.sharing.foreign import authzen_pb2
from opentelemetry.trace import SpanKind
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runtime import logs
from runtime.call import Call, Caller
from runtime.clock import Clock
from runtime.errors import http_status_of
from runtime.fault import Fault
from runtime.https import CALLER
from runtime.identity import parse
from runtime.policy import Rule, rule_of
from runtime.server import MAX_MESSAGE
from runtime.telemetry import TRACEPARENT, Telemetry, current_trace
from services.sharing.api.doors.access import Access
from services.sharing.api.doors.entities import Json
from services.sharing.domain.ports import Signer

log = logs.get(__name__)

_ACCESS = authzen_pb2.DESCRIPTOR.services_by_name["Access"]
_PATHS = {
    "Evaluation": ("access_evaluation_endpoint", "/access/v1/evaluation"),
    "Evaluations": ("access_evaluations_endpoint", "/access/v1/evaluations"),
    "SubjectSearch": ("search_subject_endpoint", "/access/v1/search/subject"),
    "ResourceSearch": ("search_resource_endpoint", "/access/v1/search/resource"),
    "ActionSearch": ("search_action_endpoint", "/access/v1/search/action"),
}
_METADATA = "/.well-known/authzen-configuration"
_DEADLINE_S = 10.0
_SIGNED_FOR_S = 3600  # how long metadata, once signed, is sent again
_REQUEST_ID = b"x-request-id"

Handle = Callable[[Json, Call], Awaitable[dict[str, object]]]


class Holders(Protocol):
    """Who holds a bearer token."""

    def app_of(self, token: str) -> str | None:
        """Return the app that holds a token, None when nobody does."""
        ...


def application(
    access: Access,
    *,
    region: str,
    origin: str,
    holders: Holders,
    signer: Signer,
    clock: Clock,
    traces: Telemetry,
) -> ASGIApp:
    """Make the application; `origin` is the address under which tools know it."""
    handles: dict[str, Handle] = {
        "Evaluation": access.evaluation,
        "Evaluations": access.evaluations,
        "SubjectSearch": access.subject_search,
        "ResourceSearch": access.resource_search,
        "ActionSearch": access.action_search,
    }
    routes = [
        Route(
            _PATHS[method.name][1],
            _Endpoint(
                method.full_name, rule_of(method), handles[method.name], region, holders
            ).post,
            methods=["POST"],
        )
        for method in _ACCESS.methods
    ]
    metadata = _Metadata(origin, signer, clock)
    app = Starlette(
        routes=[*routes, Route(_METADATA, metadata.get, methods=["GET"])],
        exception_handlers={HTTPException: _http_error},
    )
    return _Outer(app, traces)


class _Endpoint:
    """One method of Access over HTTPS."""

    def __init__(
        self, name: str, rule: Rule, handle: Handle, region: str, holders: Holders
    ) -> None:
        self._path = "/{}/{}".format(*name.rsplit(".", 1))
        self._rule = rule
        self._handle = handle
        self._region = region
        self._holders = holders

    async def post(self, request: Request) -> Response:
        """Answer a request."""
        try:
            caller = self._caller(request)
            self._rule.admit_caller(caller, self._path)
            _require_json(request)
            deadline = time.monotonic() + _DEADLINE_S
            call = Call(self._path, caller, None, current_trace(), deadline)
            async with asyncio.timeout(_DEADLINE_S):
                return JSONResponse(await self._handle(await _body(request), call))
        except Fault as fault:
            log.info("refused", method=self._path, reason=fault.reason)
            return _error(http_status_of(fault), fault.message)
        except TimeoutError:
            return _error(504, "the time was over before the answer")

    def _caller(self, request: Request) -> Caller:
        """Return who calls; a certificate and a token that name two are refused."""
        holder: Caller | None = request.scope[CALLER]
        authorization = request.headers.get("authorization")
        if authorization is None:
            if holder is None:
                raise Fault("IDENTITY_UNKNOWN", "a client certificate or a bearer token is needed")
            return holder
        scheme, _, token = authorization.partition(" ")
        app = self._holders.app_of(token.strip()) if scheme.lower() == "bearer" else None
        caller = parse(f"spiffe://{self._region}.accord.internal/app/{app}") if app else None
        if caller is None or holder not in {None, caller}:
            raise Fault("IDENTITY_UNKNOWN", "this bearer token is nobody's")
        return caller


class _Metadata:
    """Says what is served here, in plain JSON and signed."""

    def __init__(self, origin: str, signer: Signer, clock: Clock) -> None:
        self._plain: dict[str, object] = {
            "policy_decision_point": origin,
            **{key: origin + path for key, path in _PATHS.values()},
            "supported_obligations": ["custom"],
        }
        self._signer = signer
        self._clock = clock
        self._signed = ""
        self._until = 0.0

    async def get(self, _request: Request) -> Response:
        """Answer anybody: nothing here is a secret."""
        now = self._clock.now().timestamp()
        if now >= self._until:
            claims = {**self._plain, "iss": self._plain["policy_decision_point"], "iat": int(now)}
            self._signed = await self._signer.sign(claims, "JWT")
            self._until = now + _SIGNED_FOR_S
        return JSONResponse({**self._plain, "signed_metadata": self._signed})


class _Outer:
    """What stands around every request: its trace, its id, and an answer to our own bugs."""

    def __init__(self, app: ASGIApp, traces: Telemetry) -> None:
        self._app = app
        self._traces = traces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        headers = dict(scope["headers"])
        parent = headers.get(TRACEPARENT.encode(), b"").decode("latin-1")
        began, status = time.monotonic(), 500

        async def sent(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
                message["headers"] = [*message["headers"], (b"cache-control", b"no-store")]
                if _REQUEST_ID in headers:
                    message["headers"].append((_REQUEST_ID, headers[_REQUEST_ID]))
            await send(message)

        with self._traces.span("authzen", SpanKind.SERVER, parent) as span:
            try:
                await self._app(scope, receive, sent)
            except ClientDisconnect:
                return
            except Exception:
                log.exception("bug")
                await _error(500, "a bug of ours; the trace id finds it")(scope, receive, sent)
            route = getattr(scope.get("route"), "path", "-")
            span.rename(f"{scope['method']} {route}")
            span.note("http.response.status_code", status)
            duration = round(1000 * (time.monotonic() - began))
            log.info("served", route=route, status=status, duration_ms=duration)


def _require_json(request: Request) -> None:
    kind, *parameters = request.headers.get("content-type", "").lower().split(";")
    charsets = [each.strip() for each in parameters if each.strip().startswith("charset=")]
    if kind.strip() != "application/json" or set(charsets) - {"charset=utf-8", 'charset="utf-8"'}:
        raise HTTPException(415, "the body must be application/json in UTF-8")


async def _body(request: Request) -> Json:
    """Read a JSON object of at most as many bytes as a message of gRPC."""
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > MAX_MESSAGE:
            raise HTTPException(413, f"the body must have at most {MAX_MESSAGE} bytes")
    try:
        body = json.loads(raw, object_pairs_hook=_object, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise HTTPException(400, "the body is no JSON") from None
    if not isinstance(body, dict):
        raise HTTPException(400, "the body must be a JSON object")
    return body


def _object(pairs: Iterable[tuple[str, object]]) -> dict[str, object]:
    """Refuse a key that stands twice: two readers could take it two ways (RFC 8259 §4)."""
    pairs = list(pairs)
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key stands twice")
    return made


def _no_number(name: str) -> object:
    raise ValueError(f"{name} is no number of JSON")


async def _http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  registered for it alone
    response = _error(error.status_code, error.detail)
    response.headers.update(error.headers or {})
    return response


def _error(status: int, message: str) -> Response:
    headers = (
        {"www-authenticate": 'Bearer realm="accord"'} if status == HTTPStatus.UNAUTHORIZED else None
    )
    return JSONResponse(message, status, headers)
