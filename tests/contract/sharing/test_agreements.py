"""What stands behind a contract, a version resumed while its successor waits, and the calendar."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from accord.sharing.v1 import contract_pb2, contract_service_pb2, decision_pb2

from runtime.errors import from_error
from tests.contract.sharing.conftest import Sharing, request_id, rows, terms_of

pb = contract_service_pb2

RICH: dict[str, Any] = {
    "safeguards": ["scc", "ru_cross_border_permission"],
    "subprocessors": ["Fleet", "Vans"],
    "subprocessor_chain": [
        {"name": "Fleet", "jurisdiction": "DE", "activity": "drives"},
        {"name": "Vans", "jurisdiction": "PL", "activity": "repairs", "parent": "Fleet"},
    ],
    "safeguard_details": [
        {
            "safeguard": "ru_cross_border_permission",
            "reference": "RKN 77-1",
            "expire_date": "2026-06-30",
        },
        {
            "safeguard": "scc",
            "scc_module": "SCC_MODULE_CONTROLLER_TO_PROCESSOR",
            "reference": "2021/914",
            "impact_assessment": "TIA-7",
        },
    ],
    "obligations": ["Tells of a breach within 24 hours."],
}


async def fault_of(call: Any) -> Any:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return from_error(caught.value, "sharing")


def step(kind: type[Any], name: str, **more: Any) -> Any:
    return kind(request_id=request_id(), name=name, **more)


async def expiries(sharing: Sharing, days: int, size: int = 0) -> list[tuple[str, str, str]]:
    """What ends within so many days, page by page."""
    found = []
    request = pb.ListExpiriesRequest(days=days, page_size=size)
    while True:
        page = await sharing.by_officer("contracts", "ListExpiries", request)
        for end in page.expiries:
            kind = contract_pb2.ExpiryKind.Name(end.kind).removeprefix("EXPIRY_KIND_")
            found.append((end.expire_date, kind, end.safeguard))
        if not page.next_page_token:
            return found
        request.page_token = page.next_page_token


async def test_what_stands_behind_a_contract_is_kept_as_it_was_said(sharing: Sharing) -> None:
    dhl = await sharing.register()
    contract = await sharing.draft(dhl, **RICH)
    get = pb.GetContractRequest(name=contract.name)
    known = (await sharing.by_officer("contracts", "GetContract", get)).contract
    terms = known.terms
    assert terms == terms_of(**RICH | {"safeguards": sorted(RICH["safeguards"])})


async def test_what_contradicts_itself_is_refused(sharing: Sharing) -> None:
    dhl = await sharing.register()
    chain, details = RICH["subprocessor_chain"], RICH["safeguard_details"]
    fleet, vans = chain
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"subprocessor_chain": [fleet, fleet]}, "subprocessor_chain"),
        ({"subprocessors": ["Vans"]}, "subprocessor_chain"),
        ({"subprocessor_chain": [vans]}, "subprocessor_chain.parent"),
        ({"subprocessor_chain": [fleet | {"parent": "Vans"}, vans]}, "subprocessor_chain.parent"),
        (
            {"subprocessor_chain": [fleet | {"jurisdiction": "XX"}]},
            "subprocessor_chain.jurisdiction",
        ),
        ({"subprocessor_chain": [fleet | {"activity": ""}]}, "subprocessor_chain.activity"),
        ({"safeguards": ["bcr"]}, "safeguard_details"),
        ({"safeguard_details": [details[1], details[1]]}, "safeguard_details"),
        (
            {"safeguard_details": [details[0] | {"scc_module": 1}]},
            "safeguard_details.scc_module",
        ),
        ({"safeguard_details": [{"safeguard": "scc"}]}, "safeguard_details.scc_module"),
        (
            {"safeguard_details": [details[0] | {"expire_date": "2025-12-31"}]},
            "safeguard_details.expire_date",
        ),
        ({"obligations": [""]}, "obligations"),
        ({"obligations": ["x"] * 33}, "obligations"),
    ]
    for change, field in wrong:
        fault = await fault_of(sharing.draft(dhl, **RICH | change))
        assert (fault.reason, fault.metadata["field"]) == ("INVALID_FIELD", f"terms.{field}")
    assert rows(sharing.url, "contracts") == 0


async def test_a_suspended_version_is_resumed_while_an_amendment_waits(sharing: Sharing) -> None:
    await sharing.know_person()
    dhl = await sharing.register()
    name = (await sharing.in_force(dhl)).name
    await sharing.by_officer("contracts", "SuspendContract", step(pb.SuspendContractRequest, name))
    amend = step(pb.AmendContractRequest, name, version=1, terms=terms_of(destinations=["NL"]))
    answer = await sharing.by_officer("contracts", "AmendContract", amend, who=sharing.second)
    waiting = answer.contract
    assert (waiting.version, waiting.active_version, waiting.suspended_version) == (2, 0, 1)
    assert (await sharing.check()).outcome == decision_pb2.OUTCOME_GAP

    resume = step(pb.ActivateContractRequest, name, version=1)
    own = sharing.by_officer("contracts", "ActivateContract", resume)  # wrote version 1
    assert (await fault_of(own)).reason == "FOUR_EYES"
    # Whoever wrote the amendment may resume the version before.
    answer = await sharing.by_officer("contracts", "ActivateContract", resume, who=sharing.second)
    resumed = answer.contract
    assert (resumed.active_version, resumed.suspended_version) == (1, 0)
    assert resumed.state == contract_pb2.CONTRACT_STATE_DRAFT
    permit = await sharing.check()
    assert (permit.outcome, permit.contract) == (decision_pb2.OUTCOME_PERMIT, f"{name}/versions/1")

    again = sharing.by_officer(
        "contracts",
        "ActivateContract",
        step(pb.ActivateContractRequest, name, version=1),
        who=sharing.second,
    )
    assert (await fault_of(again)).reason == "CONFLICT"  # in force already; 2 is the latest
    get = pb.GetContractRequest(name=name)
    history = (await sharing.by_officer("contracts", "GetContract", get)).contract.history
    assert [(event.version, event.state) for event in history][-3:] == [
        (1, contract_pb2.CONTRACT_STATE_SUSPENDED),
        (2, contract_pb2.CONTRACT_STATE_DRAFT),
        (1, contract_pb2.CONTRACT_STATE_ACTIVE),
    ]


async def test_the_calendar_shows_what_of_the_agreements_in_force_ends(sharing: Sharing) -> None:
    """The bench's clock stands at 2026-06-01."""
    dhl = await sharing.register()
    await sharing.draft(dhl, **RICH)  # in force: never
    name = (await sharing.in_force(dhl, **RICH)).name
    today = sharing.bench.clock.now().date().isoformat()
    assert today < "2026-06-30"
    days = 2000
    all_of_it = [
        ("2026-06-30", "SAFEGUARD", "ru_cross_border_permission"),
        ("2026-12-31", "DUE_DILIGENCE", ""),
        ("2027-12-31", "TERM", ""),
    ]
    assert await expiries(sharing, days) == all_of_it
    assert await expiries(sharing, days, size=1) == all_of_it
    assert await expiries(sharing, 1) == []

    suspend = step(pb.SuspendContractRequest, name)
    await sharing.by_officer("contracts", "SuspendContract", suspend)
    assert await expiries(sharing, days) == all_of_it  # it may be resumed
    amend = step(pb.AmendContractRequest, name, version=1, terms=terms_of())
    await sharing.by_officer("contracts", "AmendContract", amend)
    assert await expiries(sharing, days) == all_of_it
    submit = step(pb.SubmitContractRequest, name, version=2)
    await sharing.by_officer("contracts", "SubmitContract", submit)
    activate = step(pb.ActivateContractRequest, name, version=2)
    await sharing.by_officer("contracts", "ActivateContract", activate, who=sharing.second)
    assert await expiries(sharing, days) == all_of_it[1:]
    terminate = step(pb.TerminateContractRequest, name)
    await sharing.by_officer("contracts", "TerminateContract", terminate)
    assert await expiries(sharing, days) == []

    for wrong in (0, -1, 3661):
        request = pb.ListExpiriesRequest(days=wrong)
        fault = await fault_of(sharing.by_officer("contracts", "ListExpiries", request))
        assert fault.reason == "INVALID_FIELD"
