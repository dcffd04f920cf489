"""Serves accord.sharing.v1.PreferenceService."""

from accord.sharing.v1 import preference_pb2
from accord.sharing.v1 import preference_service_pb2 as pb

from runtime.call import Call
from services.sharing.api import decoding, encoding, fields
from services.sharing.cases.choose import choose
from services.sharing.cases.lift_choice import lift_choice
from services.sharing.cases.means import Means
from services.sharing.domain.ports import Request
from services.sharing.domain.records import Preference, PreferenceKind


class PreferenceServicer:
    """The standing choices of the person who acts."""

    def __init__(self, means: Means) -> None:
        self._means = means

    async def opt_out(self, request: pb.OptOutRequest, call: Call) -> pb.OptOutResponse:
        """Opt out of marketing or personalisation."""
        once = fields.once(call, request, request.request_id, encoding.preference)
        value = decoding.opt_out(request.choice)
        answer = await self._choose(once, call, PreferenceKind.OPT_OUT, "choice", value)
        return pb.OptOutResponse(
            preference=preference_pb2.Preference.FromString(answer),
            token=await self._means.feed.token(),
        )

    async def object(self, request: pb.ObjectRequest, call: Call) -> pb.ObjectResponse:
        """Object to a purpose."""
        once = fields.once(call, request, request.request_id, encoding.preference)
        kind = PreferenceKind.OBJECT_TO
        answer = await self._choose(once, call, kind, "purpose", request.purpose)
        return pb.ObjectResponse(
            preference=preference_pb2.Preference.FromString(answer),
            token=await self._means.feed.token(),
        )

    async def stop_sharing(
        self, request: pb.StopSharingRequest, call: Call
    ) -> pb.StopSharingResponse:
        """Stop sharing with a recipient or a kind of recipients."""
        once = fields.once(call, request, request.request_id, encoding.preference)
        value = decoding.recipient_scope("recipient", request.recipient)
        kind = PreferenceKind.STOP_SHARING_WITH
        answer = await self._choose(once, call, kind, "recipient", value)
        return pb.StopSharingResponse(
            preference=preference_pb2.Preference.FromString(answer),
            token=await self._means.feed.token(),
        )

    async def accept_notice(
        self, request: pb.AcceptNoticeRequest, call: Call
    ) -> pb.AcceptNoticeResponse:
        """Accept a version of a notice."""
        once = fields.once(call, request, request.request_id, encoding.preference)
        kind = PreferenceKind.ACCEPTED_NOTICE
        answer = await self._choose(once, call, kind, "notice", request.notice)
        return pb.AcceptNoticeResponse(
            preference=preference_pb2.Preference.FromString(answer),
            token=await self._means.feed.token(),
        )

    async def lift(self, request: pb.LiftRequest, call: Call) -> pb.LiftResponse:
        """Lift a choice from now on."""
        once = fields.once(call, request, request.request_id, encoding.preference)
        answer = await lift_choice(
            self._means,
            once,
            account=fields.person(call, self._means.region),
            name=fields.name("name", request.name, "preferences"),
            acting=fields.acting(call),
        )
        return pb.LiftResponse(
            preference=preference_pb2.Preference.FromString(answer),
            token=await self._means.feed.token(),
        )

    async def list_preferences(
        self, request: pb.ListPreferencesRequest, call: Call
    ) -> pb.ListPreferencesResponse:
        """List the person's choices, newest first, lifted ones included."""
        account = fields.person(call, self._means.region)
        page = fields.page(call, request, request.page_size, request.page_token)
        found, following = await self._means.store.read(
            lambda records: records.preferences.list(page, account)
        )
        return pb.ListPreferencesResponse(
            preferences=[encoding.preference(preference) for preference in found],
            next_page_token=fields.next_token(call, request, following),
        )

    async def _choose(
        self,
        once: Request[Preference],
        call: Call,
        kind: PreferenceKind,
        field: str,
        value: str,
    ) -> bytes:
        return await choose(
            self._means,
            once,
            account=fields.person(call, self._means.region),
            kind=kind,
            field=field,
            value=value,
            acting=fields.acting(call),
        )
