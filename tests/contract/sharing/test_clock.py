"""A clock that jumps, backwards too, revives nothing that was withdrawn and breaks nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from accord.sharing.v1 import (
    consent_pb2,
    consent_service_pb2,
    contract_service_pb2,
    preference_service_pb2,
)
from accord.sharing.v1.decision_pb2 import OUTCOME_GAP, OUTCOME_PERMIT
from accord.sharing.v1.reason_pb2 import REASON_CONTRACT_NOT_YET_EFFECTIVE

from tests.contract.sharing.conftest import Sharing, request_id
from tests.contract.sharing.test_freshness import (
    FRAUD,
    MARKETING,
    freeze,
    object_to,
    stand,
    terminate,
    withdraw,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Change = Callable[[Sharing], Awaitable[None]]

HOUR = timedelta(hours=1)
SCOPE = consent_pb2.ConsentScope(
    purposes=["direct_marketing"], categories=["contact.email"], recipient="recipients/ads"
)


async def give(sharing: Sharing) -> None:
    request = consent_service_pb2.GiveConsentRequest(
        request_id=request_id(), scope=SCOPE, notice="mi-store@2025-05-20", language="en"
    )
    await sharing.by_person("consents", "GiveConsent", request)


async def refuse(sharing: Sharing) -> None:
    request = consent_service_pb2.RefuseConsentRequest(
        request_id=request_id(), scope=SCOPE, notice="mi-store@2025-05-20", language="en"
    )
    await sharing.by_person("consents", "RefuseConsent", request)


async def give_and_withdraw(sharing: Sharing) -> None:
    """Withdraw the newer of two consents."""
    await give(sharing)
    await withdraw(sharing)


async def stop(sharing: Sharing) -> None:
    request = preference_service_pb2.StopSharingRequest(
        request_id=request_id(), recipient="recipients/guard"
    )
    await sharing.by_person("preferences", "StopSharing", request)


async def suspend(sharing: Sharing) -> None:
    listed = await sharing.by_officer(
        "contracts", "ListContracts", contract_service_pb2.ListContractsRequest()
    )
    for contract in listed.contracts:
        request = contract_service_pb2.SuspendContractRequest(
            request_id=request_id(), name=contract.name
        )
        await sharing.by_officer("contracts", "SuspendContract", request)


CHANGES = [
    (withdraw, MARKETING),
    (give_and_withdraw, MARKETING),
    (refuse, MARKETING),
    (object_to, FRAUD),
    (stop, FRAUD),
    (freeze, FRAUD),
    (suspend, MARKETING),
    (terminate, MARKETING),
]


@pytest.mark.parametrize(("change", "asked"), CHANGES)
async def test_a_jump_back_revives_nothing(
    sharing: Sharing, change: Change, asked: dict[str, Any]
) -> None:
    """What was withdrawn an hour ahead of now counts all the same, and once now is there again."""
    clock = sharing.bench.clock
    await stand(sharing)
    clock.advance(2 * HOUR)
    assert (await sharing.check(**asked)).outcome == OUTCOME_PERMIT
    await change(sharing)
    for span in (-HOUR, -2 * HOUR, 4 * HOUR):
        clock.advance(span)
        assert (await sharing.check(**asked)).outcome != OUTCOME_PERMIT


@pytest.mark.parametrize(("change", "asked"), CHANGES)
async def test_what_is_withdrawn_after_a_jump_back_stays_so(
    sharing: Sharing, change: Change, asked: dict[str, Any]
) -> None:
    """The order of recording decides, not that of a clock which went backwards in between."""
    clock = sharing.bench.clock
    await stand(sharing)
    clock.advance(-2 * HOUR)
    await change(sharing)
    for span in (timedelta(), HOUR, 4 * HOUR):
        clock.advance(span)
        assert (await sharing.check(**asked)).outcome != OUTCOME_PERMIT


async def test_a_contract_counts_within_its_dates_whatever_the_clock_did(sharing: Sharing) -> None:
    await stand(sharing)
    clock = sharing.bench.clock
    noon = clock.now()
    clock.set(noon.replace(year=2025, month=12))  # a month before the contract counts
    early = await sharing.check(**MARKETING)
    assert early.outcome == OUTCOME_GAP
    assert REASON_CONTRACT_NOT_YET_EFFECTIVE in [found.reason for found in early.reasons]
    clock.set(noon.replace(year=1999))  # before every notice
    assert (await sharing.check(**MARKETING)).outcome != OUTCOME_PERMIT
    clock.set(noon)
    assert (await sharing.check(**MARKETING)).outcome == OUTCOME_PERMIT
