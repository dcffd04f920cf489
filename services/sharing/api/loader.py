"""Serves accord.sharing.v1.LoaderService, in policy tests alone."""

from dataclasses import replace

from accord.sharing.v1 import (
    consent_pb2,
    contract_pb2,
    instrument_pb2,
    preference_pb2,
    recipient_pb2,
)
from accord.sharing.v1 import loader_service_pb2 as pb

from runtime.call import Call
from runtime.ids import require_home
from services.sharing.api import decoding, encoding, fields, instruments, terms
from services.sharing.cases.load_facts import ALWAYS, GivenFacts, StandingContract, load_facts
from services.sharing.cases.means import Means
from services.sharing.domain.instrument import LegalInstrument, Step
from services.sharing.domain.ports import Request
from services.sharing.domain.records import (
    Consent,
    ConsentState,
    Preference,
    PreferenceKind,
    Recipient,
)

_CONTRACTS = {number: state for state, number in encoding.CONTRACTS.items()}
_CONSENTS = {number: state for state, number in encoding.CONSENTS.items()}


class LoaderServicer:
    """Fills an empty store with facts as they stand."""

    def __init__(self, means: Means) -> None:
        self._means = means

    async def load(self, request: pb.LoadRequest, call: Call) -> pb.LoadResponse:
        """Load facts."""
        acting = fields.acting(call)
        once: Request[None] = fields.once(
            call, request, request.request_id, lambda _: pb.LoadResponse()
        )
        await load_facts(self._means, once, self._given(request, acting.who), acting)
        return pb.LoadResponse(token=await self._means.feed.token())

    def _given(self, request: pb.LoadRequest, who: str) -> GivenFacts:
        region = self._means.region
        return GivenFacts(
            subjects=[decoding.subject(message, region) for message in request.subjects],
            recipients=[self._recipient(message) for message in request.recipients],
            contracts=[_contract(message) for message in request.contracts],
            consents=[
                (_holder(message.name, "consents", region), _consent(message))
                for message in request.consents
            ],
            preferences=[
                (_holder(message.name, "preferences", region), _preference(message))
                for message in request.preferences
            ],
            instruments=[_instrument(message, region, who) for message in request.instruments],
        )

    def _recipient(self, message: recipient_pb2.Recipient) -> Recipient:
        return Recipient(
            name=fields.name("recipients.name", message.name, "recipients"),
            display_name=message.display_name,
            kind=message.kind,
            jurisdiction=fields.country(message.jurisdiction),
            created=self._means.clock.now(),
        )


def _contract(message: contract_pb2.Contract) -> StandingContract:
    fields.required("contracts.terms", message, "terms")
    return StandingContract(
        name=fields.name("contracts.name", message.name, "contracts"),
        recipient=fields.name("contracts.recipient", message.recipient, "recipients"),
        state=fields.one_of("contracts.state", message.state, _CONTRACTS),
        terms=terms.decode(message.terms),
    )


def _consent(message: consent_pb2.Consent) -> Consent:
    state = fields.one_of("consents.state", message.state, _CONSENTS)
    fields.required("consents.indicate_time", message, "indicate_time")
    at = fields.moment("consents.indicate_time", message.indicate_time)
    ends = message.HasField("expire_time")
    return Consent(
        name=message.name,
        scope=decoding.scope(message.scope),
        state=state,
        at=at,
        expires=fields.moment("consents.expire_time", message.expire_time) if ends else None,
        withdrawn=at if state is ConsentState.WITHDRAWN else None,
        notice=message.notice,
        language=message.language,
    )


def _preference(message: preference_pb2.Preference) -> Preference:
    fields.required("preferences.create_time", message, "create_time")
    kind, value = _choice(message)
    return Preference(
        name=message.name,
        kind=kind,
        value=value,
        at=fields.moment("preferences.create_time", message.create_time),
    )


def _choice(message: preference_pb2.Preference) -> tuple[PreferenceKind, str]:
    if message.object_to:
        return PreferenceKind.OBJECT_TO, message.object_to
    if message.accepted_notice:
        return PreferenceKind.ACCEPTED_NOTICE, message.accepted_notice
    if message.stop_sharing_with:
        scope = decoding.recipient_scope("preferences.stop_sharing_with", message.stop_sharing_with)
        return PreferenceKind.STOP_SHARING_WITH, scope
    return PreferenceKind.OPT_OUT, decoding.opt_out(message.opt_out)


def _instrument(message: instrument_pb2.Instrument, region: str, who: str) -> LegalInstrument:
    step = Step(who, ALWAYS)
    read = instruments.decode(message, region, step)
    name = fields.name("instruments.name", message.name, "instruments")
    return replace(read, orders=replace(read.orders, id=name), activated=step)


def _holder(name: str, collection: str, region: str) -> str:
    """Return whose consent or choice it is; WRONG_REGION for an account of another home."""
    fields.name(f"{collection}.name", name, collection)
    account = name.rpartition(f"/{collection}/")[0]
    require_home(account, region, f"{collection}.name")
    return account
