"""Page tokens: opaque, and good only for the list, filter and caller that they were made for.

A token holds a cursor and a digest of what it is bound to. It needs no secret: the query enforces
the caller's rights again on each page, so a made-up cursor shows nobody more than they may see.
"""

import base64
import binascii
import hashlib
import json

from runtime.fault import Fault, invalid

MAX_PAGE_SIZE = 200
_DEFAULT_PAGE_SIZE = 50
_MAX_TOKEN = 1024


def page_size(requested: int) -> int:
    """Return the size of a page: 0 means the default, more than the maximum is coerced down."""
    if requested < 0:
        raise invalid("page_size", "must not be negative")
    return min(requested or _DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)


def page_token(cursor: str, *bound: str) -> str:
    """Make the token of the page after `cursor`, bound to the method, filter and caller."""
    text = json.dumps([cursor, _digest(bound)], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def cursor_of(token: str, *bound: str) -> str:
    """Return a token's cursor, empty for the first page; PAGE_TOKEN_INVALID if of another list."""
    if not token:
        return ""
    fault = Fault("PAGE_TOKEN_INVALID", "this page token belongs to another list; start again")
    if len(token) > _MAX_TOKEN:
        raise fault
    try:
        decoded = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (binascii.Error, ValueError):
        raise fault from None
    match decoded:
        case [str(cursor), str(digest)] if digest == _digest(bound):
            return cursor
        case _:
            raise fault


def _digest(bound: tuple[str, ...]) -> str:
    return hashlib.sha256("\0".join(bound).encode()).hexdigest()[:16]
