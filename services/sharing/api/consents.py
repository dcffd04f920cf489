"""Serves accord.sharing.v1.ConsentService."""

from accord.sharing.v1 import consent_pb2
from accord.sharing.v1 import consent_service_pb2 as pb

from runtime.call import Call
from services.sharing.api import decoding, encoding, fields
from services.sharing.cases.answer_consent import answer_consent
from services.sharing.cases.means import Means
from services.sharing.cases.withdraw_consent import withdraw_consent
from services.sharing.domain.records import ConsentState


class ConsentServicer:
    """What the person who acts consents to."""

    def __init__(self, means: Means) -> None:
        self._means = means

    async def give_consent(
        self, request: pb.GiveConsentRequest, call: Call
    ) -> pb.GiveConsentResponse:
        """Record a consent."""
        fields.required("scope", request, "scope")
        once = fields.once(call, request, request.request_id, encoding.consent)
        expires = None
        if request.HasField("expire_time"):
            expires = fields.moment("expire_time", request.expire_time)
        answer = await answer_consent(
            self._means,
            once,
            account=fields.person(call, self._means.region),
            scope=decoding.scope(request.scope),
            state=ConsentState.GIVEN,
            expires=expires,
            notice=request.notice,
            language=decoding.language(request.language),
            acting=fields.acting(call),
        )
        return pb.GiveConsentResponse(consent=consent_pb2.Consent.FromString(answer))

    async def refuse_consent(
        self, request: pb.RefuseConsentRequest, call: Call
    ) -> pb.RefuseConsentResponse:
        """Record a refusal."""
        fields.required("scope", request, "scope")
        once = fields.once(call, request, request.request_id, encoding.consent)
        answer = await answer_consent(
            self._means,
            once,
            account=fields.person(call, self._means.region),
            scope=decoding.scope(request.scope),
            state=ConsentState.REFUSED,
            expires=None,
            notice=request.notice,
            language=decoding.language(request.language),
            acting=fields.acting(call),
        )
        return pb.RefuseConsentResponse(consent=consent_pb2.Consent.FromString(answer))

    async def withdraw_consent(
        self, request: pb.WithdrawConsentRequest, call: Call
    ) -> pb.WithdrawConsentResponse:
        """Withdraw a consent from now on."""
        once = fields.once(call, request, request.request_id, encoding.consent)
        answer = await withdraw_consent(
            self._means,
            once,
            account=fields.person(call, self._means.region),
            name=fields.name("name", request.name, "consents"),
            acting=fields.acting(call),
        )
        return pb.WithdrawConsentResponse(consent=consent_pb2.Consent.FromString(answer))

    async def list_consents(
        self, request: pb.ListConsentsRequest, call: Call
    ) -> pb.ListConsentsResponse:
        """List the person's consents, newest first."""
        account = fields.person(call, self._means.region)
        page = fields.page(call, request, request.page_size, request.page_token)
        found, following = await self._means.store.read(
            lambda records: records.consents.list(page, account)
        )
        return pb.ListConsentsResponse(
            consents=[encoding.consent(consent) for consent in found],
            next_page_token=fields.next_token(call, request, following),
        )
