"""Permits that are shown to whoever holds the data, and those that revocations overtake."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from accord.sharing.v1.watch_service_pb2 import WatchResponse
from accord_client.fault import Fault
from accord_client.permit import Permit, verify

from tests.contract.sharing.test_guard import profile, watched, withdraw
from tests.contract.sharing.test_permits import MARKETING, advertising

if TYPE_CHECKING:
    from accord_client.guard import Accord

    from tests.contract.sharing.conftest import Sharing

MI_STORE = "spiffe://nl.accord.internal/app/mi-store"


async def test_an_answer_that_revocations_overtake_each_time_is_none(
    sharing: Sharing, monkeypatch: pytest.MonkeyPatch
) -> None:
    sharing.bench.clock.set(datetime.now(UTC))
    await advertising(sharing)
    question = sharing.question(**MARKETING)
    async with watched(sharing) as accord:
        key = (await _shown(accord, question)).watch[1]

        def overtaken(*args: Any, **more: Any) -> Any:
            message = WatchResponse(
                token=accord._cache.token, rulebook_digest=accord._cache._rulebook
            )
            message.revocations.add(key=key)
            accord._cache.heard(message, 0.0)
            return verify(*args, **more)

        monkeypatch.setattr("accord_client.guard.verify", overtaken)
        with pytest.raises(Fault) as away:
            await accord.check(sharing.question(**MARKETING, destination="DE"))
        assert away.value.code is grpc.StatusCode.UNAVAILABLE
        assert accord.counters.overtaken == 3


async def _shown(accord: Accord, question: Any) -> Permit:
    """The permit that an app shows, read without regard to whether it still holds."""
    verdict = await accord.check(question)
    keys = await accord._keys_for(verdict.permit)
    return verify(verdict.permit, keys, region="nl", audience=MI_STORE, now=time.time())


async def test_whoever_holds_the_data_honours_what_is_shown_until_it_is_withdrawn(
    sharing: Sharing,
) -> None:
    sharing.bench.clock.set(datetime.now(UTC))
    consent = await advertising(sharing)
    question = sharing.question(**MARKETING)
    holder = profile(sharing, "mi-com")
    async with watched(sharing) as asking, watched(sharing, holder) as accord:
        permit = (await asking.check(question)).permit
        said = await accord.honours(permit, question, shown_by=MI_STORE)
        assert said
        assert (said.obligations, said.audience) == (("record_disclosure",), MI_STORE)
        mi_com = MI_STORE.replace("mi-store", "mi-com")
        for text, shown_by in ((permit, mi_com), (permit[:-9], MI_STORE), ("x", MI_STORE)):
            assert await accord.honours(text, question, shown_by=shown_by) is None
        for more in ({"purpose": "delivery"}, {"categories": ["contact.email", "contact.name"]}):
            sending = sharing.question(**{**MARKETING, **more})
            assert await accord.honours(permit, sending, shown_by=MI_STORE) is None
        assert accord.counters.asked == 0  # it asked nobody
        await withdraw(sharing, consent)
        acknowledged = time.monotonic()
        while await accord.honours(permit, question, shown_by=MI_STORE):
            assert time.monotonic() - acknowledged < 1.0
            await accord.heard()
    async with watched(sharing, holder) as accord:  # it did not hear of the withdrawal
        assert await accord.honours(permit, question, shown_by=MI_STORE) is None
