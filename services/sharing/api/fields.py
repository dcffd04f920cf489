"""Reading request fields: each refusal names the field with INVALID_FIELD."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import TypeVar

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from runtime import paging
from runtime.call import Call
from runtime.fault import Fault, invalid
from runtime.ids import require_home
from services.sharing.domain.acting import Acting
from services.sharing.domain.ports import Page, Request

T = TypeVar("T")
E = TypeVar("E")
K = TypeVar("K")

_MAX_KEYS = 64
_MAX_KEY = 64  # characters
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_ID = r"[0-9a-z-]{2,64}"
_HOLDER = rf"(?:accounts/{_ID}|guests/[A-Za-z0-9_-]{{1,64}})"
_ORDINAL = re.compile(r"[0-9]{1,18}")
_DATED = re.compile(r"[0-9-]{10}/[0-9]{1,18}")
_SLUG = re.compile(r"[a-z][a-z0-9-]{1,39}")
_NAMES = {
    "holders": re.compile(_HOLDER),
    "recipients": re.compile(rf"recipients/{_ID}"),
    "contracts": re.compile(rf"contracts/{_ID}"),
    "instruments": re.compile(rf"instruments/{_ID}"),
    "revocations": re.compile(rf"revocations/{_ID}"),
    "decisions": re.compile(rf"decisions/{_ID}"),
    "consents": re.compile(rf"{_HOLDER}/consents/{_ID}"),
    "preferences": re.compile(rf"{_HOLDER}/preferences/{_ID}"),
}
# People say UK, ISO 3166-1 says GB.
_SAID_FOR = {"UK": "GB"}


def text(field: str, value: str, most: int, least: int = 0) -> str:
    """Return a text of `least` to `most` characters without control characters."""
    if not value and not least:
        return value
    if not least <= len(value) <= most:
        raise invalid(field, f"must have {least} to {most} characters")
    if _CONTROL.search(value):
        raise invalid(field, "must hold no control characters")
    return value


def name(field: str, value: str, collection: str) -> str:
    """Return the name of a resource of a collection."""
    if not _NAMES[collection].fullmatch(value):
        raise invalid(field, f"must be the name of one of {collection}")
    return value


def slug(field: str, value: str) -> str:
    """Return an id that people chose."""
    if not _SLUG.fullmatch(value):
        raise invalid(field, "must be 2 to 40 of a-z, 0-9 and -, a letter first")
    return value


def country(value: str) -> str:
    """Return a country's code; whether it is one, the rulebook knows."""
    return _SAID_FOR.get(value, value)


def keys(field: str, values: Sequence[str]) -> tuple[str, ...]:
    """Return the keys of a list of bounded length; which are known, the rulebook says."""
    if len(values) > _MAX_KEYS:
        raise invalid(field, f"at most {_MAX_KEYS}")
    taken = tuple(values)
    if max(map(len, taken), default=0) > _MAX_KEY:
        raise invalid(field, "unknown key")
    return taken


def at_most(field: str, values: Sequence[T], most: int) -> Sequence[T]:
    """Return a list of bounded length."""
    if len(values) > most:
        raise invalid(field, f"at most {most}")
    return values


def day(field: str, value: str) -> date:
    """Return a calendar date `YYYY-MM-DD`."""
    if not _DAY.fullmatch(value):
        raise invalid(field, "must be a date, YYYY-MM-DD")
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise invalid(field, "is no date of the calendar") from None


def moment(field: str, value: Timestamp) -> datetime:
    """Return an instant."""
    try:
        return value.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise invalid(field, "is no instant that can be kept") from None


def required(field: str, message: Message, part: str) -> None:
    """Refuse a message without a part that is needed."""
    if not message.HasField(part):
        raise invalid(field, "is missing")


def one_of(field: str, value: K, known: Mapping[K, E]) -> E:
    """Return what an enum value stands for."""
    if value not in known:
        raise invalid(field, "unknown or unspecified value")
    return known[value]


def page(call: Call, request: Message, size: int, token: str) -> Page:
    """Return the part of a list of numbered rows that is asked for."""
    cursor = paging.cursor_of(token, *_bound(call, request))
    if cursor and not _ORDINAL.fullmatch(cursor):
        raise Fault("PAGE_TOKEN_INVALID", "this page token was not made here")
    return Page(cursor, paging.page_size(size))


def named_page(
    call: Call, request: Message, size: int, token: str, collection: str = "recipients"
) -> Page:
    """Return the part of a list that is ordered by names of a collection."""
    cursor = paging.cursor_of(token, *_bound(call, request))
    if cursor and not _NAMES[collection].fullmatch(cursor):
        raise Fault("PAGE_TOKEN_INVALID", "this page token was not made here")
    return Page(cursor, paging.page_size(size))


def dated_page(call: Call, request: Message, size: int, token: str) -> Page:
    """Return the part of a list that is ordered by days, and by numbers within a day."""
    cursor = paging.cursor_of(token, *_bound(call, request))
    if cursor and not _DATED.fullmatch(cursor):
        raise Fault("PAGE_TOKEN_INVALID", "this page token was not made here")
    return Page(cursor, paging.page_size(size))


def next_token(call: Call, request: Message, cursor: str) -> str:
    """Return the token that asks for what follows; empty at the end."""
    return paging.page_token(cursor, *_bound(call, request)) if cursor else ""


def person(call: Call, region: str) -> str:
    """Return the account of the person who acts, whose home is here."""
    account = call.person()
    require_home(account, region)
    return account


def acting(call: Call) -> Acting:
    """Return who acts, for the record."""
    return Acting(call.who(), call.way)


def once(
    call: Call, request: Message, request_id: str, encode: Callable[[T], Message]
) -> Request[T]:
    """Make a mutation happen once for its caller, request id and content.

    `encode` makes the message of the resource, which is kept and answered again.
    """
    return Request(
        scope=f"{call.method} {call.who()}",
        request_id=request_id,
        content=_without(request, "request_id"),
        encode=lambda value: encode(value).SerializeToString(),
    )


def _bound(call: Call, request: Message) -> tuple[str, str, str]:
    """Bind a page token to the method, who acts, and the filter."""
    return call.method, call.who(), _without(request, "page_token", "page_size").hex()


def _without(request: Message, *fields: str) -> bytes:
    copy = type(request)()
    copy.CopyFrom(request)
    for field in fields:
        copy.ClearField(field)
    return copy.SerializeToString(deterministic=True)
