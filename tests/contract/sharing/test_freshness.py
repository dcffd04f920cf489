"""What is acknowledged counts at once, while questions keep coming."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from accord.sharing.v1 import (
    consent_pb2,
    consent_service_pb2,
    contract_service_pb2,
    decision_service_pb2,
    preference_service_pb2,
    subject_pb2,
)
from accord.sharing.v1.decision_pb2 import OUTCOME_PERMIT

from runtime.errors import from_error
from runtime.ids import new_account
from tests.contract.sharing.conftest import Sharing, request_id, rows

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

FRAUD: dict[str, Any] = {
    "recipient": "recipients/guard",
    "purpose": "fraud_prevention",
    "categories": ["account.reliability"],
}
MARKETING: dict[str, Any] = {
    "recipient": "recipients/ads",
    "purpose": "direct_marketing",
    "categories": ["contact.email"],
}


async def withdraw(sharing: Sharing) -> None:
    listed = await sharing.by_person(
        "consents", "ListConsents", consent_service_pb2.ListConsentsRequest()
    )
    request = consent_service_pb2.WithdrawConsentRequest(
        request_id=request_id(), name=listed.consents[0].name
    )
    await sharing.by_person("consents", "WithdrawConsent", request)


async def revoke(sharing: Sharing) -> None:
    listed = await sharing.by_person(
        "consents", "ListConsents", consent_service_pb2.ListConsentsRequest()
    )
    request = consent_service_pb2.RevokeConsentRequest(
        request_id=request_id(), name=listed.consents[0].name, note="by order of a court"
    )
    await sharing.by_officer("consents", "RevokeConsent", request)


async def restrict(sharing: Sharing) -> None:
    request = preference_service_pb2.RestrictRequest(request_id=request_id())
    await sharing.by_person("preferences", "Restrict", request)


async def object_to(sharing: Sharing) -> None:
    request = preference_service_pb2.ObjectRequest(
        request_id=request_id(), purpose="fraud_prevention"
    )
    await sharing.by_person("preferences", "Object", request)


async def freeze(sharing: Sharing) -> None:
    await sharing.know_person(version=2, status=subject_pb2.SUBJECT_STATUS_FROZEN)


async def terminate(sharing: Sharing) -> None:
    listed = await sharing.by_officer(
        "contracts", "ListContracts", contract_service_pb2.ListContractsRequest()
    )
    for contract in listed.contracts:
        request = contract_service_pb2.TerminateContractRequest(
            request_id=request_id(), name=contract.name
        )
        await sharing.by_officer("contracts", "TerminateContract", request)


async def stand(sharing: Sharing) -> None:
    """Put on record what permits both questions."""
    await sharing.know_person()
    ads = await sharing.register("ads", "service_provider.advertising")
    guard = await sharing.register("guard", "fraud_partner")
    await sharing.in_force(ads, purposes=["direct_marketing"])
    await sharing.in_force(guard, purposes=["fraud_prevention"], categories=["account"])
    give = consent_service_pb2.GiveConsentRequest(
        request_id=request_id(),
        scope=consent_pb2.ConsentScope(
            purposes=["direct_marketing"], categories=["contact.email"], recipient=ads
        ),
        notice="mi-store@2025-05-20",
        language="en",
    )
    await sharing.by_person("consents", "GiveConsent", give)


@pytest.mark.parametrize(
    ("change", "asked"),
    [
        (withdraw, MARKETING),
        (revoke, MARKETING),
        (object_to, FRAUD),
        (restrict, FRAUD),
        (freeze, FRAUD),
        (terminate, MARKETING),
    ],
)
async def test_invariant_2_after_it_is_acknowledged_no_permit_leaves(
    sharing: Sharing,
    change: Callable[[Sharing], Awaitable[None]],
    asked: dict[str, Any],
) -> None:
    await stand(sharing)
    assert (await sharing.check(**asked)).outcome == OUTCOME_PERMIT
    acknowledged = asyncio.Event()
    late: list[int] = []

    async def keep_asking() -> None:
        while len(late) < 10:
            after = acknowledged.is_set()
            decision = await sharing.check(**asked)
            if after:
                late.append(decision.outcome)

    askers = [asyncio.create_task(keep_asking()) for _ in range(4)]
    await change(sharing)
    acknowledged.set()
    await asyncio.gather(*askers)
    assert OUTCOME_PERMIT not in late


async def test_invariant_5_a_person_of_another_home_touches_no_store(sharing: Sharing) -> None:
    question = sharing.question(account=new_account("in"))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await sharing.app(
            "decisions", "Check", decision_service_pb2.CheckRequest(question=question)
        )
    fault = from_error(caught.value, "sharing")
    assert (fault.reason, fault.metadata) == ("WRONG_REGION", {"region": "in"})
    assert rows(sharing.url, "decisions") == rows(sharing.url, "outbox") == 0
