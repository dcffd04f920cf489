"""Serves accord.sharing.v1.ConsentService."""

from collections.abc import Mapping

from accord.sharing.v1 import consent_pb2, decision_pb2
from accord.sharing.v1 import consent_service_pb2 as pb

from runtime.call import Call
from runtime.fault import Fault, invalid, not_found
from runtime.ids import require_home
from services.sharing.api import decoding, encoding, fields
from services.sharing.api.holders import Holders
from services.sharing.cases.answer_consent import Said, answer_consent
from services.sharing.cases.give_receipt import give_receipt
from services.sharing.cases.means import Means
from services.sharing.cases.request_consent import request_consent
from services.sharing.cases.step_consent import step_consent
from services.sharing.domain.consent_steps import ConsentStep
from services.sharing.domain.ports import Request
from services.sharing.domain.records import (
    Consent,
    Indication,
    IndicationMethod,
    Indicator,
    Scope,
)

_MAX_NOTE = 400
_FOR_THE_RECORD = Indication(IndicationMethod.RECORD, Indicator.CONTROLLER)


class ConsentServicer:
    """What people and guests consent to."""

    def __init__(self, means: Means, apps: Mapping[str, frozenset[str]]) -> None:
        self._means = means
        self._holders = Holders(means, apps)
        self._apps = apps

    async def give_consent(
        self, request: pb.GiveConsentRequest, call: Call
    ) -> pb.GiveConsentResponse:
        """Record a consent."""
        consent, token = await self._answer(ConsentStep.GIVE, request, call)
        return pb.GiveConsentResponse(consent=consent, token=token)

    async def refuse_consent(
        self, request: pb.RefuseConsentRequest, call: Call
    ) -> pb.RefuseConsentResponse:
        """Record a refusal."""
        consent, token = await self._answer(ConsentStep.REFUSE, request, call)
        return pb.RefuseConsentResponse(consent=consent, token=token)

    async def defer_consent(
        self, request: pb.DeferConsentRequest, call: Call
    ) -> pb.DeferConsentResponse:
        """Put off the answer to a question."""
        answer = await step_consent(
            self._means,
            self._once(call, request),
            holder=fields.person(call, self._means.region),
            name=fields.name("name", request.name, "consents"),
            step=ConsentStep.DEFER,
            indication=Indication(),
            acting=fields.acting(call),
        )
        consent, token = await self._written(answer)
        return pb.DeferConsentResponse(consent=consent, token=token)

    async def withdraw_consent(
        self, request: pb.WithdrawConsentRequest, call: Call
    ) -> pb.WithdrawConsentResponse:
        """Withdraw a consent from now on."""
        answer = await step_consent(
            self._means,
            self._once(call, request),
            holder=self._holders.of(call, _guest(request)),
            name=fields.name("name", request.name, "consents"),
            step=ConsentStep.WITHDRAW,
            indication=decoding.indication(request.indication, call),
            acting=fields.acting(call),
            services=self._holders.services(call),
        )
        consent, token = await self._written(answer)
        return pb.WithdrawConsentResponse(consent=consent, token=token)

    async def request_consent(
        self, request: pb.RequestConsentRequest, call: Call
    ) -> pb.RequestConsentResponse:
        """Ask a person for consent."""
        require_home(request.account, self._means.region)
        fields.required("scope", request, "scope")
        app, service = call.caller.name, request.scope.service
        if service not in self._apps.get(app, ()):
            if service not in self._means.rulebook.services:
                raise invalid("scope.service", "unknown key")
            raise Fault(
                "APP_NOT_BOUND",
                "this app may not ask for this service",
                metadata={"app": app, "service": service},
            )
        answer = await request_consent(
            self._means,
            self._once(call, request),
            account=request.account,
            scope=decoding.scope(request.scope),
            acting=fields.acting(call),
        )
        consent, token = await self._written(answer)
        return pb.RequestConsentResponse(consent=consent, token=token)

    async def revoke_consent(
        self, request: pb.RevokeConsentRequest, call: Call
    ) -> pb.RevokeConsentResponse:
        """Revoke a consent in the place of its person."""
        consent, token = await self._end(ConsentStep.REVOKE, request, call)
        return pb.RevokeConsentResponse(consent=consent, token=token)

    async def invalidate_consent(
        self, request: pb.InvalidateConsentRequest, call: Call
    ) -> pb.InvalidateConsentResponse:
        """Record that a consent was found to be none."""
        consent, token = await self._end(ConsentStep.INVALIDATE, request, call)
        return pb.InvalidateConsentResponse(consent=consent, token=token)

    async def get_consent(self, request: pb.GetConsentRequest, call: Call) -> pb.GetConsentResponse:
        """Return one of the person's consents with its history."""
        account = fields.person(call, self._means.region)
        name = fields.name("name", request.name, "consents")
        found = await self._means.store.read(
            lambda records: records.consents.revisions(account, name)
        )
        if not found:
            raise not_found(name)
        return pb.GetConsentResponse(
            consent=encoding.consent(found[-1].consent, self._means.clock.now()),
            revisions=[encoding.revision(each) for each in found],
        )

    async def get_receipt(self, request: pb.GetReceiptRequest, call: Call) -> pb.GetReceiptResponse:
        """Return the receipt of a consent of the person or guest."""
        guest = _guest(request)
        file = await give_receipt(
            self._means,
            self._holders.of(call, guest),
            fields.name("name", request.name, "consents"),
            country=fields.country(guest.jurisdiction) if guest else "",
            services=self._holders.services(call),
        )
        return pb.GetReceiptResponse(content=file.content, file_name=file.name)

    async def list_consents(
        self, request: pb.ListConsentsRequest, call: Call
    ) -> pb.ListConsentsResponse:
        """List the person's consents, newest first."""
        account = fields.person(call, self._means.region)
        page = fields.page(call, request, request.page_size, request.page_token)
        found, following = await self._means.store.read(
            lambda records: records.consents.list(page, account)
        )
        now = self._means.clock.now()
        return pb.ListConsentsResponse(
            consents=[encoding.consent(consent, now) for consent in found],
            next_page_token=fields.next_token(call, request, following),
        )

    async def _answer(
        self,
        step: ConsentStep,
        request: pb.GiveConsentRequest | pb.RefuseConsentRequest,
        call: Call,
    ) -> tuple[consent_pb2.Consent, str]:
        """Record a yes or a no, to a scope or to a question by name."""
        if request.HasField("scope") == bool(request.name):
            raise invalid("scope", "either a scope or a name is needed")
        asked: Scope | str
        if request.name:
            asked = fields.name("name", request.name, "consents")
        else:
            asked = decoding.scope(request.scope)
            self._holders.require_service(call, asked.service)
        expires = None
        if isinstance(request, pb.GiveConsentRequest) and request.HasField("expire_time"):
            expires = fields.moment("expire_time", request.expire_time)
        answer = await answer_consent(
            self._means,
            self._once(call, request),
            holder=self._holders.of(call, _guest(request)),
            said=Said(
                step=step,
                asked=asked,
                expires=expires,
                notice=request.notice,
                language=decoding.language(request.language),
                indication=decoding.indication(request.indication, call),
            ),
            acting=fields.acting(call),
            services=self._holders.services(call),
        )
        return await self._written(answer)

    async def _end(
        self,
        step: ConsentStep,
        request: pb.RevokeConsentRequest | pb.InvalidateConsentRequest,
        call: Call,
    ) -> tuple[consent_pb2.Consent, str]:
        """End a consent for an officer, who says why."""
        name = fields.name("name", request.name, "consents")
        holder = name.partition("/consents/")[0]
        require_home(holder, self._means.region, "name")
        answer = await step_consent(
            self._means,
            self._once(call, request),
            holder=holder,
            name=name,
            step=step,
            indication=_FOR_THE_RECORD,
            acting=fields.acting(call),
            note=fields.text("note", request.note, _MAX_NOTE, 1),
        )
        return await self._written(answer)

    async def _written(self, answer: bytes) -> tuple[consent_pb2.Consent, str]:
        """Return the consent as it was answered, and the token of what is known now."""
        return consent_pb2.Consent.FromString(answer), await self._means.feed.token()

    def _once(self, call: Call, request: "_Mutation") -> Request[Consent]:
        now = self._means.clock.now()
        return fields.once(
            call, request, request.request_id, lambda consent: encoding.consent(consent, now)
        )


_Mutation = (
    pb.GiveConsentRequest
    | pb.RefuseConsentRequest
    | pb.DeferConsentRequest
    | pb.WithdrawConsentRequest
    | pb.RequestConsentRequest
    | pb.RevokeConsentRequest
    | pb.InvalidateConsentRequest
)


def _guest(
    request: pb.GiveConsentRequest
    | pb.RefuseConsentRequest
    | pb.WithdrawConsentRequest
    | pb.GetReceiptRequest,
) -> decision_pb2.Guest | None:
    return request.guest if request.HasField("guest") else None
