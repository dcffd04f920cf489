"""The witness's HTTPS door (c2sp.org/tlog-witness): an ASGI application for `runtime.https`.

Open to the audit services of the regions whose roots the port trusts, and to bearer tokens of logs
elsewhere. What counts, though, is the signature on the checkpoint: whoever carries it here learns
nothing but a cosignature, which is public. So the identity serves to keep the world out, and to
bound how often each may ask.
"""

import asyncio
from collections.abc import Callable, Mapping
from http import HTTPStatus
from types import MappingProxyType

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from runtime import logs
from runtime.bearers import Bearers
from runtime.fault import Fault
from runtime.https import CALLER
from runtime.telemetry import Telemetry
from runtime.tools import Observed
from services.audit.cases.witness import Witness
from services.audit.domain.witnessing import MAX_BYTES, NotCosignedError, Presented, Why

log = logs.get(__name__)

_PER_SECOND = 50.0  # requests of one caller: a log that publishes all the time needs 14
_BURST = 100.0
_BODY_S = 5.0  # to send a request
_SIZE = "text/x.tlog.size"  # exactly so: clients compare it as a whole
_STATUS: Mapping[Why, HTTPStatus] = MappingProxyType(
    {
        Why.MALFORMED: HTTPStatus.BAD_REQUEST,
        Why.LOG_UNKNOWN: HTTPStatus.NOT_FOUND,
        Why.NOT_SIGNED: HTTPStatus.FORBIDDEN,
        Why.SHRINKS: HTTPStatus.BAD_REQUEST,
        Why.FORKED: HTTPStatus.UNPROCESSABLE_ENTITY,
        Why.NOT_PROVEN: HTTPStatus.UNPROCESSABLE_ENTITY,
    }
)


def witness_application(
    witness: Witness, bearers: Bearers, traces: Telemetry, now: Callable[[], float]
) -> ASGIApp:
    """Make the application; `now` is a clock in seconds that never goes back."""
    door = _Door(witness, bearers, traces, _Rate(now))
    app = Starlette(
        routes=[
            Route("/add-checkpoint", door.add_checkpoint, methods=["POST"]),
            Route("/{origin_hash}/checkpoint", door.checkpoint, methods=["GET"]),
        ]
    )
    return Observed(app, "witness", traces)


class _Door:
    def __init__(
        self, witness: Witness, bearers: Bearers, traces: Telemetry, rate: "_Rate"
    ) -> None:
        self._witness = witness
        self._bearers = bearers
        self._traces = traces
        self._rate = rate

    async def add_checkpoint(self, request: Request) -> Response:
        """Cosign a checkpoint."""
        try:
            self._admit(request)
            body = await _body(request)
            if body is None:
                return _text(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {MAX_BYTES} bytes\n")
            return _text(HTTPStatus.OK, await self._witness.cosign(Presented.read(body)))
        except NotCosignedError as refusal:
            return self._refuse(refusal)
        except Fault as fault:
            return _busy(fault)
        except TimeoutError:
            return _text(HTTPStatus.REQUEST_TIMEOUT, "the request did not come to its end\n")

    async def checkpoint(self, request: Request) -> Response:
        """Return the newest checkpoint cosigned of a log."""
        try:
            self._admit(request)
            note = await self._witness.newest(request.path_params["origin_hash"])
        except Fault as fault:
            return _busy(fault)
        if note is None:
            return _text(HTTPStatus.NOT_FOUND, "no checkpoint of this log was cosigned\n")
        return _text(HTTPStatus.OK, note)

    def _admit(self, request: Request) -> None:
        """Let the audit service of a region pass, and who holds a token."""
        authorization = request.headers.get("authorization")
        caller = self._bearers.caller(request.scope[CALLER], authorization)
        if authorization is None and (caller.kind, caller.name) != ("svc", "audit"):
            raise Fault("IDENTITY_UNKNOWN", "the certificate is not that of an audit service")
        if not self._rate.allows(caller.spiffe_id):
            raise Fault("OVERLOADED", "too many requests")

    def _refuse(self, refusal: NotCosignedError) -> Response:
        log.info("not cosigned", reason=refusal.why.name)
        if refusal.why is Why.FORKED:  # and not for what a caller can make up: a wrong proof
            self._traces.alarm("checkpoint_not_consistent")
        if refusal.why is Why.STALE:
            return Response(f"{refusal.size}\n", HTTPStatus.CONFLICT, {"content-type": _SIZE})
        return _text(_STATUS[refusal.why], f"{refusal}\n")


class _Rate:
    """How much each caller may ask. There are as many callers as regions and tokens."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._left: dict[str, tuple[float, float]] = {}  # requests left, at a time

    def allows(self, caller: str) -> bool:
        """Count a request; tell whether there was one left."""
        now = self._now()
        left, at = self._left.get(caller, (_BURST, now))
        left = min(_BURST, left + (now - at) * _PER_SECOND)
        self._left[caller] = max(0.0, left - 1), now
        return left >= 1


async def _body(request: Request) -> bytes | None:
    """Read the body; None when it is too large."""
    raw = bytearray()
    async with asyncio.timeout(_BODY_S):
        async for chunk in request.stream():
            raw += chunk
            if len(raw) > MAX_BYTES:
                return None
    return bytes(raw)


def _busy(fault: Fault) -> Response:
    """Say what the protocol has no word for; its own words mean what they mean there."""
    log.info("refused", method="witness", reason=fault.reason)
    if fault.reason == "IDENTITY_UNKNOWN":
        return _text(HTTPStatus.UNAUTHORIZED, f"{fault.message}\n")
    many = fault.reason == "OVERLOADED"
    status = HTTPStatus.TOO_MANY_REQUESTS if many else HTTPStatus.SERVICE_UNAVAILABLE
    response = _text(status, f"{fault.message}\n")
    response.headers["retry-after"] = "1"
    return response


def _text(status: HTTPStatus, text: str) -> Response:
    return Response(text, status, {"content-type": "text/plain; charset=utf-8"})
