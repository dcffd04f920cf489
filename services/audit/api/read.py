"""ReadService: entries and proofs, for auditors."""

import re
from datetime import datetime

from accord.audit.v1 import read_service_pb2 as pb
from google.protobuf.timestamp_pb2 import Timestamp

from runtime.call import Call
from runtime.fault import Fault, invalid
from runtime.instants import from_wire
from runtime.paging import cursor_of, page_size, page_token
from services.audit.api import convert
from services.audit.cases.prove_consistency import ProveConsistency
from services.audit.cases.prove_inclusion import ProveInclusion
from services.audit.cases.read_entries import ReadEntries, Wanted
from services.audit.cases.tree import Tree

_ACTION_PREFIX = re.compile(r"[a-z0-9_:-]*")
_PRODUCER = re.compile(r"[a-z0-9_-]*")
_CURSOR = re.compile(r"[0-9]{0,18}")
_MAX_PREFIX, _MAX_PRODUCER = 100, 63
_MAX_NAME = 400  # bytes, as when it was appended
_MAX_INDEX = (1 << 63) - 1
_ORDERS = {
    pb.ORDER_UNSPECIFIED: False,
    pb.ORDER_OLDEST_FIRST: False,
    pb.ORDER_NEWEST_FIRST: True,
}


class ReadServicer:
    """The auditors' door."""

    def __init__(
        self,
        entries: ReadEntries,
        tree: Tree,
        inclusion: ProveInclusion,
        consistency: ProveConsistency,
    ) -> None:
        self._entries = entries
        self._tree = tree
        self._inclusion = inclusion
        self._consistency = consistency

    async def list_entries(
        self, request: pb.ListEntriesRequest, call: Call
    ) -> pb.ListEntriesResponse:
        """List the entries that match."""
        wanted = _wanted(request)
        if request.order not in _ORDERS:
            raise invalid("order", "is unknown")
        bound = _bound(request, call)
        page = await self._entries.matching(
            wanted,
            after=_cursor(request.page_token, bound),
            newest_first=_ORDERS[request.order],
            size=page_size(request.page_size),
        )
        response = pb.ListEntriesResponse(entries=[convert.to_entry(e) for e in page.entries])
        if page.more:
            response.next_page_token = page_token(str(page.entries[-1].stored.index), *bound)
        return response

    async def get_entry(self, request: pb.GetEntryRequest, _call: Call) -> pb.GetEntryResponse:
        """Return one entry."""
        match _named(request):
            case int(index):
                opened = await self._entries.by_index(index)
            case event_id:
                opened = await self._entries.by_event_id(event_id)
        return pb.GetEntryResponse(entry=convert.to_entry(opened))

    async def get_checkpoint(
        self, _request: pb.GetCheckpointRequest, _call: Call
    ) -> pb.GetCheckpointResponse:
        """Return the newest checkpoint."""
        checkpoint = await self._tree.newest_checkpoint()
        return pb.GetCheckpointResponse(checkpoint=convert.to_checkpoint(checkpoint))

    async def prove_inclusion(
        self, request: pb.ProveInclusionRequest, _call: Call
    ) -> pb.ProveInclusionResponse:
        """Prove that an entry is in the log."""
        match _named(request):
            case int(index):
                proof = await self._inclusion.of_index(index)
            case event_id:
                proof = await self._inclusion.of_event(event_id)
        return pb.ProveInclusionResponse(
            entry=convert.to_entry(proof.entry),
            openings=[convert.to_opening(opening) for opening in proof.entry.openings],
            proof=proof.path,
            checkpoint=convert.to_checkpoint(proof.checkpoint),
        )

    async def prove_consistency(
        self, request: pb.ProveConsistencyRequest, _call: Call
    ) -> pb.ProveConsistencyResponse:
        """Prove that one size of the log begins another."""
        to_size = request.to_size if request.HasField("to_size") else None
        proof = await self._consistency.between(request.from_size, to_size)
        return pb.ProveConsistencyResponse(
            from_size=proof.from_size,
            to_size=proof.to_size,
            proof=proof.hashes,
            checkpoint=convert.to_checkpoint(proof.checkpoint),
        )


def _wanted(request: pb.ListEntriesRequest) -> Wanted:
    for field in ("account", "actor"):
        if len(getattr(request, field).encode()) > _MAX_NAME:
            raise invalid(field, f"must be at most {_MAX_NAME} bytes")
    convert.matching(
        _ACTION_PREFIX,
        request.action_prefix,
        "action_prefix",
        "the beginning of an action",
        _MAX_PREFIX,
    )
    convert.matching(_PRODUCER, request.producer, "producer", "a service's name", _MAX_PRODUCER)
    if request.trace_id:
        convert.trace_id(request.trace_id, "trace_id")
    return Wanted(
        account=request.account or None,
        actor=request.actor or None,
        action_prefix=request.action_prefix or None,
        trace_id=request.trace_id or None,
        start_time=_instant(request, "start_time", request.start_time),
        end_time=_instant(request, "end_time", request.end_time),
        producer=request.producer or None,
    )


def _instant(request: pb.ListEntriesRequest, field: str, stamp: Timestamp) -> datetime | None:
    return from_wire(stamp, field) if request.HasField(field) else None  # type: ignore[arg-type]  # one of two names


def _bound(request: pb.ListEntriesRequest, call: Call) -> tuple[str, str]:
    """Return what a page token is bound to: everything but the paging itself, and who asks."""
    filters = pb.ListEntriesRequest()
    filters.CopyFrom(request)
    filters.ClearField("page_token")
    filters.ClearField("page_size")
    return filters.SerializeToString(deterministic=True).hex(), call.who()


def _cursor(token: str, bound: tuple[str, str]) -> int | None:
    """Return the index that a page begins beyond; None for the first page."""
    cursor = cursor_of(token, *bound)
    if _CURSOR.fullmatch(cursor) is None:
        raise Fault("PAGE_TOKEN_INVALID", "this page token was not made here")
    return int(cursor) if cursor else None


def _named(request: pb.GetEntryRequest | pb.ProveInclusionRequest) -> int | str:
    """Return which entry a request names."""
    match request.WhichOneof("entry"):
        case "index":
            # Beyond what any log can hold there is nothing to be found, and nothing to be asked.
            return min(request.index, _MAX_INDEX)
        case "event_id":
            return convert.event_id(request.event_id, "event_id")
        case _:
            raise invalid("entry", "must be named by index or event_id")
