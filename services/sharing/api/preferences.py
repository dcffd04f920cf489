"""Serves accord.sharing.v1.PreferenceService."""

from collections.abc import Mapping

from accord.sharing.v1 import decision_pb2, preference_pb2
from accord.sharing.v1 import preference_service_pb2 as pb

from runtime.call import Call
from services.sharing.api import decoding, encoding, fields
from services.sharing.api.holders import Holders
from services.sharing.cases.choose import Choice, choose
from services.sharing.cases.lift_choice import lift_choice
from services.sharing.cases.means import Means
from services.sharing.cases.review_notices import review_notices
from services.sharing.domain.records import RESTRICTION, PreferenceKind

_Choosing = (
    pb.OptOutRequest
    | pb.ObjectRequest
    | pb.StopSharingRequest
    | pb.RestrictRequest
    | pb.AcceptNoticeRequest
)


class PreferenceServicer:
    """The standing choices of people and guests."""

    def __init__(self, means: Means, apps: Mapping[str, frozenset[str]]) -> None:
        self._means = means
        self._holders = Holders(means, apps)

    async def opt_out(self, request: pb.OptOutRequest, call: Call) -> pb.OptOutResponse:
        """Opt out of marketing or personalisation."""
        holder = self._holders.of(call, _guest(request))
        choice = Choice(
            PreferenceKind.OPT_OUT, "choice", decoding.opt_out(request.choice), _app(call)
        )
        preference, token = await self._choose(request, call, holder, choice)
        return pb.OptOutResponse(preference=preference, token=token)

    async def object(self, request: pb.ObjectRequest, call: Call) -> pb.ObjectResponse:
        """Object to a purpose."""
        holder = self._holders.of(call, _guest(request))
        choice = Choice(PreferenceKind.OBJECT_TO, "purpose", request.purpose, _app(call))
        preference, token = await self._choose(request, call, holder, choice)
        return pb.ObjectResponse(preference=preference, token=token)

    async def stop_sharing(
        self, request: pb.StopSharingRequest, call: Call
    ) -> pb.StopSharingResponse:
        """Stop sharing with a recipient or a kind of recipients."""
        holder = self._holders.of(call, _guest(request))
        value = decoding.recipient_scope("recipient", request.recipient)
        choice = Choice(PreferenceKind.STOP_SHARING_WITH, "recipient", value, _app(call))
        preference, token = await self._choose(request, call, holder, choice)
        return pb.StopSharingResponse(preference=preference, token=token)

    async def restrict(self, request: pb.RestrictRequest, call: Call) -> pb.RestrictResponse:
        """Restrict the use of the person's data."""
        holder = fields.person(call, self._means.region)
        choice = Choice(PreferenceKind.RESTRICT, "", RESTRICTION)
        preference, token = await self._choose(request, call, holder, choice)
        return pb.RestrictResponse(preference=preference, token=token)

    async def accept_notice(
        self, request: pb.AcceptNoticeRequest, call: Call
    ) -> pb.AcceptNoticeResponse:
        """Accept a version of a notice."""
        holder = fields.person(call, self._means.region)
        choice = Choice(PreferenceKind.ACCEPTED_NOTICE, "notice", request.notice)
        preference, token = await self._choose(request, call, holder, choice)
        return pb.AcceptNoticeResponse(preference=preference, token=token)

    async def lift(self, request: pb.LiftRequest, call: Call) -> pb.LiftResponse:
        """Lift a choice from now on."""
        answer = await lift_choice(
            self._means,
            fields.once(call, request, request.request_id, encoding.preference),
            holder=self._holders.of(call, _guest(request)),
            name=fields.name("name", request.name, "preferences"),
            app=_app(call),
            acting=fields.acting(call),
        )
        return pb.LiftResponse(
            preference=preference_pb2.Preference.FromString(answer),
            token=await self._means.feed.token(),
        )

    async def list_notice_changes(
        self,
        request: pb.ListNoticeChangesRequest,  # noqa: ARG002  the runtime's signature
        call: Call,
    ) -> pb.ListNoticeChangesResponse:
        """Tell what is new in the notices in force since the versions that were accepted."""
        changes = await review_notices(self._means, fields.person(call, self._means.region))
        return pb.ListNoticeChangesResponse(changes=map(encoding.notice_change, changes))

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
        self, request: _Choosing, call: Call, holder: str, choice: Choice
    ) -> tuple[preference_pb2.Preference, str]:
        """Record a choice; return it with the token of the write."""
        answer = await choose(
            self._means,
            fields.once(call, request, request.request_id, encoding.preference),
            holder=holder,
            choice=choice,
            acting=fields.acting(call),
        )
        return preference_pb2.Preference.FromString(answer), await self._means.feed.token()


def _app(call: Call) -> str:
    """Return whose guest chooses; empty for a person."""
    return call.caller.name if call.caller.kind == "app" else ""


def _guest(
    request: pb.OptOutRequest | pb.ObjectRequest | pb.StopSharingRequest | pb.LiftRequest,
) -> decision_pb2.Guest | None:
    return request.guest if request.HasField("guest") else None
