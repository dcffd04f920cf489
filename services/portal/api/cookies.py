"""The portal's cookies: all `__Host-`, so that no other host or path can set or read one.

HttpOnly, Secure and SameSite=Lax: Lax, because a provider sends the browser back by a top-level
navigation from another site, on which Strict cookies stay at home.
"""

import re
from dataclasses import dataclass
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response

SESSION = "__Host-session"
FLOW = "__Host-flow"
REGISTRATION = "__Host-registration"
FORM = "__Host-form"
LANGUAGE = "__Host-language"
NEXT = "__Host-next"
PURPOSE = "__Host-purpose"

FLOW_SECONDS = 600
_YEAR = 365 * 24 * 3600
# Up to 3,600 characters: a registration is kept sealed by the browser alone, not by account.
_SECRET = re.compile(r"[A-Za-z0-9_-]{20,3600}")


def read_secret(request: Request, name: str) -> str:
    """Return a cookie that looks like a secret of ours, else "": nothing else reaches a peer."""
    value = request.cookies.get(name, "")
    return value if _SECRET.fullmatch(value) else ""


def put(response: Response, name: str, value: str, seconds: int | None) -> None:
    """Set a cookie for so many seconds; None: until the browser closes."""
    response.set_cookie(
        name, value, max_age=seconds, path="/", secure=True, httponly=True, samesite="lax"
    )


def put_until(response: Response, name: str, secret: str, expires: datetime, now: datetime) -> None:
    """Set a cookie that ends when what its secret opens does."""
    put(response, name, secret, max(0, int((expires - now).total_seconds())))


def put_language(response: Response, language: str) -> None:
    """Remember the language for a year."""
    put(response, LANGUAGE, language, _YEAR)


def drop(response: Response, *names: str) -> None:
    """Delete cookies."""
    for name in names:
        response.delete_cookie(name, path="/", secure=True, httponly=True, samesite="lax")


@dataclass(frozen=True)
class Flow:
    """A flow under way in this browser: to sign in, or to link to the account signed in."""

    links: bool
    secret: str


def put_flow(response: Response, flow: Flow) -> None:
    """Bind the browser to a flow, for as long as account keeps it."""
    put(response, FLOW, f"{'link' if flow.links else 'sign-in'}.{flow.secret}", FLOW_SECONDS)


def read_flow(request: Request) -> Flow | None:
    """Return the flow that this browser is bound to."""
    kind, _, secret = request.cookies.get(FLOW, "").partition(".")
    if kind not in {"link", "sign-in"} or not _SECRET.fullmatch(secret):
        return None
    return Flow(kind == "link", secret)
