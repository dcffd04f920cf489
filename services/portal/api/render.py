"""The template environment: everything escaped, every missing value an error."""

from pathlib import Path
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_FOLDER = Path(__file__).parent / "templates"


def templates(style: str) -> Environment:
    """Return the environment; `style` is the address of the style sheet."""
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["style"] = style
    environment.filters["host"] = host_of
    return environment


def host_of(address: str) -> str:
    """Return the host of a web address, or what was given when it is none."""
    try:
        return urlsplit(address).hostname or address
    except ValueError:
        return address
