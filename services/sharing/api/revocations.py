"""Serves accord.sharing.v1.RevocationService."""

from accord.sharing.v1 import revocation_pb2
from accord.sharing.v1 import revocation_service_pb2 as pb

from runtime.call import Call
from services.sharing.api import encoding, fields
from services.sharing.cases.keep_notices import acknowledge_by_hand, get_notice, retry_notice
from services.sharing.cases.means import Means
from services.sharing.domain.agreement_ports import NoticeFilter
from services.sharing.domain.revocation import Cause, Notice, NoticeState

_MAX_NOTE = 400
_CAUSES = {
    cause: revocation_pb2.RevocationCause.Value(f"REVOCATION_CAUSE_{cause.name}") for cause in Cause
}
_STATES = {
    state: revocation_pb2.RevocationState.Value(f"REVOCATION_STATE_{state.name}")
    for state in NoticeState
}
_WANTED = {number: state for state, number in _STATES.items()} | {
    revocation_pb2.REVOCATION_STATE_UNSPECIFIED: None
}


class RevocationServicer:
    """The notices by which recipients are told to use no longer what they received."""

    def __init__(self, means: Means) -> None:
        self._means = means

    async def get_notice(
        self,
        request: pb.GetNoticeRequest,
        call: Call,  # noqa: ARG002  the runtime's signature
    ) -> pb.GetNoticeResponse:
        """Return a notice."""
        name = fields.name("name", request.name, "revocations")
        return pb.GetNoticeResponse(notice=self._encode(await get_notice(self._means, name)))

    async def list_notices(
        self, request: pb.ListNoticesRequest, call: Call
    ) -> pb.ListNoticesResponse:
        """List notices, newest first."""
        if request.recipient:
            fields.name("recipient", request.recipient, "recipients")
        state = fields.one_of("state", request.state, _WANTED)
        wanted = NoticeFilter(request.recipient, state, request.overdue)
        page = fields.page(call, request, request.page_size, request.page_token)
        now = self._means.clock.now()
        found, following = await self._means.store.read(
            lambda records: records.notices.list(page, wanted, now)
        )
        return pb.ListNoticesResponse(
            notices=map(self._encode, found),
            next_page_token=fields.next_token(call, request, following),
        )

    async def retry_notice(
        self, request: pb.RetryNoticeRequest, call: Call
    ) -> pb.RetryNoticeResponse:
        """Have a notice sent anew."""
        name = fields.name("name", request.name, "revocations")
        once = fields.once(call, request, request.request_id, self._encode)
        answer = await retry_notice(self._means, once, name, fields.acting(call))
        return pb.RetryNoticeResponse(
            notice=revocation_pb2.RevocationNotice.FromString(answer),
            token=await self._means.feed.token(),
        )

    async def acknowledge_by_hand(
        self, request: pb.AcknowledgeByHandRequest, call: Call
    ) -> pb.AcknowledgeByHandResponse:
        """Note that the recipient acknowledged in another way."""
        name = fields.name("name", request.name, "revocations")
        note = fields.text("note", request.note, _MAX_NOTE, 1)
        once = fields.once(call, request, request.request_id, self._encode)
        answer = await acknowledge_by_hand(self._means, once, name, note, fields.acting(call))
        return pb.AcknowledgeByHandResponse(
            notice=revocation_pb2.RevocationNotice.FromString(answer),
            token=await self._means.feed.token(),
        )

    def _encode(self, value: Notice) -> revocation_pb2.RevocationNotice:
        return revocation_pb2.RevocationNotice(
            name=value.name,
            recipient=value.recipient,
            cause=_CAUSES[value.cause],
            decisions=value.decisions,
            contract=value.contract,
            state=_STATES[value.state],
            create_time=encoding.stamp(value.created),
            deadline_time=encoding.stamp(value.deadline),
            overdue=value.overdue(self._means.clock.now()),
            attempts=value.attempts,
            attempt_time=encoding.stamp(value.attempted),
            next_attempt_time=encoding.stamp(value.next_attempt),
            problem=value.problem,
            acknowledge_time=encoding.stamp(value.acknowledged),
            acknowledger=value.acknowledger,
            note=value.note,
        )
