"""Audit over mTLS: the auditors' view of the log."""

from collections.abc import Sequence

from accord.audit.v1 import read_service_pb2, read_service_pb2_grpc
from accord_client.note import VerifierKey

from runtime.channel import Peer
from services.portal.domain.person import Person
from services.portal.domain.trace import Found, Proof, Search
from services.portal.peers.convert import stamp
from services.portal.peers.proof import read_proof, stated_entry

_TIMEOUT = 3.0  # seconds
_PAGE = 50


class LogPeer:
    """Searches, shows and proves entries."""

    def __init__(
        self,
        peer: "Peer[read_service_pb2_grpc.ReadServiceAsyncStub]",
        keys: Sequence[VerifierKey],
    ) -> None:
        self._peer = peer
        self._keys = keys

    async def search(
        self, auditor: Person, search: Search, page: str = "", *, newest_first: bool = True
    ) -> Found:
        """Return one page of the entries that match every part of a search, unverified."""
        answer = await self._peer.call(
            lambda stub: stub.ListEntries,
            read_service_pb2.ListEntriesRequest(
                purpose="the portal's view of the log",
                filter=read_service_pb2.EntryFilter(
                    account=search.account,
                    actor=search.actor,
                    action_prefix=search.action,
                    trace_id=search.trace_id,
                    start_time=stamp(search.start) if search.start else None,
                    end_time=stamp(search.end) if search.end else None,
                ),
                order=(
                    read_service_pb2.ORDER_NEWEST_FIRST
                    if newest_first
                    else read_service_pb2.ORDER_OLDEST_FIRST
                ),
                page_size=_PAGE,
                page_token=page,
            ),
            timeout=_TIMEOUT,
            actor=auditor.token,
        )
        return Found([stated_entry(each) for each in answer.entries], answer.next_page_token)

    async def prove(self, auditor: Person, index: int) -> Proof:
        """Return an entry, its inclusion proof, and whether that holds under the pinned keys.

        Verified here by the auditors' own library rather than believed; an auditor who does not
        trust this portal either takes the file to their own machine.
        """
        answer = await self._peer.call(
            lambda stub: stub.ProveInclusion,
            read_service_pb2.ProveInclusionRequest(
                purpose="the portal's view of the log", index=index
            ),
            timeout=_TIMEOUT,
            actor=auditor.token,
        )
        return read_proof(answer, index, self._keys)
