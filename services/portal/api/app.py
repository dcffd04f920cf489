"""The portal as one ASGI application."""

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from runtime.telemetry import Telemetry
from services.portal.api.desk import Desk
from services.portal.api.guard import Guard
from services.portal.api.routes import (
    account,
    agreements,
    analysis,
    audit,
    consents,
    decisions,
    erasures,
    officer,
    purpose,
    reach,
    record,
    shared,
    sharing,
    staff,
    start,
    subjects,
)
from services.portal.api.static import StaticFiles
from services.portal.api.visit import Visit


def portal(
    desk: Desk,
    static: StaticFiles,
    *,
    origin: str,
    form_origins: Sequence[str],
    traces: Telemetry,
) -> ASGIApp:
    """Put the routes together behind the guard."""

    async def refuse(request: Request, status: int) -> Response:
        # Anonymous: an error page must not depend on a peer that may be the error.
        return Visit.anonymous(desk, request).refusal(status)

    async def http_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101  registered for nothing else
        return await refuse(request, error.status_code)

    app = Starlette(
        routes=[
            static.route(),
            *start.routes(desk),
            *account.routes(desk),
            *sharing.routes(desk),
            *consents.routes(desk),
            *reach.routes(desk),
            *shared.routes(desk),
            *staff.routes(desk),
            *analysis.routes(desk),
            *officer.routes(desk),
            *agreements.routes(desk),
            *erasures.routes(desk),
            *subjects.routes(desk),
            *decisions.routes(desk),
            *purpose.routes(desk),
            *audit.routes(desk),
            *record.routes(desk),
        ],
        exception_handlers={HTTPException: http_error},
    )
    return Guard(app, origin=origin, form_origins=form_origins, traces=traces, refuse=refuse)
