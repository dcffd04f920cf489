"""Explain of a past moment answers what Check answered then, whatever happened since."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import grpc
from accord.sharing.v1 import (
    analysis_service_pb2,
    consent_pb2,
    consent_service_pb2,
    contract_service_pb2,
    decision_pb2,
    decision_service_pb2,
    freshness_pb2,
    instrument_service_pb2,
    preference_pb2,
    preference_service_pb2,
    subject_pb2,
)
from google.protobuf.empty_pb2 import Empty
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.errors import from_error
from runtime.ids import new_account
from tests.contract.sharing.conftest import Sharing, request_id, terms_of
from tests.contract.sharing.test_instruments import paper

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

RECIPIENTS = {
    "ads": "service_provider.advertising",
    "guard": "fraud_partner",
    "police": "law_enforcement",
}
# What is asked: something on consent, on interest, by law, and for a service with two notices.
QUESTIONS: list[dict[str, Any]] = [
    {"recipient": "ads", "purpose": "direct_marketing", "categories": ["contact.email"]},
    {
        "recipient": "ads",
        "purpose": "personalised_recommendation",
        "categories": ["contact.email", "usage.search"],
    },
    {
        "recipient": "guard",
        "purpose": "fraud_prevention",
        "categories": ["account.reliability", "account.id"],
    },
    {"recipient": "police", "purpose": "legal_disclosure", "categories": ["order.details"]},
    {
        "service": "mi_com",
        "recipient": "guard",
        "purpose": "fraud_prevention",
        "categories": ["account.id"],
    },
]
SCOPES = [("direct_marketing", "contact.email"), ("personalised_recommendation", "usage")]
TERMS: list[dict[str, Any]] = [
    {"purposes": ["direct_marketing"]},
    {"purposes": ["direct_marketing", "personalised_recommendation"], "categories": ["usage"]},
    {"purposes": ["fraud_prevention"], "categories": ["account"]},
    {"purposes": ["fraud_prevention"], "categories": ["account"], "effective_date": "2026-06-03"},
    {"purposes": ["direct_marketing"], "expire_date": "2026-06-02"},
]
STATUSES = [
    subject_pb2.SUBJECT_STATUS_ACTIVE,
    subject_pb2.SUBJECT_STATUS_FROZEN,
    subject_pb2.SUBJECT_STATUS_RESTRICTED,
    subject_pb2.SUBJECT_STATUS_ACTIVE,
]


@dataclass
class Remembered:
    """What Check answered at a moment."""

    question: decision_pb2.Question
    decision: decision_pb2.Decision

    @property
    def moment(self) -> datetime:
        return self.decision.decide_time.ToDatetime()


@dataclass
class Life:
    """One person and three recipients, to whom things happen."""

    sharing: Sharing
    version: int = 0
    consents: list[str] = field(default_factory=list)
    choices: list[str] = field(default_factory=list)
    contracts: list[Any] = field(default_factory=list)
    instruments: list[str] = field(default_factory=list)
    remembered: list[Remembered] = field(default_factory=list)

    async def begin(self) -> None:
        self.sharing.person = new_account("nl")
        tail = self.sharing.person[-8:]
        self.names = {
            slug: await self.sharing.register(f"{slug}-{tail}", kind)
            for slug, kind in RECIPIENTS.items()
        }

    def _recipient(self, pick: int) -> str:
        return [*self.names.values()][pick % len(self.names)]

    async def told_of(self, pick: int) -> None:
        self.version += 1
        status = STATUSES[pick % len(STATUSES)]
        await self.sharing.know_person(version=self.version, status=status)

    async def give(self, pick: int) -> None:
        request = consent_service_pb2.GiveConsentRequest(
            request_id=request_id(), scope=self._scope(pick), notice="live-chat", language="en"
        )
        if pick % 3 == 0:
            request.expire_time.FromDatetime(self.sharing.bench.clock.now() + timedelta(hours=20))
        answer = await self.sharing.by_person("consents", "GiveConsent", request)
        self.consents.append(answer.consent.name)

    async def refuse(self, pick: int) -> None:
        request = consent_service_pb2.RefuseConsentRequest(
            request_id=request_id(), scope=self._scope(pick), notice="live-chat", language="en"
        )
        await self.sharing.by_person("consents", "RefuseConsent", request)

    def _scope(self, pick: int) -> consent_pb2.ConsentScope:
        purpose, category = SCOPES[pick % len(SCOPES)]
        to = self.names["ads"] if pick % 2 else "service_provider"
        return consent_pb2.ConsentScope(purposes=[purpose], categories=[category], recipient=to)

    async def withdraw(self, pick: int) -> None:
        request = consent_service_pb2.WithdrawConsentRequest(
            request_id=request_id(), name=self.consents[pick % len(self.consents)]
        )
        await self.sharing.by_person("consents", "WithdrawConsent", request)

    async def choose(self, pick: int) -> None:
        once = request_id()
        requests: list[tuple[str, Any]] = [
            (
                "OptOut",
                preference_service_pb2.OptOutRequest(
                    request_id=once, choice=preference_pb2.OPT_OUT_CHOICE_DIRECT_MARKETING
                ),
            ),
            (
                "Object",
                preference_service_pb2.ObjectRequest(request_id=once, purpose="fraud_prevention"),
            ),
            (
                "StopSharing",
                preference_service_pb2.StopSharingRequest(
                    request_id=once, recipient=self._recipient(pick)
                ),
            ),
            (
                "AcceptNotice",
                preference_service_pb2.AcceptNoticeRequest(
                    request_id=once, notice="mi-com@2021-07-22"
                ),
            ),
        ]
        method, request = requests[pick % len(requests)]
        answer = await self.sharing.by_person("preferences", method, request)
        self.choices.append(answer.preference.name)

    async def lift(self, pick: int) -> None:
        request = preference_service_pb2.LiftRequest(
            request_id=request_id(), name=self.choices[pick % len(self.choices)]
        )
        await self.sharing.by_person("preferences", "Lift", request)

    async def draft(self, pick: int) -> None:
        slug = "guard" if "fraud_prevention" in TERMS[pick % len(TERMS)]["purposes"] else "ads"
        terms = TERMS[pick % len(TERMS)]
        self.contracts.append(await self.sharing.draft(self.names[slug], **terms))

    async def amend(self, pick: int) -> None:
        terms = terms_of(**TERMS[(pick + 1) % len(TERMS)])
        await self._move(pick, "Amend", terms=terms)

    async def submit(self, pick: int) -> None:
        await self._move(pick, "Submit")

    async def activate(self, pick: int) -> None:
        await self._move(pick, "Activate")

    async def sign(self, pick: int) -> None:
        """All the way to a contract in force, at three moments."""
        await self.draft(pick)
        for method in ("Submit", "Activate"):
            self.pass_time(1)
            await self._move(-1, method)

    async def suspend(self, pick: int) -> None:
        await self._move(pick, "Suspend")

    async def terminate(self, pick: int) -> None:
        await self._move(pick, "Terminate")

    async def _move(self, pick: int, verb: str, **more: Any) -> None:
        at = pick % len(self.contracts)
        known = self.contracts[at]
        version = {"version": known.version} if verb not in {"Suspend", "Terminate"} else {}
        request = getattr(contract_service_pb2, f"{verb}ContractRequest")(
            request_id=request_id(), name=known.name, **version, **more
        )
        who = self.sharing.second if verb == "Activate" else self.sharing.officer
        answer = await self.sharing.by_officer("contracts", f"{verb}Contract", request, who=who)
        self.contracts[at] = answer.contract

    async def order(self, pick: int) -> None:
        """An instrument arrives, and perhaps a second officer looks at it."""
        request = instrument_service_pb2.CreateInstrumentRequest(
            request_id=request_id(), instrument=paper(self.sharing)
        )
        answer = await self.sharing.by_officer("instruments", "CreateInstrument", request)
        self.instruments.append(answer.instrument.name)
        self.pass_time(1)
        if pick % 2:
            await self._step("Activate", -1, self.sharing.second)

    async def revoke(self, pick: int) -> None:
        await self._step("Revoke", -1 - pick % 2, self.sharing.officer)

    async def _step(self, verb: str, pick: int, who: str) -> None:
        name = self.instruments[pick % len(self.instruments)]
        request = getattr(instrument_service_pb2, f"{verb}InstrumentRequest")(
            request_id=request_id(), name=name
        )
        await self.sharing.by_officer("instruments", f"{verb}Instrument", request, who=who)

    async def ask(self, pick: int) -> None:
        given = QUESTIONS[pick % len(QUESTIONS)]
        if given["purpose"] == "legal_disclosure" and self.instruments:
            given = {**given, "instrument": self.instruments[-1]}
        question = self.sharing.question(**{**given, "recipient": self.names[given["recipient"]]})
        fresh = freshness_pb2.Freshness(fully_consistent=Empty())
        request = decision_service_pb2.CheckRequest(question=question, freshness=fresh)
        app = "app/" + question.service.replace("_", "-")
        answer = await self.sharing.call("decisions", "Check", request, as_=app)
        self.remembered.append(Remembered(question, answer.decision))

    def pass_time(self, pick: int) -> None:
        self.sharing.bench.clock.advance(timedelta(minutes=1 + pick * 97))

    async def look_back(self, remembered: Remembered) -> None:
        request = analysis_service_pb2.ExplainRequest(question=remembered.question)
        request.as_of_time.CopyFrom(remembered.decision.decide_time)
        answer = await self.sharing.call("analysis", "Explain", request, as_="staff/auditor/eva")
        then, now = remembered.decision, answer.explanation
        assert now.historical
        told = [each.reason for gate in now.gates for each in gate.reasons]
        told.sort(key=lambda reason: reason.outcome)  # what denies goes before the gaps
        assert (now.outcome, told) == (then.outcome, list(then.reasons)), remembered.moment
        assert now.permitted_categories == then.permitted_categories
        assert now.contract == then.contract
        assert list(now.grounds) == list(then.grounds)


EVENTS: dict[str, Callable[[Life, int], Awaitable[None]]] = {
    "told_of": Life.told_of,
    "give": Life.give,
    "refuse": Life.refuse,
    "withdraw": Life.withdraw,
    "choose": Life.choose,
    "lift": Life.lift,
    "draft": Life.draft,
    "amend": Life.amend,
    "submit": Life.submit,
    "activate": Life.activate,
    "sign": Life.sign,
    "suspend": Life.suspend,
    "terminate": Life.terminate,
    "order": Life.order,
    "revoke": Life.revoke,
}
# What people and officers do most comes more often, so that what was done is also undone.
OFTEN = [
    *("told_of", "give", "withdraw", "choose", "lift", "sign", "suspend", "terminate"),
    *("order", "revoke"),
]
STEPS = st.tuples(st.sampled_from([*sorted(EVENTS), *OFTEN, *OFTEN]), st.integers(0, 11))
# A step that the service refuses changes nothing, and is part of the history all the same.
REFUSALS = {"WRONG_STATE", "CONFLICT", "INVALID_FIELD", "FOUR_EYES"}


@given(steps=st.lists(STEPS, min_size=12, max_size=24))
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_what_check_answered_then_is_what_explain_answers_of_then(
    sharing: Sharing, steps: list[tuple[str, int]]
) -> None:
    life = Life(sharing)
    await life.begin()
    for at, (name, pick) in enumerate(steps):
        life.pass_time(pick)
        try:
            await EVENTS[name](life, pick)
        except ZeroDivisionError:  # there is none yet of what it would happen to
            continue
        except grpc.aio.AioRpcError as error:
            if from_error(error, "sharing").reason not in REFUSALS:
                raise
        life.pass_time(0)
        for ask in range(len(QUESTIONS)):
            await life.ask(ask)
        if at % 5 == 4:
            life.pass_time(0)
            await life.look_back(life.remembered[pick % len(life.remembered)])
    life.pass_time(11)
    for remembered in life.remembered:
        await life.look_back(remembered)
