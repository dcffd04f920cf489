"""Audit over mTLS: the auditors' view of the log."""

from collections.abc import Sequence

from accord.audit.v1 import entry_pb2, read_service_pb2, read_service_pb2_grpc
from accord_client.failure import VerificationError
from accord_client.merkle import leaf_hash
from accord_client.note import VerifierKey
from accord_client.verify import pack_proof, verify_proof

from runtime.channel import Peer
from services.portal.domain.person import Person
from services.portal.domain.trace import Entry, Found, Proof, Readability, Search
from services.portal.peers.convert import known, moment, stamp

_TIMEOUT = 3.0  # seconds
_PAGE = 50
_READABILITY = {
    entry_pb2.READABILITY_FULL: Readability.FULL,
    entry_pb2.READABILITY_PARTIAL: Readability.PARTIAL,
    entry_pb2.READABILITY_NONE: Readability.NONE,
}


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
        """Return one page of the entries that match every part of a search."""
        answer = await self._peer.call(
            lambda stub: stub.ListEntries,
            read_service_pb2.ListEntriesRequest(
                account=search.account,
                actor=search.actor,
                action_prefix=search.action,
                trace_id=search.trace_id,
                start_time=stamp(search.start) if search.start else None,
                end_time=stamp(search.end) if search.end else None,
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
        return Found([_entry(each) for each in answer.entries], answer.next_page_token)

    async def prove(self, auditor: Person, index: int) -> Proof:
        """Return an entry, its inclusion proof, and whether that holds under the pinned keys.

        Verified here by the auditors' own library rather than believed; an auditor who does not
        trust this portal either takes the file to their own machine.
        """
        answer = await self._peer.call(
            lambda stub: stub.ProveInclusion,
            read_service_pb2.ProveInclusionRequest(index=index),
            timeout=_TIMEOUT,
            actor=auditor.token,
        )
        packed = pack_proof(answer)
        problem = ""
        try:
            verify_proof(packed, self._keys)
        except VerificationError as error:
            problem = error.obligation
        return Proof(
            entry=_entry(answer.entry),
            size=answer.checkpoint.size,
            leaf_hash=leaf_hash(answer.entry.leaf),
            root_hash=answer.checkpoint.root_hash,
            path=tuple(answer.proof),
            note=answer.checkpoint.note,
            file=packed.serialise(),
            problem=problem,
        )


def _entry(entry: entry_pb2.Entry) -> Entry:
    return Entry(
        index=entry.index,
        producer=entry.producer,
        sequence=entry.sequence,
        event_id=entry.event_id,
        action=entry.action,
        outcome=entry.outcome,
        at=moment(entry.event_time),
        trace_id=entry.trace_id,
        span_id=entry.span_id,
        readability=known(_READABILITY, entry.readability),
        account=entry.account,
        actor=entry.actor,
        resource=entry.resource,
        fields=[(field.name, field.value) for field in entry.fields],
    )
