"""Invariants 1, 2 and 9 while several people write and ask at once, on every replica there is."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any

import pytest
from accord.sharing.v1 import (
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
from accord.sharing.v1.decision_pb2 import OUTCOME_PERMIT
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from runtime.ids import new_account
from runtime.testing import serving
from services.sharing.main import assembled
from tests.contract.sharing.conftest import Sharing, request_id, terms_of
from tests.contract.sharing.test_instruments import activated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

BOUND_S = 1.0  # invariant 2, without a token
MARKETING = {"purpose": "direct_marketing", "categories": ["contact.email"]}
FRAUD = {"purpose": "fraud_prevention", "categories": ["account.reliability", "account.id"]}
LAW = {"purpose": "legal_disclosure", "categories": ["order.details"], "relation": ""}
# What stands in the way of each question: consents, choices, the account, contracts, orders.
STOPS = {
    "ads": {"ended", "stopped", "opted_out", "deleted"},
    "guard": {"objected", "restricted", "frozen", "suspended", "deleted"},
    "spare": {"objected", "restricted", "frozen", "amended", "terminated", "deleted"},
    "police": {"revoked"},
}
ALL = "all"  # asked as one batch
ENDS = {"terminated", "revoked"}  # there is no way back from these, nor from what is deleted
WRITES = sorted(set().union(*STOPS.values()) - ENDS - {"deleted"})


@pytest.fixture
async def replicas(sharing: Sharing) -> AsyncIterator[list[Sharing]]:
    """Every process that a database may have: one with SQLite, two with PostgreSQL."""
    if sharing.url.startswith("sqlite"):
        yield [sharing]
        return
    bench = sharing.bench
    async with (
        assembled(
            sharing.settings, clock=bench.clock, actor_keys=bench.actor_keys, traces=bench.traces
        ) as server,
        serving(server),
    ):
        yield [sharing, Sharing(bench, server, sharing.url, sharing.stack, sharing.settings)]


@dataclass
class World:
    """A person, an advertiser, two partners against fraud, the police, and what stands in the way.

    The second partner's contract is there to be terminated, and the court's order to be revoked.
    """

    replicas: list[Sharing]
    standing: set[str] = field(default_factory=lambda: {"ended"})
    token: str = ""
    version: int = 1
    amendment: int = 1
    ways: dict[str, int] = field(default_factory=dict)  # how each write of a turn is done
    contract: Any = None
    made: dict[str, str] = field(default_factory=dict)
    answers: list[decision_pb2.Decision] = field(default_factory=list)

    async def begin(self) -> None:
        first, person = self.replicas[0], new_account("nl")
        for replica in self.replicas:
            replica.person = person
            replica.officer, replica.second = first.officer, first.second
        tail = person[-8:]
        await first.know_person()
        self.ads = await first.register(f"ads-{tail}", "service_provider.advertising")
        self.guard = await first.register(f"guard-{tail}", "fraud_partner")
        await first.in_force(self.ads, purposes=["direct_marketing"])
        self.spare = await first.register(f"spare-{tail}", "fraud_partner")
        self.police = await first.register(f"police-{tail}", "law_enforcement", "NL")
        terms: dict[str, Any] = {"purposes": ["fraud_prevention"], "categories": ["account"]}
        self.contract = await first.in_force(self.guard, **terms)
        self.ending = await first.in_force(self.spare, **terms)
        self.order = (await activated(first)).name

    # --- what the writers do: each turns one thing on or off, at the replica it is told, one way --

    async def ended(self, at: Sharing, on: bool) -> Any:
        """End the consent: the person withdraws, an officer revokes, or the person says no."""
        ends = (self.withdraw, self.revoke, self.refuse)
        return await (ends[self.ways["ended"] % 3](at) if on else self.give(at))

    async def withdraw(self, at: Sharing) -> Any:
        request = consent_service_pb2.WithdrawConsentRequest(
            request_id=request_id(), name=self.made["consent"]
        )
        return await at.by_person("consents", "WithdrawConsent", request)

    async def revoke(self, at: Sharing) -> Any:
        request = consent_service_pb2.RevokeConsentRequest(
            request_id=request_id(), name=self.made["consent"], note="in their place"
        )
        return await at.by_officer("consents", "RevokeConsent", request)

    async def refuse(self, at: Sharing) -> Any:
        scope = consent_pb2.ConsentScope(
            purposes=["direct_marketing"],
            categories=["contact"],
            recipient="service_provider.advertising",
        )
        request = consent_service_pb2.RefuseConsentRequest(
            request_id=request_id(), scope=scope, notice="mi-store@2025-05-20", language="en"
        )
        return await at.by_person("consents", "RefuseConsent", request)

    async def give(self, at: Sharing) -> Any:
        scope = consent_pb2.ConsentScope(
            purposes=["direct_marketing"], categories=["contact.email"], recipient=self.ads
        )
        give = consent_service_pb2.GiveConsentRequest(
            request_id=request_id(), scope=scope, notice="mi-store@2025-05-20", language="en"
        )
        answer = await at.by_person("consents", "GiveConsent", give)
        self.made["consent"] = answer.consent.name
        return answer

    async def opted_out(self, at: Sharing, on: bool) -> Any:
        request = preference_service_pb2.OptOutRequest(
            request_id=request_id(), choice=preference_pb2.OPT_OUT_CHOICE_DIRECT_MARKETING
        )
        return await self._choose(at, on, "OptOut", request)

    async def restricted(self, at: Sharing, on: bool) -> Any:
        request = preference_service_pb2.RestrictRequest(request_id=request_id())
        return await self._choose(at, on, "Restrict", request)

    async def stopped(self, at: Sharing, on: bool) -> Any:
        request = preference_service_pb2.StopSharingRequest(
            request_id=request_id(),
            recipient=(self.ads, "service_provider.advertising", "service_provider")[
                self.ways["stopped"] % 3
            ],
        )
        return await self._choose(at, on, "StopSharing", request)

    async def objected(self, at: Sharing, on: bool) -> Any:
        request = preference_service_pb2.ObjectRequest(
            request_id=request_id(), purpose="fraud_prevention"
        )
        return await self._choose(at, on, "Object", request)

    async def _choose(self, at: Sharing, on: bool, method: str, request: Any) -> Any:
        if on:
            answer = await at.by_person("preferences", method, request)
            self.made[method] = answer.preference.name
            return answer
        lift = preference_service_pb2.LiftRequest(request_id=request_id(), name=self.made[method])
        return await at.by_person("preferences", "Lift", lift)

    async def frozen(self, at: Sharing, on: bool) -> Any:
        self.version += 1
        status = subject_pb2.SUBJECT_STATUS_FROZEN if on else subject_pb2.SUBJECT_STATUS_ACTIVE
        return await at.know_person(version=self.version, status=status)

    async def suspended(self, at: Sharing, on: bool) -> Any:
        if on:
            suspend = contract_service_pb2.SuspendContractRequest(
                request_id=request_id(), name=self.contract.name
            )
            return await at.by_officer("contracts", "SuspendContract", suspend)
        resume = contract_service_pb2.ActivateContractRequest(
            request_id=request_id(), name=self.contract.name, version=1
        )
        return await at.by_officer("contracts", "ActivateContract", resume, who=at.second)

    async def amended(self, at: Sharing, on: bool) -> Any:
        """Leave the purpose out of the second partner's contract, or take it in again."""
        purposes = ["payment"] if on else ["fraud_prevention"]
        name, version = self.ending.name, self.amendment
        self.amendment += 1
        amend = contract_service_pb2.AmendContractRequest(
            request_id=request_id(),
            name=name,
            version=version,
            terms=terms_of(purposes=purposes, categories=["account"]),
        )
        await at.by_officer("contracts", "AmendContract", amend)
        submit = contract_service_pb2.SubmitContractRequest(
            request_id=request_id(), name=name, version=version + 1
        )
        await at.by_officer("contracts", "SubmitContract", submit)
        activate = contract_service_pb2.ActivateContractRequest(
            request_id=request_id(), name=name, version=version + 1
        )
        return await at.by_officer("contracts", "ActivateContract", activate, who=at.second)

    async def terminated(self, at: Sharing, on: bool) -> Any:
        assert on
        end = contract_service_pb2.TerminateContractRequest(
            request_id=request_id(), name=self.ending.name
        )
        return await at.by_officer("contracts", "TerminateContract", end)

    async def revoked(self, at: Sharing, on: bool) -> Any:
        assert on
        revoke = instrument_service_pb2.RevokeInstrumentRequest(
            request_id=request_id(), name=self.order, note="quashed"
        )
        return await at.by_officer("instruments", "RevokeInstrument", revoke)

    async def deleted(self, at: Sharing, on: bool) -> Any:
        assert on
        self.version += 1
        return await at.know_person(version=self.version, status=subject_pb2.SUBJECT_STATUS_DELETED)

    # --- what everybody asks ----------------------------------------------------------------------

    def question(self, of: str) -> decision_pb2.Question:
        given: dict[str, Any] = {"ads": MARKETING, "police": LAW}.get(of, FRAUD)
        order = {"instrument": self.order} if of == "police" else {}
        return self.replicas[0].question(**{**given, **order, "recipient": getattr(self, of)})

    async def ask_all(self, at: Sharing) -> list[tuple[str, decision_pb2.Decision]]:
        """Ask every question in one batch; return each with its answer."""
        questions = [self.question(of) for of in STOPS]
        batch = decision_service_pb2.CheckBatchRequest(questions=questions)
        answers = (await at.app("decisions", "CheckBatch", batch)).responses
        self.answers += [answer.decision for answer in answers]
        return list(zip(STOPS, [answer.decision for answer in answers], strict=True))

    async def answered(self, at: Sharing, of: str) -> list[tuple[str, decision_pb2.Decision]]:
        return await self.ask_all(at) if of == ALL else [(of, await self.ask(at, of))]

    async def ask(self, at: Sharing, of: str, token: str = "") -> decision_pb2.Decision:
        request = decision_service_pb2.CheckRequest(question=self.question(of))
        if token:
            request.freshness.at_least_as_fresh = token
        decision = (await at.app("decisions", "Check", request)).decision
        self.answers.append(decision)
        return decision  # type: ignore[no-any-return]  # stubs are chosen by name here

    async def turn(self, writes: dict[str, int], asks: list[tuple[str, int]]) -> None:
        """Let writers and askers loose at once, then hold every replica to what now stands."""
        before, after = set(self.standing), self.standing.symmetric_difference(writes)
        self.ways = {name: how // 2 for name, how in writes.items()}
        writers = [
            getattr(self, name)(self.replicas[how % len(self.replicas)], name in after)
            for name, how in writes.items()
        ]
        askers = [self.answered(self.replicas[at % len(self.replicas)], of) for of, at in asks]
        answers = await asyncio.gather(*writers, *askers)
        acknowledged = time.monotonic()
        self.standing = after
        for of, decision in chain.from_iterable(answers[len(writers) :]):
            if decision.outcome == OUTCOME_PERMIT:
                assert not STOPS[of] & before & after, "a permit that no order of events allows"
            else:
                assert STOPS[of] & (before | after), "a refusal that no order of events allows"
        self.token = max([self.token, *(answer.token for answer in answers[: len(writers)])])
        await asyncio.gather(*(self._hold(replica, acknowledged) for replica in self.replicas))

    async def _hold(self, at: Sharing, acknowledged: float) -> None:
        for of, stops in STOPS.items():
            permitted = not stops & self.standing
            # Without a token: within a second of the acknowledgement.
            while ((await self.ask(at, of)).outcome == OUTCOME_PERMIT) != permitted:
                assert time.monotonic() - acknowledged < BOUND_S
            # With it: at once, and in a batch as alone.
            alone = await self.ask(at, of, self.token)
            assert (alone.outcome == OUTCOME_PERMIT) == permitted
            question = self.question(of)
            # Fewer categories never lose a permit.
            narrower = decision_pb2.Question()
            narrower.CopyFrom(question)
            del narrower.categories[1:]
            batch = decision_service_pb2.CheckBatchRequest(
                questions=[question, narrower, question],
                freshness=freshness_pb2.Freshness(at_least_as_fresh=self.token),
            )
            answers = (await at.app("decisions", "CheckBatch", batch)).responses
            first, narrow, last = (answer.decision for answer in answers)
            for decision in (first, last):
                assert (decision.outcome, decision.reasons) == (alone.outcome, alone.reasons)
            assert (narrow.outcome == OUTCOME_PERMIT) == permitted
            self.answers += [first, narrow, last]

    async def all_on_record(self) -> None:
        """Every answer that was received is on record, as it was received, on any replica."""
        for number, decision in enumerate(self.answers):
            at = self.replicas[number % len(self.replicas)]
            request = decision_service_pb2.GetDecisionRequest(name=decision.name)
            assert (await at.app("decisions", "GetDecision", request)).decision == decision


ASKS = st.lists(st.tuples(st.sampled_from([*sorted(STOPS), ALL]), st.integers(0, 1)), max_size=5)
HOW = st.integers(0, 5)  # at which replica, and which of three ways
TURNS = st.lists(
    st.tuples(st.dictionaries(st.sampled_from(WRITES), HOW, min_size=1, max_size=5), ASKS),
    min_size=2,
    max_size=4,
)
ENDINGS = st.dictionaries(st.sampled_from(sorted(ENDS)), HOW, min_size=1)

# Each way of each write once, where nothing else hides what it does: off, on, off.
OFTEN = [("ads", 0), ("guard", 1), (ALL, 0), (ALL, 1)]
EVERY = [
    (writes, OFTEN)
    for writes in (
        {"ended": 1, "restricted": 0},
        {"ended": 0, "restricted": 1, "amended": 0},
        {"ended": 0, "amended": 1, "objected": 0},
        {"ended": 3, "objected": 1, "frozen": 0},
        {"ended": 0, "frozen": 1, "suspended": 0},
        {"ended": 4, "suspended": 1},
        {"ended": 1, "opted_out": 0},
        {"opted_out": 1, "stopped": 2},
    )
]


@example(turns=EVERY, ends=dict.fromkeys(ENDS, 0), asks=OFTEN, at=1)
@given(turns=TURNS, ends=ENDINGS, asks=ASKS, at=st.integers(0, 1))
@settings(
    max_examples=2,
    phases=[
        Phase.explicit,
        Phase.generate,
    ],  # a program that fails is short enough; making it shorter takes long
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
async def test_invariant_1_2_and_9_hold_under_concurrent_writers(
    replicas: list[Sharing],
    turns: list[tuple[dict[str, int], list[tuple[str, int]]]],
    ends: dict[str, int],
    asks: list[tuple[str, int]],
    at: int,
) -> None:
    world = World(replicas)
    await world.begin()
    for writes, told in turns:
        await world.turn(writes, told)
    await world.turn(ends, asks)
    await world.turn({"deleted": at}, asks)
    await world.all_on_record()
