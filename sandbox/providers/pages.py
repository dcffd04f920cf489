"""The pages of the sandbox: pick a person or say no, without JavaScript."""

from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from sandbox.providers.people import Person

_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
STYLE = (Path(__file__).parent / "templates" / "style.css").read_text(encoding="utf-8")
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self';"
    " base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """One person on the page, with the address that the provider knows them by."""

    person: Person
    address: str


def picker(
    request: Request,
    provider: str,
    client: str,
    choices: list[Choice],
    wants: list[str],
    *,
    may_withhold_email: bool = False,
) -> HTMLResponse:
    """Ask who is there, and whether they agree to what the client wants."""
    body = _templates.get_template("picker.html").render(
        provider=provider,
        client=client,
        choices=choices,
        wants=wants,
        may_withhold_email=may_withhold_email,
        action=f"{request.url.path}?{request.url.query}",
    )
    return HTMLResponse(body, headers=_HEADERS)


def refusal(provider: str, sentence: str) -> HTMLResponse:
    """Explain a request that must not be answered by a redirect (RFC 6749 §4.1.2.1)."""
    body = _templates.get_template("refusal.html").render(provider=provider, sentence=sentence)
    return HTMLResponse(body, status_code=400, headers=_HEADERS)
