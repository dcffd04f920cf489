"""AuthZEN's HTTPS binding: an ASGI application for `runtime.https`.

Who calls is an app: by its client certificate, or by a bearer token that stands for it. Errors are
a status and a message string; a denial is none, it is 200 and `"decision": false`.
"""

import asyncio
import json
import math
import time
from collections.abc import Awaitable, Callable, Iterable

from accord.sharing.foreign import authzen_pb2
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from runtime.bearers import Bearers
from runtime.call import Call
from runtime.clock import Clock
from runtime.fault import Fault
from runtime.https import CALLER
from runtime.policy import Rule, rule_of
from runtime.server import MAX_MESSAGE
from runtime.telemetry import Telemetry, current_trace
from runtime.tools import Observed, http_error, refused, said
from services.sharing.api.doors.access import Access
from services.sharing.api.doors.entities import Json
from services.sharing.domain.ports import Signer

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
_SIGNED_FOR_S = 3600  # how long metadata, once signed, is sent again, and may be kept

Handle = Callable[[Json, Call], Awaitable[dict[str, object]]]


def application(
    access: Access,
    *,
    origin: str,
    bearers: Bearers,
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
            _Endpoint(method.full_name, rule_of(method), handles[method.name], bearers).post,
            methods=["POST"],
        )
        for method in _ACCESS.methods
    ]
    metadata = _Metadata(origin, signer, clock)
    app = Starlette(
        routes=[*routes, Route(_METADATA, metadata.get, methods=["GET"])],
        exception_handlers={HTTPException: http_error},
    )
    app.router.redirect_slashes = False  # a redirect is no answer: it would repeat any host's name
    return Observed(app, "authzen", traces)


class _Endpoint:
    """One method of Access over HTTPS."""

    def __init__(self, name: str, rule: Rule, handle: Handle, bearers: Bearers) -> None:
        self._path = "/{}/{}".format(*name.rsplit(".", 1))
        self._rule = rule
        self._handle = handle
        self._bearers = bearers

    async def post(self, request: Request) -> Response:
        """Answer a request."""
        try:
            authorization = request.headers.get("authorization")
            caller = self._bearers.caller(request.scope[CALLER], authorization)
            self._rule.admit_caller(caller, self._path)
            _require_json(request)
            deadline = time.monotonic() + _DEADLINE_S
            call = Call(self._path, caller, None, current_trace(), deadline)
            async with asyncio.timeout(_DEADLINE_S):
                return JSONResponse(await self._handle(await _body(request), call))
        except Fault as fault:
            return refused(fault, self._path)
        except TimeoutError:
            return said(504, "the time was over before the answer")


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
        return JSONResponse(
            {**self._plain, "signed_metadata": self._signed},
            headers={"cache-control": f"max-age={_SIGNED_FOR_S}"},
        )


def _require_json(request: Request) -> None:
    kind, *parameters = request.headers.get("content-type", "").lower().split(";")
    charsets = [each.strip() for each in parameters if each.strip().startswith("charset=")]
    if kind.strip() != "application/json" or set(charsets) - {"charset=utf-8", 'charset="utf-8"'}:
        raise HTTPException(400, "the body must be application/json in UTF-8")


async def _body(request: Request) -> Json:
    """Read a JSON object of at most as many bytes as a message of gRPC."""
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > MAX_MESSAGE:
            raise HTTPException(413, f"the body must have at most {MAX_MESSAGE} bytes")
    try:
        body = json.loads(
            raw, object_pairs_hook=_object, parse_constant=_no_number, parse_float=_number
        )
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


def _number(text: str) -> float:
    """Refuse what is beyond double precision: readers take it for different numbers (RFC 7493)."""
    number = float(text)
    if math.isinf(number):
        _no_number(text)
    return number


def _no_number(name: str) -> object:
    raise ValueError(f"{name} is no number of JSON")
