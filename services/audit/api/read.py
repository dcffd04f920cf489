"""ReadService: entries and proofs, for auditors."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial

from accord.audit.v1 import read_service_pb2 as pb

from runtime.call import Call
from runtime.fault import Fault
from runtime.paging import page_size, page_token
from services.audit.api import convert, filters
from services.audit.cases.prove_consistency import ProveConsistency
from services.audit.cases.prove_inclusion import ProveInclusion
from services.audit.cases.read_entries import Page, ReadEntries
from services.audit.cases.reading import OnRecord, Reader
from services.audit.cases.tail import Tail
from services.audit.cases.tree import Tree
from services.audit.domain.checkpoint import Checkpoint
from services.audit.domain.entry import OpenedEntry

_READ, _PROVED, _EXPORTED = "audit:log:read", "audit:proof:read", "audit:log:export"


class ReadServicer:
    """The auditors' door."""

    def __init__(
        self,
        entries: ReadEntries,
        *,
        tree: Tree,
        inclusion: ProveInclusion,
        consistency: ProveConsistency,
        tail: Tail,
        on_record: OnRecord,
    ) -> None:
        self._entries = entries
        self._tree = tree
        self._inclusion = inclusion
        self._consistency = consistency
        self._tail = tail
        self._on_record = on_record

    async def list_entries(
        self, request: pb.ListEntriesRequest, call: Call
    ) -> pb.ListEntriesResponse:
        """List the entries that match."""
        reader = filters.reader(request.purpose, call)
        wanted = filters.wanted(request.filter)
        bound = filters.bound(request, call)
        after = filters.cursor(request.page_token, 1, bound)
        page = await self._entries.shown(
            wanted,
            after=after[0] if after else None,
            newest_first=filters.newest_first(request.order),
            size=page_size(request.page_size),
            on_record=partial(self._on_record.search, _READ, reader, wanted),
        )
        response = pb.ListEntriesResponse(entries=[convert.to_entry(e) for e in page.entries])
        if page.cursor is not None:
            response.next_page_token = page_token(str(page.cursor), *bound)
        return response

    async def get_entry(self, request: pb.GetEntryRequest, call: Call) -> pb.GetEntryResponse:
        """Return one entry."""
        opened = await self._one(_READ, request, filters.reader(request.purpose, call))
        return pb.GetEntryResponse(entry=convert.to_entry(opened))

    async def get_checkpoint(
        self, _request: pb.GetCheckpointRequest, _call: Call
    ) -> pb.GetCheckpointResponse:
        """Return the newest published checkpoint; of a new log, the first that is signed."""
        checkpoint = await self._tree.published() or await self._tree.newest_checkpoint()
        return pb.GetCheckpointResponse(checkpoint=convert.to_checkpoint(checkpoint))

    async def prove_inclusion(
        self, request: pb.ProveInclusionRequest, call: Call
    ) -> pb.ProveInclusionResponse:
        """Prove that an entry is in the log."""
        opened = await self._one(_PROVED, request, filters.reader(request.purpose, call))
        proof = await self._inclusion.of(opened)
        return pb.ProveInclusionResponse(
            entry=convert.to_entry(proof.entry),
            openings=[convert.to_opening(opening) for opening in proof.entry.openings],
            proof=proof.path,
            checkpoint=convert.to_checkpoint(proof.checkpoint),
            published_size=proof.published,
        )

    async def prove_entries(
        self, request: pb.ProveEntriesRequest, call: Call
    ) -> pb.ProveEntriesResponse:
        """List the entries that match, each with its proof up to the checkpoint of the list."""
        reader = filters.reader(request.purpose, call)
        wanted = filters.wanted(request.filter)
        bound = filters.bound(request, call)
        going_on = filters.cursor(request.page_token, 3, bound)
        page = await self._entries.matching(
            wanted,
            after=going_on[2] if going_on else None,
            newest_first=filters.newest_first(request.order),
            size=page_size(request.page_size),
        )
        checkpoint, published = await self._checkpoint(page, going_on)
        page = page.within(checkpoint.size)
        paths = await self._inclusion.paths(page.entries, checkpoint)
        action = _EXPORTED if request.export else _PROVED
        await self._on_record.search(action, reader, wanted, len(page.entries))
        response = pb.ProveEntriesResponse(
            entries=[
                pb.ProvenEntry(
                    entry=convert.to_entry(opened),
                    openings=[convert.to_opening(opening) for opening in opened.openings],
                    proof=path,
                )
                for opened, path in zip(page.entries, paths, strict=True)
            ],
            checkpoint=convert.to_checkpoint(checkpoint),
            published_size=published,
        )
        if page.cursor is not None:
            as_published = going_on[1] if going_on else int(published >= checkpoint.size)
            cursor = f"{checkpoint.size}.{as_published}.{page.cursor}"
            response.next_page_token = page_token(cursor, *bound)
        return response

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

    async def tail(self, request: pb.TailRequest, call: Call) -> AsyncGenerator[pb.TailResponse]:
        """Stream the entries that match, as they are committed."""
        reader = filters.reader(request.purpose, call)
        wanted = filters.wanted(request.filter)
        begin = filters.index(request.from_index) if request.HasField("from_index") else None
        async with aclosing(self._tail.follow(reader, wanted, begin, call.deadline)) as told:
            async for news in told:
                yield pb.TailResponse(
                    entries=[convert.to_entry(entry) for entry in news.entries],
                    next_index=news.next_index,
                    size=news.size,
                )

    async def _one(self, action: str, request: filters.Named, reader: Reader) -> OpenedEntry:
        match filters.named(request):
            case int(index):
                opened = await self._entries.by_index(index)
            case event_id:
                opened = await self._entries.by_event_id(event_id)
        await self._on_record.one(action, reader, opened.stored.index)
        return opened

    async def _checkpoint(
        self, page: Page, going_on: tuple[int, ...] | None
    ) -> tuple[Checkpoint, int]:
        """Return the one checkpoint of a list of proofs, and how many entries are published."""
        if going_on is None:
            # Newest first nothing lies higher; oldest first what lies higher is not in this list.
            first = page.entries[0].stored.index + 1 if page.entries else page.cursor or 0
            return await self._tree.checkpoint_over(first)
        size, published = going_on[0], bool(going_on[1])
        checkpoint = await self._tree.checkpoint_of(size, published=published)
        if checkpoint is None:
            raise Fault("PAGE_TOKEN_INVALID", "this page token was not made here")
        newest = await self._tree.published()
        return checkpoint, newest.size if newest else 0
