"""How long a permit outlives the withdrawal of what it rests on, wherever it is asked for.

Guests consent and withdraw, since their app may say so for them: no review is published after it.
"""

import asyncio
import time
import uuid
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from accord.sharing.v1 import consent_service_pb2, decision_pb2
from accord.sharing.v1 import decision_service_pb2 as pb
from accord.sharing.v1.consent_service_pb2_grpc import ConsentServiceStub
from accord.sharing.v1.decision_service_pb2_grpc import DecisionServiceStub
from accord_client.cache import Ask
from accord_client.guard import Accord

from bench._guard import profile
from bench._load import connect, percentile, report
from bench._people import PUBLIC
from bench._region import Region

if TYPE_CHECKING:  # names of the stubs' types alone
    from accord.sharing.v1.consent_service_pb2_grpc import ConsentServiceAsyncStub
    from accord.sharing.v1.decision_service_pb2_grpc import DecisionServiceAsyncStub

CACHES = 10
ROUNDS = 100
_SECOND = "sharing-second"
_PAUSE_S = 0.005  # between two questions of one asker
_AFTERWARDS = 3  # questions after the first refusal: it must not turn back
_WITH_TOKEN = 5  # questions that carry the withdrawal's token, of each replica
_LIMIT_S = 10.0


async def revocations(region: Region) -> None:
    """Withdraw again and again; report the longest that a permit was still given."""
    replicas = ["sharing"]
    if region.store == "postgresql":  # SQLite has one process
        region.start("sharing", _SECOND)
        replicas.append(_SECOND)
    async with AsyncExitStack() as stack:
        channels = [
            await stack.enter_async_context(connect(region.directory, region.ports[name]))
            for name in replicas
        ]
        caches = [
            await stack.enter_async_context(
                Accord.connect(profile(region, replicas[number % len(replicas)]))
            )
            for number in range(CACHES)
        ]
        for cache in caches:
            await cache.heard()
        checks: list[DecisionServiceAsyncStub] = [DecisionServiceStub(open_) for open_ in channels]
        consents: ConsentServiceAsyncStub = ConsentServiceStub(channels[0])
        rounds = [await _round(consents, checks, caches) for _ in range(ROUNDS)]
    if _SECOND in replicas:
        region.end(_SECOND)
    outlived = [longest for longest, _ in rounds]
    report("revoke_p50_s", percentile(outlived, 50), "s", region.store)
    report("revoke_p99_s", percentile(outlived, 99), "s", region.store)
    violations = sum(permits for _, permits in rounds)
    report("revoke_with_token_violations", violations, "count", region.store)


async def _round(
    consents: "ConsentServiceAsyncStub",
    checks: "list[DecisionServiceAsyncStub]",
    caches: list[Accord],
) -> tuple[float, int]:
    """Withdraw once; return the seconds until the last permit, and permits despite the token."""
    guest = decision_pb2.Guest(jurisdiction="NL", session=uuid.uuid4().hex)
    question = decision_pb2.Question(
        guest=guest,
        service="mi_store",
        recipient=PUBLIC,
        purpose="review_display",
        categories=["content.review"],
    )
    give = consent_service_pb2.GiveConsentRequest(
        request_id=str(uuid.uuid4()), guest=guest, notice="mi-store@2025-05-20", language="en"
    )
    give.scope.service = "mi_store"
    give.scope.purposes.append("review_display")
    give.scope.categories.append("content.review")
    give.scope.recipient = PUBLIC
    given = await consents.GiveConsent(give, timeout=10)
    askers = [_Asker(cache, question) for cache in caches]
    askers += [_Asker(check, question) for check in checks]
    for asker in askers:
        await asker.until_permitted()
    asking = [asyncio.create_task(asker.until_refused()) for asker in askers]
    withdraw = consent_service_pb2.WithdrawConsentRequest(
        request_id=str(uuid.uuid4()), name=given.consent.name, guest=guest
    )
    withdrawn = await consents.WithdrawConsent(withdraw, timeout=10)
    acknowledged = time.monotonic()
    fresh = pb.CheckRequest(question=question)
    fresh.freshness.at_least_as_fresh = withdrawn.token
    answers = [await check.Check(fresh, timeout=10) for check in checks for _ in range(_WITH_TOKEN)]
    await asyncio.gather(*asking)
    longest = max(asker.last_permit for asker in askers) - acknowledged
    permits = sum(answer.decision.outcome == decision_pb2.OUTCOME_PERMIT for answer in answers)
    return max(longest, 0.0), permits


class _Asker:
    """Asks one cache or one replica, again and again."""

    def __init__(
        self, whom: "Accord | DecisionServiceAsyncStub", question: decision_pb2.Question
    ) -> None:
        self._whom = whom
        self._ask = Ask(question)
        self._request = pb.CheckRequest(question=question)
        self.last_permit = 0.0

    async def until_permitted(self) -> None:
        """Ask until the consent is known there."""
        end = time.monotonic() + _LIMIT_S
        while not await self._permitted():
            if time.monotonic() > end:
                raise RuntimeError("a consent is not heard of")
            await asyncio.sleep(_PAUSE_S)

    async def until_refused(self) -> None:
        """Ask until some questions after the first refusal; note the last permit."""
        end = time.monotonic() + _LIMIT_S
        refused = 0
        while refused <= _AFTERWARDS and time.monotonic() < end:
            refused += not await self._permitted()
            await asyncio.sleep(_PAUSE_S)

    async def _permitted(self) -> bool:
        if isinstance(self._whom, Accord):
            permitted = (await self._whom.check(self._ask)).permitted
        else:
            answer = await self._whom.Check(self._request, timeout=10)
            permitted = answer.decision.outcome == decision_pb2.OUTCOME_PERMIT
        if permitted:
            self.last_permit = time.monotonic()
        return permitted
