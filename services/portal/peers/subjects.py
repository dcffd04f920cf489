"""Sharing over mTLS: whose data a recipient has or may get, and consents that officers end."""

from collections.abc import Sequence

from accord.sharing.v1 import (
    consent_service_pb2,
    consent_service_pb2_grpc,
    reach_service_pb2,
    reach_service_pb2_grpc,
)

from services.portal.domain.person import Person
from services.portal.domain.reach import Reached
from services.portal.domain.sharing import Recipient
from services.portal.domain.subjects import Ending, Subject, Wanted
from services.portal.peers.peer import Peer
from services.portal.peers.reach import holding_of, prospect_of

_READ = 10.0  # seconds: for each person every service and purpose is evaluated
_FILTERS = {
    Wanted.ALL: reach_service_pb2.REACH_FILTER_UNSPECIFIED,
    Wanted.HAS: reach_service_pb2.REACH_FILTER_HAS,
    Wanted.MAY: reach_service_pb2.REACH_FILTER_MAY,
}
_ENDINGS = {
    Ending.REVOKE: ("RevokeConsent", consent_service_pb2.RevokeConsentRequest),
    Ending.INVALIDATE: ("InvalidateConsent", consent_service_pb2.InvalidateConsentRequest),
}


class SubjectPeer:
    """Each page that is read is on record, and each step with its reason."""

    def __init__(
        self,
        reach: "Peer[reach_service_pb2_grpc.ReachServiceAsyncStub]",
        consents: "Peer[consent_service_pb2_grpc.ConsentServiceAsyncStub]",
    ) -> None:
        self._reach = reach
        self._consents = consents

    async def people(
        self, officer: Person, recipient: Recipient, wanted: Wanted, page: str
    ) -> tuple[Sequence[Subject], str]:
        """Return a page of people, and the next token."""
        request = reach_service_pb2.ListSubjectsRequest(
            recipient=recipient.name, page_token=page, filter=_FILTERS[wanted]
        )
        answer = await self._reach.ask(
            officer, lambda stub: stub.ListSubjects, request, within=_READ
        )
        return [
            Subject(
                each.subject,
                Reached(
                    recipient,
                    [holding_of(holding) for holding in each.holdings],
                    [prospect_of(prospect) for prospect in each.prospects],
                ),
                wanted,
            )
            for each in answer.subjects
        ], answer.next_page_token

    async def end_consent(
        self, officer: Person, request_id: str, consent: str, ending: Ending, note: str
    ) -> None:
        """Revoke a consent, or record that it was none; once for a request id."""
        method, request = _ENDINGS[ending]
        await self._consents.ask(
            officer,
            lambda stub: getattr(stub, method),
            request(request_id=request_id, name=consent, note=note),
        )
