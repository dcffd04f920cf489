"""Sharing over mTLS: what a person consents to, its history and its receipts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from accord.sharing.v1 import (
    consent_pb2,
    consent_service_pb2,
    consent_service_pb2_grpc,
    key_service_pb2,
    key_service_pb2_grpc,
)

from services.portal.domain.consents import (
    Answer,
    Consent,
    ConsentState,
    Receipt,
    Revision,
    Saying,
    Scope,
)
from services.portal.domain.person import Person
from services.portal.peers.convert import known, moment, stamp
from services.portal.peers.peer import PAGE, TIMEOUT, Peer
from services.portal.peers.vocabulary import enum_key

# Nothing is on record in the state UNKNOWN, so that no consent is shown in it.
_STATES = {
    consent_pb2.ConsentState.Value(f"CONSENT_STATE_{state.name}"): state for state in ConsentState
}


@dataclass(frozen=True)
class ConsentsPeer:
    """A person's consents."""

    consents: "Peer[consent_service_pb2_grpc.ConsentServiceAsyncStub]"
    keys: "Peer[key_service_pb2_grpc.KeyServiceAsyncStub]"

    async def all(self, person: Person) -> Sequence[Consent]:
        """Return the person's consents, newest first."""
        request = consent_service_pb2.ListConsentsRequest(page_size=PAGE)
        pages = self.consents.pages(person, lambda stub: stub.ListConsents, request)
        return [_consent(each) async for page in pages for each in page.consents]

    async def life(self, person: Person, key: str) -> tuple[Consent, Sequence[Revision]]:
        """Return one of the person's consents with its history, oldest step first."""
        request = consent_service_pb2.GetConsentRequest(name=_name(person, key))
        answer = await self.consents.ask(person, lambda stub: stub.GetConsent, request)
        steps = [
            Revision(_consent(each.consent), moment(each.record_time)) for each in answer.revisions
        ]
        return _consent(answer.consent), steps

    async def receipt(self, person: Person, key: str) -> Receipt:
        """Return the signed receipt of one of the person's consents."""
        request = consent_service_pb2.GetReceiptRequest(name=_name(person, key))
        answer = await self.consents.ask(person, lambda stub: stub.GetReceipt, request)
        return Receipt(answer.file_name, answer.content)

    async def receipt_keys(self) -> str:
        """Return the keys that verify receipts, a JSON Web Key Set; they are for everyone."""
        answer = await self.keys.call(
            lambda stub: stub.GetKeys, key_service_pb2.GetKeysRequest(past=True), timeout=TIMEOUT
        )
        return answer.jwks

    async def give(
        self,
        person: Person,
        request_id: str,
        asked: Scope | str,
        saying: Saying,
        expires: datetime | None,
    ) -> None:
        """Record a yes to a scope, or to the question of that key; once for a request id."""
        request = consent_service_pb2.GiveConsentRequest(
            request_id=request_id,
            expire_time=stamp(expires) if expires else None,
            notice=saying.notice,
            language=saying.language,
        )
        if saying.guardian:
            request.indication.method = consent_pb2.INDICATION_METHOD_GUARDIAN_FORM
            request.indication.indicator = consent_pb2.INDICATOR_GUARDIAN
            request.indication.name = saying.guardian
        if isinstance(asked, Scope):
            request.scope.CopyFrom(_scope_out(asked))
        else:
            request.name = _name(person, asked)
        await self.consents.ask(person, lambda stub: stub.GiveConsent, request)

    async def refuse(
        self, person: Person, request_id: str, asked: Scope | str, saying: Saying
    ) -> None:
        """Record a no to a scope, or to the question of that key; once for a request id."""
        request = consent_service_pb2.RefuseConsentRequest(
            request_id=request_id, notice=saying.notice, language=saying.language
        )
        if isinstance(asked, Scope):
            request.scope.CopyFrom(_scope_out(asked))
        else:
            request.name = _name(person, asked)
        await self.consents.ask(person, lambda stub: stub.RefuseConsent, request)

    async def defer(self, person: Person, request_id: str, key: str) -> None:
        """Put off the answer to a question."""
        request = consent_service_pb2.DeferConsentRequest(
            request_id=request_id, name=_name(person, key)
        )
        await self.consents.ask(person, lambda stub: stub.DeferConsent, request)

    async def withdraw(self, person: Person, request_id: str, key: str) -> None:
        """Withdraw a consent from now on."""
        request = consent_service_pb2.WithdrawConsentRequest(
            request_id=request_id, name=_name(person, key)
        )
        await self.consents.ask(person, lambda stub: stub.WithdrawConsent, request)


def _name(person: Person, key: str) -> str:
    return f"{person.account}/consents/{key}"


def _scope_out(scope: Scope) -> consent_pb2.ConsentScope:
    return consent_pb2.ConsentScope(
        service=scope.service,
        purposes=scope.purposes,
        categories=scope.categories,
        recipient=scope.recipient,
    )


def _consent(consent: consent_pb2.Consent) -> Consent:
    said = consent.indication
    return Consent(
        name=consent.name,
        scope=Scope(
            service=consent.scope.service,
            purposes=tuple(consent.scope.purposes),
            categories=tuple(consent.scope.categories),
            recipient=consent.scope.recipient,
        ),
        state=known(_STATES, consent.state),
        indicated=moment(consent.indicate_time),
        withdrawn=moment(consent.withdraw_time) if consent.HasField("withdraw_time") else None,
        expires=moment(consent.expire_time) if consent.HasField("expire_time") else None,
        notice=consent.notice,
        language=consent.language,
        answer=Answer(
            method=enum_key(
                consent_pb2.IndicationMethod.Name, said.method, "INDICATION_METHOD_"
            ).lower(),
            by=enum_key(consent_pb2.Indicator.Name, said.indicator, "INDICATOR_").lower(),
            name=said.name,
        ),
    )
