"""ASGI middleware that lets a handler run only while sharing permits what it shares.

.. code-block:: python

    export = Purpose(
        service="mi_store", recipient="recipients/dhl", purpose="delivery",
        categories=("contact.name", "contact.address"),
        account=lambda scope: scope["path_params"]["account"],
        relation=lambda scope: scope["path_params"]["order"],
    )
    Route("/labels/{account}/{order}", label, middleware=[
        Middleware(Guarded, accord=accord, purpose=export),
    ])

The handler finds the verdict, with its obligations, in ``scope["accord"]``. That it shared is
recorded when it answers with success. Who is refused gets ``application/problem+json`` (RFC 9457).
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any

from accord_client.failure import VerificationError
from accord_client.fault import Fault
from accord_client.guard import Accord
from accord_client.purpose import Purpose, Refused, refusal, require

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Guarded:
    """One purpose before one app; what is no HTTP request is refused, its lifespan aside."""

    def __init__(self, app: App, accord: Accord, purpose: Purpose[Scope]) -> None:
        self._app = app
        self._accord = accord
        self._purpose = purpose

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one connection."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            question = self._purpose.question(scope)
            verdict = require(await self._accord.check(question), self._purpose)
        except (Fault, VerificationError) as failure:
            await _refuse(refusal(failure), send)
            return
        except Refused as refused:
            await _refuse(refused, send)
            return
        status = HTTPStatus.INTERNAL_SERVER_ERROR.value

        async def watched(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self._app({**scope, "accord": verdict}, receive, watched)
        finally:
            if status < HTTPStatus.BAD_REQUEST:
                self._accord.disclosed_soon(verdict, self._purpose.categories)


async def _refuse(refused: Refused, send: Send) -> None:
    status = HTTPStatus.SERVICE_UNAVAILABLE if refused.away else HTTPStatus.FORBIDDEN
    title = "Nobody can say now" if refused.away else "This may not be shared"
    problem: dict[str, Any] = {
        "type": "about:blank",
        "title": title,
        "status": status.value,
        "reasons": refused.reasons,
    }
    if refused.decision:
        problem["decision"] = refused.decision
    headers = [(b"content-type", b"application/problem+json"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status.value, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(problem).encode()})
