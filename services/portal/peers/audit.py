"""Audit over mTLS: the auditors' view of the log, and everyone's of what concerns themselves."""

from collections.abc import Sequence

from accord.audit.v1 import own_entry_service_pb2 as own_pb
from accord.audit.v1 import own_entry_service_pb2_grpc, read_service_pb2_grpc
from accord.audit.v1 import read_service_pb2 as pb
from accord_client.note import VerifierKey

from services.portal.domain.person import Person
from services.portal.domain.trace import Found, Proof, Search, Traced
from services.portal.peers.convert import stamp
from services.portal.peers.peer import Peer
from services.portal.peers.proof import read_proof, stated_entry

_TIMEOUT = 3.0  # seconds
_PAGE = 50
_TRACE = 200  # entries of one request that are shown


class LogPeer:
    """Searches, shows and proves entries, for an auditor who has stated a purpose."""

    def __init__(
        self, peer: "Peer[read_service_pb2_grpc.ReadServiceAsyncStub]", keys: Sequence[VerifierKey]
    ) -> None:
        self._peer = peer
        self._keys = keys

    async def search(self, auditor: Person, purpose: str, search: Search, page: str = "") -> Found:
        """Return one page of the entries that match, newest first, unverified."""
        request = pb.ListEntriesRequest(
            purpose=purpose,
            filter=_filter(search),
            order=pb.ORDER_NEWEST_FIRST,
            page_size=_PAGE,
            page_token=page,
        )
        answer = await self._peer.ask(
            auditor, lambda stub: stub.ListEntries, request, within=_TIMEOUT
        )
        return Found([stated_entry(each) for each in answer.entries], answer.next_page_token)

    async def trace(self, auditor: Person, purpose: str, trace_id: str) -> Traced:
        """Return the entries of one request, each verified: one call, however many they are."""
        request = pb.ProveEntriesRequest(
            purpose=purpose,
            filter=pb.EntryFilter(trace_id=trace_id),
            order=pb.ORDER_NEWEST_FIRST,
            page_size=_TRACE,
        )
        answer = await self._peer.ask(
            auditor, lambda stub: stub.ProveEntries, request, within=_TIMEOUT
        )
        proofs = [
            read_proof(
                pb.ProveInclusionResponse(
                    entry=each.entry,
                    openings=each.openings,
                    proof=each.proof,
                    checkpoint=answer.checkpoint,
                    published_size=answer.published_size,
                ),
                each.entry.index,
                self._keys,
            )
            for each in answer.entries
        ]
        return Traced(proofs, more=bool(answer.next_page_token))

    async def prove(self, auditor: Person, purpose: str, index: int) -> Proof:
        """Return an entry, its inclusion proof, and whether that holds under the pinned keys.

        Verified here by the auditors' own library rather than believed; an auditor who does not
        trust this portal either takes the file to their own machine.
        """
        request = pb.ProveInclusionRequest(purpose=purpose, index=index)
        answer = await self._peer.ask(
            auditor, lambda stub: stub.ProveInclusion, request, within=_TIMEOUT
        )
        return read_proof(answer, index, self._keys)


class OwnLogPeer:
    """What the log says of the person who looks."""

    def __init__(
        self,
        peer: "Peer[own_entry_service_pb2_grpc.OwnEntryServiceAsyncStub]",
        keys: Sequence[VerifierKey],
    ) -> None:
        self._peer = peer
        self._keys = keys

    async def entries(self, person: Person, page: str = "") -> Found:
        """Return one page of the person's own entries, newest first, unverified."""
        request = own_pb.ListOwnEntriesRequest(page_size=_PAGE, page_token=page)
        answer = await self._peer.ask(
            person, lambda stub: stub.ListOwnEntries, request, within=_TIMEOUT
        )
        return Found([stated_entry(each) for each in answer.entries], answer.next_page_token)

    async def prove(self, person: Person, index: int) -> Proof:
        """Return one of the person's own entries with its proof, verified."""
        request = own_pb.ProveOwnEntryRequest(index=index)
        answer = await self._peer.ask(
            person, lambda stub: stub.ProveOwnEntry, request, within=_TIMEOUT
        )
        proven = pb.ProveInclusionResponse(
            entry=answer.entry,
            openings=answer.openings,
            proof=answer.proof,
            checkpoint=answer.checkpoint,
            published_size=answer.published_size,
        )
        return read_proof(proven, index, self._keys)


def _filter(search: Search) -> pb.EntryFilter:
    return pb.EntryFilter(
        account=search.account,
        actor=search.actor,
        app=search.app,
        recipient=search.recipient,
        contract=search.contract,
        action_prefix=search.action,
        outcome=search.outcome,
        trace_id=search.trace_id,
        start_time=stamp(search.start) if search.start else None,
        end_time=stamp(search.end) if search.end else None,
        producer=search.producer,
    )
