"""What fills a throw-away store: served where it was asked for alone, and to operators."""

from __future__ import annotations

import uuid
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import grpc
import pytest
from accord.sharing.v1 import (
    contract_pb2,
    loader_service_pb2,
    loader_service_pb2_grpc,
    recipient_pb2,
)

from runtime.fault import Fault
from sandbox.scenarios.given import Given
from sandbox.scenarios.stage import Stage, prepare

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.contract.sharing.conftest import Sharing

STUB = loader_service_pb2_grpc.LoaderServiceStub
NOW = datetime(2025, 9, 1, tzinfo=UTC)
DHL = recipient_pb2.Recipient(
    name="recipients/dhl", display_name="DHL", kind="service_provider.delivery", jurisdiction="DE"
)


def load(*recipients: recipient_pb2.Recipient) -> loader_service_pb2.LoadRequest:
    return loader_service_pb2.LoadRequest(request_id=str(uuid.uuid4()), recipients=recipients)


@asynccontextmanager
async def opened(directory: Path, given: Given) -> AsyncIterator[Stage]:
    prepare(directory)
    async with Stage.opened(directory, "nl", given, NOW) as stage:
        yield stage


async def test_no_region_serves_it(sharing: Sharing) -> None:
    async with sharing.bench.client(sharing.server, "sharing", "staff/operator/olga") as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await STUB(channel).Load(load(DHL), timeout=10)
    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_an_empty_store_is_filled_once_and_a_filled_one_never(tmp_path: Path) -> None:
    async with opened(tmp_path, Given()) as stage:
        request = load(DHL)
        first = await stage.call(STUB, "Load", request, as_="staff/operator/olga")
        assert first.token
        # The same request is answered again; any other finds what is there.
        await stage.call(STUB, "Load", request, as_="staff/operator/olga")
        for other in (load(), load(DHL)):
            with pytest.raises(Fault) as refused:
                await stage.call(STUB, "Load", other, as_="staff/operator/olga")
            assert refused.value.reason == "STORE_NOT_EMPTY"


@pytest.mark.parametrize("who", ["staff/officer/otto", "staff/auditor/ada", "app/mi-store"])
async def test_nobody_but_an_operator_fills_it(tmp_path: Path, who: str) -> None:
    async with opened(tmp_path, Given()) as stage:
        with pytest.raises(Fault) as refused:
            await stage.call(STUB, "Load", load(DHL), as_=who)
    assert refused.value.reason == "CALLER_NOT_ALLOWED"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (recipient_pb2.Recipient(kind="courier"), "recipients.kind"),
        (recipient_pb2.Recipient(jurisdiction="XX"), "recipients.jurisdiction"),
    ],
    ids=["kind", "country"],
)
async def test_what_no_rule_could_judge_is_not_loaded(
    tmp_path: Path, change: recipient_pb2.Recipient, field: str
) -> None:
    wrong = recipient_pb2.Recipient()
    wrong.CopyFrom(DHL)
    wrong.MergeFrom(change)
    async with opened(tmp_path, Given()) as stage:
        with pytest.raises(Fault) as refused:
            await stage.call(STUB, "Load", load(wrong), as_="staff/operator/olga")
        assert refused.value.violations[0][0] == field
        await stage.call(STUB, "Load", load(DHL), as_="staff/operator/olga")  # nothing was left


async def test_a_contract_needs_a_recipient_that_is_loaded_too(tmp_path: Path) -> None:
    request = load()
    contract = request.contracts.add(name="contracts/c1", recipient="recipients/dhl")
    contract.state = contract_pb2.CONTRACT_STATE_ACTIVE
    contract.terms.effective_date, contract.terms.expire_date = "2025-01-01", "2026-01-01"
    async with opened(tmp_path, Given()) as stage:
        with pytest.raises(Fault) as refused:
            await stage.call(STUB, "Load", request, as_="staff/operator/olga")
    assert refused.value.reason == "NOT_FOUND"
