"""What a reader asks for, decoded: a filter, a purpose, an entry, a page."""

import re
from collections.abc import Mapping
from datetime import datetime

from accord.audit.v1 import read_service_pb2 as pb
from google.protobuf.message import Message

from runtime.call import Call
from runtime.fault import Fault, invalid
from runtime.instants import from_wire
from runtime.paging import cursor_of
from services.audit.api import convert
from services.audit.cases.reading import Reader
from services.audit.domain.wanted import Wanted

_ACTION_PREFIX = re.compile(r"[a-z0-9_:-]*")
_WORD = re.compile(r"[a-z0-9_-]*")
_LINE = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_CURSOR = re.compile(r"[0-9]{1,18}")
_MAX_PURPOSE, _MAX_PREFIX, _MAX_OUTCOME, _MAX_PRODUCER = 200, 100, 32, 63  # characters
_MAX_NAMES: Mapping[str, int] = {  # bytes
    "account": 200,
    "actor": 200,
    "app": 200,
    "recipient": 400,
    "contract": 400,
}
_MAX_INDEX = (1 << 63) - 1
ORDERS = {
    pb.ORDER_UNSPECIFIED: False,
    pb.ORDER_OLDEST_FIRST: False,
    pb.ORDER_NEWEST_FIRST: True,
}


Named = pb.GetEntryRequest | pb.ProveInclusionRequest


def reader(purpose: str, call: Call) -> Reader:
    """Return who reads, once they say why."""
    line = _LINE.fullmatch(purpose) is not None and bool(purpose.strip())
    if len(purpose) > _MAX_PURPOSE or not line:
        raise invalid("purpose", f"must say on one line why the log is read, 1 to {_MAX_PURPOSE}")
    return Reader(call.who(), purpose.strip(), call.way)


def wanted(given: pb.EntryFilter) -> Wanted:
    """Decode a filter; `filter.…` names what is malformed."""
    for name, most in _MAX_NAMES.items():
        if len(getattr(given, name).encode()) > most:
            raise invalid(f"filter.{name}", f"must be at most {most} bytes")
    for name in ("account", "actor"):
        if getattr(given, name).startswith("@"):  # names what no one is called, the organisation
            raise invalid(f"filter.{name}", "must not begin with '@'")
    convert.matching(
        _ACTION_PREFIX,
        given.action_prefix,
        "filter.action_prefix",
        "the beginning of an event's name",
        _MAX_PREFIX,
    )
    convert.matching(_WORD, given.outcome, "filter.outcome", "an outcome", _MAX_OUTCOME)
    convert.matching(_WORD, given.producer, "filter.producer", "a service's name", _MAX_PRODUCER)
    if given.trace_id:
        convert.trace_id(given.trace_id, "filter.trace_id")
    return Wanted(
        account=given.account or None,
        actor=given.actor or None,
        app=_within("app", given.app) or None,
        recipient=_within("recipients", given.recipient) or None,
        contract=_within("contracts", given.contract) or None,
        action_prefix=given.action_prefix or None,
        outcome=given.outcome or None,
        trace_id=given.trace_id or None,
        start_time=_start(given),
        end_time=_end(given),
        producer=given.producer or None,
    )


def newest_first(order: "pb.Order.ValueType") -> bool:
    """Decode an order."""
    if order not in ORDERS:
        raise invalid("order", "is unknown")
    return ORDERS[order]


def named(request: Named) -> int | str:
    """Return which entry a request names."""
    match request.WhichOneof("entry"):
        case "index":
            return index(request.index)
        case "event_id":
            return convert.event_id(request.event_id, "event_id")
        case _:
            raise invalid("entry", "must be named by index or event_id")


def index(given: int) -> int:
    """Bound a place: beyond what any log can hold there is nothing to be found."""
    return min(given, _MAX_INDEX)


def bound(request: Message, call: Call) -> tuple[str, str, str]:
    """Return what a page token is good for: this method, who asks, everything but the paging.

    The purpose may change from page to page: each goes on record with its own.
    """
    filters = type(request)()
    filters.CopyFrom(request)
    for paging in ("page_token", "page_size", "purpose"):
        if paging in filters.DESCRIPTOR.fields_by_name:
            filters.ClearField(paging)
    return call.method, call.who(), filters.SerializeToString(deterministic=True).hex()


def cursor(token: str, parts: int, bound_to: tuple[str, ...]) -> tuple[int, ...] | None:
    """Return the `parts` numbers of a page token; None for the first page."""
    text = cursor_of(token, *bound_to)
    if not text:
        return None
    numbers = text.split(".")
    if len(numbers) != parts or not all(map(_CURSOR.fullmatch, numbers)):
        raise Fault("PAGE_TOKEN_INVALID", "this page token was not made here")
    return tuple(map(int, numbers))


def _within(collection: str, given: str) -> str:
    """Return the name that is meant, also by its last part alone: `dhl` of `recipients/dhl`."""
    return f"{collection}/{given}" if given and "/" not in given else given


def _start(given: pb.EntryFilter) -> datetime | None:
    if not given.HasField("start_time"):
        return None
    return from_wire(given.start_time, "filter.start_time")


def _end(given: pb.EntryFilter) -> datetime | None:
    return from_wire(given.end_time, "filter.end_time") if given.HasField("end_time") else None
