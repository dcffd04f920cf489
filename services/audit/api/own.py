"""OwnEntryService: what the log says of whoever asks, for people and apps."""

from accord.audit.v1 import entry_pb2
from accord.audit.v1 import own_entry_service_pb2 as pb

from runtime.call import Call
from runtime.paging import page_size, page_token
from services.audit.api import convert, filters
from services.audit.cases.prove_inclusion import ProveInclusion
from services.audit.cases.read_own import ReadOwn
from services.audit.cases.reading import OWN, OnRecord
from services.audit.domain.entry import OpenedEntry


class OwnEntryServicer:
    """The door of those whom the log is about. Who asks says what is found: nothing else can."""

    def __init__(self, entries: ReadOwn, inclusion: ProveInclusion, on_record: OnRecord) -> None:
        self._entries = entries
        self._inclusion = inclusion
        self._on_record = on_record

    async def list_own_entries(
        self, request: pb.ListOwnEntriesRequest, call: Call
    ) -> pb.ListOwnEntriesResponse:
        """List the caller's own entries, newest first."""
        bound = filters.bound(request, call)
        found = filters.cursor(request.page_token, 1, bound)
        after, size = found[0] if found else None, page_size(request.page_size)
        if call.caller.kind == "app":
            page = await self._entries.of_app(call.caller, after=after, size=size)
        else:
            page = await self._entries.of_person(call.person(), after=after, size=size)
        await self._recorded("audit:log:read", call, len(page.entries))
        response = pb.ListOwnEntriesResponse(entries=[_without_leaf(e) for e in page.entries])
        if page.cursor is not None:
            response.next_page_token = page_token(str(page.cursor), *bound)
        return response

    async def prove_own_entry(
        self, request: pb.ProveOwnEntryRequest, call: Call
    ) -> pb.ProveOwnEntryResponse:
        """Prove that one of the caller's own entries is in the log."""
        index = filters.index(request.index)
        if call.caller.kind == "app":
            opened = await self._entries.one_of_app(call.caller, index)
        else:
            opened = await self._entries.one_of_person(call.person(), index)
        await self._recorded("audit:proof:read", call, 1)
        proof = await self._inclusion.of(opened)
        return pb.ProveOwnEntryResponse(
            entry=convert.to_entry(proof.entry),
            openings=[convert.to_opening(opening) for opening in proof.entry.openings],
            proof=proof.path,
            checkpoint=convert.to_checkpoint(proof.checkpoint),
            published_size=proof.published,
        )

    async def _recorded(self, action: str, call: Call, given: int) -> None:
        account = "" if call.caller.kind == "app" else call.person()
        await self._on_record.own(action, filters.reader(OWN, call), account, given)


def _without_leaf(opened: OpenedEntry) -> entry_pb2.Entry:
    entry = convert.to_entry(opened)
    entry.ClearField("leaf")
    return entry
